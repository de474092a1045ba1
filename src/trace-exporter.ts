// Sends spans to a collector over OTLP/HTTP, in batches and bounded: what cannot be sent is dropped and counted, and no request
// ever waits for it. Made by data-plane.ts where the operator names a collector.
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Clock } from './base/clock.ts';
import { encodeSpans, type Span, type SpanValue } from './wire/otlp-spans.ts';

/** Gives the answer's status; rejects when there is none. */
export type PostSpans = (body: string, signal: AbortSignal) => Promise<number>;

export type TraceExporterOptions = {
  readonly clock: Clock;
  readonly post: PostSpans;
  readonly resource: Readonly<Record<string, SpanValue | null>>;
  /** Told once when sending begins to fail, and once when it works again (null), with the spans that were dropped so far. */
  readonly onTrouble: (error: string | null, dropped: number) => void;
};

export type TraceExporter = {
  add(span: Span): void;
  /** Sends what waits, once, and stops. */
  close(): Promise<void>;
  dropped(): number;
};

/** Spans in one message: their encoding takes about a millisecond. */
const batchSpans = 256;
/** Spans that wait; more are dropped. */
const waitingSpans = 8_192;
/** How long a span may wait, and how long one message may take, ms. */
const batchMs = 1_000;
const postMs = 10_000;
/** Waits between tries of one message; after them its spans are dropped. */
const retryMs = [1_000, 3_000];

/** Source: docs (OTLP/HTTP: retryable are 429, 502, 503, 504; everything else is final). */
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export function createTraceExporter(options: TraceExporterOptions): TraceExporter {
  const { clock, post, resource, onTrouble } = options;
  let waiting: Span[] = [];
  let cancelTimer: (() => void) | null = null;
  let sending: Promise<void> | null = null;
  let isClosing = false;
  let dropped = 0;
  let isInTrouble = false;
  const closing = new AbortController();

  const settle = (error: string | null, lost: number): void => {
    dropped += lost;
    if (isInTrouble === (error !== null)) return;
    isInTrouble = error !== null;
    onTrouble(error, dropped);
  };
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const done = () => {
        cancel();
        closing.signal.removeEventListener('abort', done);
        resolve();
      };
      const cancel = clock.after(ms, done);
      closing.signal.addEventListener('abort', done, { once: true });
    });
  /** Null: it was taken. Otherwise why not, and whether to try again. */
  const tryOnce = async (body: string): Promise<{ readonly error: string; readonly isFinal: boolean } | null> => {
    const late = new AbortController();
    const cancel = clock.after(postMs, () => late.abort(new Error(`no answer in ${postMs} ms`)));
    try {
      const status = await post(body, late.signal);
      if (status >= 200 && status < 300) return null;
      return { error: `it answered ${status}`, isFinal: !retryable.has(status) };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error), isFinal: false };
    } finally {
      cancel();
    }
  };
  const send = async (batch: readonly Span[]): Promise<void> => {
    const body = encodeSpans(batch, resource, { name: 'yunmen' });
    for (let tries = 0; ; tries++) {
      const failed = await tryOnce(body);
      if (failed === null) return settle(null, 0);
      const waitMs = retryMs[tries];
      if (failed.isFinal || isClosing || waitMs === undefined) return settle(failed.error, batch.length);
      await pause(waitMs);
    }
  };
  const drain = async (): Promise<void> => {
    while (waiting.length >= (isClosing ? 1 : batchSpans)) {
      const batch = waiting.slice(0, batchSpans);
      waiting = waiting.slice(batchSpans);
      await send(batch);
    }
  };
  const begin = (): void => {
    sending ??= drain().finally(() => {
      sending = null;
      plan();
    });
  };
  const plan = (): void => {
    if (waiting.length === 0 || cancelTimer !== null || isClosing) return;
    cancelTimer = clock.after(batchMs, () => {
      cancelTimer = null;
      if (sending !== null) return;
      const batch = waiting.splice(0, batchSpans);
      sending = send(batch).finally(() => {
        sending = null;
        if (waiting.length >= batchSpans) begin();
        else plan();
      });
    });
  };
  return {
    add(span) {
      if (isClosing || waiting.length >= waitingSpans) {
        dropped += 1;
        return;
      }
      waiting.push(span);
      if (waiting.length >= batchSpans) begin();
      else plan();
    },
    async close() {
      isClosing = true;
      closing.abort();
      cancelTimer?.();
      await sending;
      await drain();
    },
    dropped: () => dropped,
  };
}

/** Where traces go: the collector's address as OTEL_EXPORTER_OTLP_ENDPOINT has it, so `/v1/traces` is put behind its path. */
export function postTo(endpoint: string, headers: Readonly<Record<string, string>>): PostSpans {
  const url = new URL(`${endpoint.replace(/\/+$/, '')}/v1/traces`);
  const begin = url.protocol === 'https:' ? requestHttps : requestHttp;
  return (body, signal) =>
    new Promise((resolve, reject) => {
      const call = begin(url, {
        method: 'POST',
        signal,
        headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      });
      call.on('error', reject);
      call.on('response', (answer) => {
        answer.resume();
        answer.on('error', reject);
        answer.on('end', () => resolve(answer.statusCode ?? 0));
      });
      call.end(body);
    });
}
