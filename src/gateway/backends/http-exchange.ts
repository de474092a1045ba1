// One call of an HTTP backend: a connection, the request, the answer as it comes, the time-out over all of it, the one retry.
// Called by http.ts.
import { afterRead } from '../../base/after-read.ts';
import type { BackendAnswer, Mapped } from '../context.ts';
import { ClientGone } from '../errors.ts';
import type { Origin } from '../outbound/connect.ts';
import type { BackendConnection, ExchangeListener, OutgoingRequest } from '../outbound/connection.ts';
import type { ResponseHead } from '../outbound/response-head.ts';
import { timedOut, wordFault } from './backend-errors.ts';
import { breakerKey } from './breaker.ts';
import { RelayedBody } from './relayed-body.ts';

const nothing = () => {};

/** Headers of a backend that are not relayed: they belong to the gateway's own answer. Source: docs. */
const heldBack: ReadonlySet<string> = new Set([
  'date',
  'server',
  'x-ca-debug-info',
  'x-ca-error-code',
  'x-ca-error-message',
  'x-ca-request-id',
  'x-yunmen-why',
]);

function relayedHeaders(given: readonly string[]): string[] {
  const headers: string[] = [];
  for (let i = 0; i + 1 < given.length; i += 2) {
    const name = given[i] ?? '';
    if (!heldBack.has(name.toLowerCase())) headers.push(name, given[i + 1] ?? '');
  }
  return headers;
}

/**
 * The states: connecting → waiting (request sent) → relaying (head came) → over.
 *
 * A request is tried again, once, on a new connection, when one that had served before is closed without an answer. What is not
 * idempotent goes out a second time only if nothing of it had gone out: nobody can tell whether the backend has done it.
 *
 * Source: docs: the time-out covers the whole answer; that a closed connection is tried again. The cloud does not say for which methods.
 */
export class HttpExchange implements ExchangeListener {
  readonly #mapped: Mapped;
  readonly #origin: Origin;
  readonly #timeoutMs: number;
  readonly #settle: { resolve(answer: BackendAnswer): void; reject(error: Error): void };
  #request: OutgoingRequest | null = null;
  #connection: BackendConnection | null = null;
  #body: RelayedBody | null = null;
  #isOver = false;
  #wasRetried = false;
  #leftMs: number;
  #runningSince = 0;
  #cancelTimer = nothing;
  #forget = nothing;

  constructor(
    mapped: Mapped,
    origin: Origin,
    timeoutMs: number,
    settle: { resolve(answer: BackendAnswer): void; reject(error: Error): void },
  ) {
    this.#mapped = mapped;
    this.#origin = origin;
    this.#timeoutMs = timeoutMs;
    this.#leftMs = timeoutMs;
    this.#settle = settle;
  }

  /** `request` is made after the clock has started; its stream may hold the clock while it waits for the caller. */
  start(request: OutgoingRequest): void {
    this.#request = request;
    this.#forget = this.#mapped.request.onGone(() => this.#stop(new ClientGone()));
    if (this.#isOver) return;
    this.run();
    this.#connect(false);
  }

  /** The clock runs: it is the backend that is waited for. */
  run(): void {
    if (this.#isOver) return;
    const { clock } = this.#mapped.deps;
    this.#runningSince = clock.monotonic();
    this.#cancelTimer();
    this.#cancelTimer = clock.after(this.#leftMs, () => this.#timeOut());
  }

  /** The clock stands: it is the caller's body that is waited for. */
  hold(): void {
    if (this.#isOver) return;
    this.#cancelTimer();
    this.#leftMs = Math.max(1, this.#leftMs - (this.#mapped.deps.clock.monotonic() - this.#runningSince));
  }

  #connect(isFresh: boolean): void {
    const { pool } = this.#mapped.deps.backends;
    const found = pool.acquire(this.#origin, this.#timeoutMs, isFresh);
    if (!(found instanceof Promise)) {
      if (this.#request?.isIdempotent === true || !pool.hasRested(found)) this.#send(found);
      else afterRead(() => this.#sendIfOpen(found));
      return;
    }
    found.then(
      (connection) => {
        if (this.#isOver) pool.putBack(connection);
        else this.#send(connection);
      },
      (error: unknown) => this.failed(error instanceof Error ? error : new Error(String(error)), false),
    );
  }

  /** The backend may have closed it while it rested, which is read by now. */
  #sendIfOpen(connection: BackendConnection): void {
    if (this.#isOver) this.#mapped.deps.backends.pool.putBack(connection);
    else if (connection.isOpen) this.#send(connection);
    else this.#connect(true);
  }

  #send(connection: BackendConnection): void {
    if (this.#request === null) throw new Error('an exchange was not started');
    this.#connection = connection;
    connection.send(this.#request, this);
  }

  head(head: ResponseHead): void {
    const connection = this.#connection;
    if (connection === null) return;
    this.#body = new RelayedBody(
      {
        pause: () => connection.pause(),
        resume: () => connection.resume(),
        cancel: () => this.#stop(new ClientGone()),
      },
      head.framing.kind === 'length' ? head.framing.bytes : null,
    );
    this.#settle.resolve({
      status: head.status,
      headers: relayedHeaders(head.headers),
      body: this.#body,
      announcedBytes: head.announcedBytes,
    });
  }

  data(chunk: Buffer): void {
    this.#body?.push(chunk);
  }

  end(): void {
    this.#finish();
    this.#body?.end();
  }

  failed(error: Error, mayRetry: boolean): void {
    if (this.#isOver) return;
    this.#connection = null;
    if (mayRetry && !this.#wasRetried && this.#request?.body.kind === 'whole' && this.#request.isIdempotent) {
      this.#wasRetried = true;
      this.#connect(true);
      return;
    }
    this.#fail(wordFault(error, this.#origin.host));
  }

  #timeOut(): void {
    const error = timedOut(this.#timeoutMs, this.#body?.isHeldBack ?? false);
    // An answer that began is out of reply.ts's sight.
    if (this.#body !== null && !this.#body.isHeldBack) {
      this.#mapped.deps.backends.breakers.timedOut(breakerKey(this.#mapped));
    }
    this.#stop(error);
  }

  /** Ends it from our side; the connection goes with it, because the backend is in the middle of something. */
  #stop(error: Error): void {
    if (this.#isOver) return;
    this.#connection?.destroy();
    this.#fail(error);
  }

  #fail(error: Error): void {
    this.#finish();
    if (this.#body === null) this.#settle.reject(error);
    else this.#body.fail(error);
  }

  #finish(): void {
    this.#isOver = true;
    this.#cancelTimer();
    this.#forget();
  }
}
