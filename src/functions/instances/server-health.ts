// Waits until the server inside an instance says that it is well. Used by http-road.ts.
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
 * Source: docs (function-runtime.md 8); that any status under 400 is well is assumed.
 */
export function whenHealthy(
  check: HealthCheck,
  { agent, clock }: { readonly agent: Agent; readonly clock: Clock },
  onHealthy: () => void,
): () => void {
  let isOver = false;
  let good = 0;
  let cancelTimer = () => {};
  let asking: Asking | null = null;
  const judge = (isGood: boolean) => {
    cancelTimer();
    if (isOver) return;
    good = isGood ? good + 1 : 0;
    if (good < check.successThreshold) {
      cancelTimer = clock.after(check.periodMs, ask);
      return;
    }
    isOver = true;
    onHealthy();
  };
  const ask = () => {
    const request = { method: 'GET', target: check.httpGetUrl, headers: ['Host', 'localhost'], body: Buffer.alloc(0) };
    const options = { agent, bodyLimitBytes: answerLimitBytes, sink: null };
    const current = callServer(request, options, (answer) => judge(answer.kind === 'answer' && answer.status < 400));
    asking = current;
    cancelTimer = clock.after(check.timeoutMs, () => {
      current.cancel();
      judge(false);
    });
  };
  cancelTimer = clock.after(check.initialDelayMs, ask);
  return () => {
    isOver = true;
    cancelTimer();
    asking?.cancel();
  };
}
