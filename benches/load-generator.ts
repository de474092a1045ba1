// Sends requests from a process of its own and checks every answer. Takes LoadJobs from its parent, one at a time.
import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';
import { signRequest } from '../src/wire/gateway-signature.ts';
import type { LoadJob, LoadResult, Target } from './load-job.ts';

/** Latencies kept of one job; a job that has more is cut off. */
const sampleLimit = 4_000_000;
const formType = 'application/x-www-form-urlencoded; charset=UTF-8';

type Call = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string | null;
  readonly expected: string;
};

let callNumber = 0;

function makeCall(target: Target): Call {
  if (target.kind === 'hello') return { method: 'GET', path: '/', headers: {}, body: null, expected: 'hello' };
  const number = String(++callNumber);
  const body = `n=${number}`;
  const { headers } = signRequest({
    method: 'POST',
    target: target.path,
    headers: { Host: target.host, Accept: 'application/json', 'Content-Type': formType },
    body: Buffer.from(body),
    appKey: target.appKey,
    appSecret: target.appSecret,
    stage: 'RELEASE',
    timestamp: Date.now(),
    nonce: randomUUID(),
  });
  return { method: 'POST', path: target.path, headers, body, expected: `{"n":"${number}"}` };
}

async function runJob({ target, connections, durationMs }: LoadJob): Promise<LoadResult> {
  const pool = new Pool(target.origin, { connections, pipelining: 1 });
  const latencies: number[] = [];
  let wrong = 0;
  let firstWrong: string | null = null;
  const fail = (text: string) => {
    wrong += 1;
    firstWrong ??= text.slice(0, 1000);
  };
  const began = performance.now();
  const end = began + durationMs;
  const loop = async () => {
    while (performance.now() < end && latencies.length < sampleLimit) {
      const { expected, ...options } = makeCall(target);
      const sent = performance.now();
      try {
        const answer = await pool.request(options);
        const text = await answer.body.text();
        latencies.push(performance.now() - sent);
        if (answer.statusCode !== 200 || text !== expected) {
          fail(
            `${answer.statusCode} ${String(answer.headers['x-ca-error-message'] ?? '')} ${text}; expected ${expected}`,
          );
        }
      } catch (error) {
        fail(String(error));
        if (wrong > 100) return;
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, loop));
  const seconds = (performance.now() - began) / 1000;
  await pool.close();
  latencies.sort((a, b) => a - b);
  const quantile = (part: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? 0;
  return { requests: latencies.length, seconds, p50: quantile(0.5), p99: quantile(0.99), wrong, firstWrong };
}

process.on('message', (job: LoadJob) => {
  runJob(job).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit(0));
