// Sends requests from a process of its own and checks every answer. Takes LoadJobs from its parent, one at a time.
// It writes HTTP on bare sockets: the cheaper the generator, the more of the machine is left to what is measured.
import { createHmac, randomUUID } from 'node:crypto';
import { createConnection } from 'node:net';
import { AnswerReader } from './answer-reader.ts';
import type { LoadJob, LoadResult, Target } from './load-job.ts';

/** Latencies kept of one job; a job that has more is cut off. */
const sampleLimit = 4_000_000;
/** After so many wrong answers there is no point in going on. */
const wrongLimit = 100;
const formType = 'application/x-www-form-urlencoded; charset=UTF-8';

type Call = { readonly text: string; readonly expected: string };

let callNumber = 0;

function makeCall(target: Target): Call {
  if (target.kind === 'hello') return { text: 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', expected: 'hello' };
  if (target.kind === 'plain') {
    return { text: `GET ${target.path} HTTP/1.1\r\nHost: localhost\r\n\r\n`, expected: target.body };
  }
  const number = String(++callNumber);
  const body = `n=${number}`;
  const signed = [
    ['X-Ca-Key', target.appKey],
    ['X-Ca-Nonce', randomUUID()],
    ['X-Ca-Stage', 'RELEASE'],
    ['X-Ca-Timestamp', String(Date.now())],
  ].map(([name, value]) => `${name}:${value}`);
  const stringToSign = `POST\napplication/json\n\n${formType}\n\n${signed.join('\n')}\n${target.path}?${body}`;
  const signature = createHmac('sha256', target.appSecret).update(stringToSign).digest('base64');
  const text =
    `POST ${target.path} HTTP/1.1\r\nHost: ${target.host}\r\nAccept: application/json\r\nContent-Type: ${formType}\r\n` +
    `Content-Length: ${body.length}\r\n${signed.join('\r\n')}\r\n` +
    `X-Ca-Signature-Headers: X-Ca-Key,X-Ca-Nonce,X-Ca-Stage,X-Ca-Timestamp\r\nX-Ca-Signature: ${signature}\r\n\r\n${body}`;
  return { text, expected: `{"n":"${number}"}` };
}

/** What the connections of one job share. */
type Tally = {
  readonly latencies: number[];
  readonly end: number;
  readonly wrongLimit: number;
  wrong: number;
  firstWrong: string | null;
};

/** When a connection sends: its first call at `startAt` and then one each `intervalMs`; 0 = without a pause. Of performance.now(). */
type Pace = { readonly intervalMs: number; readonly startAt: number };

function fail(tally: Tally, text: string): void {
  tally.wrong += 1;
  tally.firstWrong ??= text.slice(0, 2000);
}

/** One connection: a call, its answer, the next call, until the time is up. Resolves when the socket is closed. */
function runConnection(target: Target, tally: Tally, pace: Pace): Promise<void> {
  const { hostname, port } = new URL(target.origin);
  const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
  socket.setEncoding('latin1');
  const reader = new AnswerReader();
  const wanted = target.kind === 'plain' ? target.status : 200;
  let sentAt = 0;
  let expected: string | null = null;
  let dueAt = pace.startAt;
  const next = () => {
    const now = performance.now();
    if (pace.intervalMs > 0 && now < tally.end) {
      if (dueAt > now) {
        setTimeout(next, dueAt - now);
        return;
      }
      dueAt += pace.intervalMs;
    }
    if (now >= tally.end || tally.wrong > tally.wrongLimit || tally.latencies.length >= sampleLimit) {
      expected = null;
      socket.end();
      return;
    }
    const call = makeCall(target);
    expected = call.expected;
    sentAt = performance.now();
    socket.write(call.text);
  };
  return new Promise((resolve) => {
    socket.on('connect', next);
    socket.on('data', (latin1) => {
      try {
        const answer = reader.push(String(latin1));
        if (answer === null) return;
        tally.latencies.push(performance.now() - sentAt);
        if (answer.status !== wanted || answer.body !== expected) {
          fail(tally, `${answer.head}\r\n${answer.body}\nexpected ${expected}`);
        }
        next();
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.on('error', (error) => fail(tally, String(error)));
    socket.on('close', () => {
      if (expected !== null) fail(tally, 'the connection was closed before the answer was whole');
      resolve();
    });
  });
}

async function runJob({ target, connections, durationMs, perSecond, toleratesWrong }: LoadJob): Promise<LoadResult> {
  const began = performance.now();
  const tally: Tally = {
    latencies: [],
    end: began + durationMs,
    wrongLimit: toleratesWrong === true ? sampleLimit : wrongLimit,
    wrong: 0,
    firstWrong: null,
  };
  const intervalMs = perSecond === null ? 0 : (connections * 1000) / perSecond;
  const paceOf = (index: number) => ({ intervalMs, startAt: began + (index * intervalMs) / connections });
  await Promise.all(Array.from({ length: connections }, (_, index) => runConnection(target, tally, paceOf(index))));
  const seconds = (performance.now() - began) / 1000;
  const latencies = Float64Array.from(tally.latencies).sort();
  const quantile = (part: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? 0;
  const { wrong, firstWrong } = tally;
  const max = latencies.at(-1) ?? 0;
  return { requests: latencies.length, seconds, p50: quantile(0.5), p99: quantile(0.99), max, wrong, firstWrong };
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
