// Asks the server inside an instance whether it is well: until it says so first, and then again and again. Used by http-road.ts.
import type { Agent } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import type { HealthCheck } from '../../model/function.ts';
import type { Asking } from './road.ts';
import { callServer } from './server-call.ts';

const answerLimitBytes = 64 * 1024;

/**
 * Asks until it has answered well `successThreshold` times running, then calls `onHealthy` once. How often it may fail
 * before does not matter here: the time to start is what bounds it. The function that is given ends the wait.
 *
 * Source: docs; that any status under 400 is well is assumed.
 */
export function whenHealthy(
  check: HealthCheck,
  { agent, clock }: { readonly agent: Agent; readonly clock: Clock },
  onHealthy: () => void,
): () => void {
  let good = 0;
  return askAgainAndAgain(check, check.initialDelayMs, { agent: () => agent, clock }, (isGood) => {
    good = isGood ? good + 1 : 0;
    if (good < check.successThreshold) return 'go on';
    onHealthy();
    return 'enough';
  });
}

/**
 * Asks on, a period apart, and calls `onUnwell` once when it has failed `failureThreshold` times running. While `mayAsk` says no
 * nothing is asked, and a failure that falls into such a time does not count: who serves one request at a time cannot answer.
 *
 * Source: docs for the thresholds; that checks go on while an instance is not frozen is assumed.
 */
export function watchHealth(
  check: HealthCheck,
  how: Around & { readonly mayAsk: () => boolean },
  onUnwell: (why: string) => void,
): () => void {
  let bad = 0;
  return askAgainAndAgain(check, check.periodMs, how, (isGood) => {
    if (isGood || !how.mayAsk()) bad = 0;
    else bad += 1;
    if (bad < check.failureThreshold) return 'go on';
    onUnwell(`its health check failed ${bad} times running`);
    return 'enough';
  });
}

type Around = { readonly agent: () => Agent; readonly clock: Clock; readonly mayAsk?: () => boolean };

/** The function that is given ends it. */
function askAgainAndAgain(
  check: HealthCheck,
  firstMs: number,
  { agent, clock, mayAsk = () => true }: Around,
  judge: (isGood: boolean) => 'go on' | 'enough',
): () => void {
  let isOver = false;
  let cancelTimer = () => {};
  let asking: Asking | null = null;
  const later = () => {
    cancelTimer = clock.after(check.periodMs, ask);
  };
  const told = (isGood: boolean) => {
    cancelTimer();
    if (isOver) return;
    if (judge(isGood) === 'go on') later();
    else isOver = true;
  };
  const ask = () => {
    if (!mayAsk()) return later();
    const request = { method: 'GET', target: check.httpGetUrl, headers: ['Host', 'localhost'], body: Buffer.alloc(0) };
    const options = { agent: agent(), bodyLimitBytes: answerLimitBytes, sink: null };
    const current = callServer(request, options, (answer) => told(answer.kind === 'answer' && answer.status < 400));
    asking = current;
    cancelTimer = clock.after(check.timeoutMs, () => {
      current.cancel();
      told(false);
    });
  };
  cancelTimer = clock.after(firstMs, ask);
  return () => {
    isOver = true;
    cancelTimer();
    asking?.cancel();
  };
}
