// The road to a program that polls: the runtime API of 2020-11-11, one HTTP server for each instance. Opened by open-road.ts.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpHandlerHead } from '../../model/http-handler.ts';
import { instanceHeaders, requestHeaders } from '../../wire/common-headers.ts';
import type { FrameCredentials, HookName } from '../../wire/frames.ts';
import { readHttpAnswerParams, readHttpHead, writeHttpParams } from '../../wire/http-params.ts';
import { Endpoint } from './endpoint.ts';
import type { Answer, Question } from './exchange.ts';
import type { Asking, Road, RoadDeps, RoadEvents } from './road.ts';
import { apiPort, apiSocketName } from './road-plan.ts';
import type { StartPlan } from './start-plan.ts';

/** `x-fc-function-type`. Source: sdk (fc-runtime-go-sdk, function.go). */
const functionTypes = { handler: 0, initialize: 1, preStop: 2, preFreeze: 3 } as const satisfies Record<
  HookName | 'handler',
  number
>;
const apiPath = '/2020-11-11/runtime/';
/** Polls that may wait at once: a program has one, or one for each of its threads. */
const waitingPolls = 64;
/** Of a request with the head of an HTTP answer in it, base64. */
const headLimitBytes = 128 * 1024;
const noBytes = Buffer.alloc(0);
const ofHooks = { deadline: 0, retryCount: 0, span: null, clientIp: null };

/** Something that was asked and is not answered. */
type Open = {
  readonly requestId: string;
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly isHttp: boolean;
  readonly onAnswer: (answer: Answer) => void;
};

type Around = { readonly deps: RoadDeps; readonly events: RoadEvents };

/**
 * On the host's network it is reached by nobody but those that know its secret, which stands in the address that the
 * program is given: clients put the API's paths behind it. In a network of its own nobody else can come.
 */
export class RuntimeApiRoad implements Road {
  readonly ahead = null;
  readonly #events: RoadEvents;
  readonly #endpoint: Endpoint;
  readonly #server: Server;
  readonly #isRelayed: boolean;
  readonly #secret: Buffer;
  readonly #bodyLimitBytes: number;
  #headers: readonly string[] = [];
  readonly #polls = new Set<ServerResponse>();
  /** Asked and not fetched, oldest first; then in #open alone. Both bounded by the requests that an instance takes at once. */
  readonly #queue: Open[] = [];
  readonly #open = new Map<string, Open>();
  #credentials: FrameCredentials | null = null;
  /** Waits for the first poll. */
  #onFirstPoll: ((answer: Answer) => void) | null = null;
  #hasPolled = false;

  private constructor(endpoint: Endpoint, isRelayed: boolean, { deps, events }: Around) {
    this.#events = events;
    this.#endpoint = endpoint;
    this.#isRelayed = isRelayed;
    this.#secret = Buffer.from(isRelayed ? '' : `/${randomBytes(16).toString('hex')}`);
    this.#bodyLimitBytes = deps.limits.invocationBytes;
    this.#server = createServer({ keepAliveTimeout: 0, maxHeaderSize: headLimitBytes }, (request, response) =>
      this.#receive(request, response),
    );
  }

  /** Errors: rejects when it cannot listen; nothing is left behind then. */
  static async open(
    socketDirectory: string,
    { isRelayed }: { readonly isRelayed: boolean },
    around: Around,
  ): Promise<RuntimeApiRoad> {
    const endpoint = await Endpoint.openOutput(socketDirectory, around.events);
    const road = new RuntimeApiRoad(endpoint, isRelayed, around);
    const where = isRelayed ? { path: `${socketDirectory}/${apiSocketName}` } : { port: 0, host: '127.0.0.1' };
    try {
      await new Promise<void>((resolve, reject) => {
        road.#server.once('error', reject);
        road.#server.listen(where, resolve);
      });
      return road;
    } catch (error) {
      endpoint.close();
      throw error;
    }
  }

  async adopt({ launch, load: { context }, preStop, preFreeze }: StartPlan): Promise<void> {
    this.#credentials = context.credentials;
    this.#headers = instanceHeaders({
      context,
      instanceId: launch.instanceId,
      preStop: preStop?.handler ?? '',
      preFreeze: preFreeze?.handler ?? '',
    });
  }

  get environment(): Readonly<Record<string, string>> {
    if (this.#isRelayed) return { FC_RUNTIME_API: `127.0.0.1:${apiPort}` };
    const { port } = this.#server.address() as AddressInfo;
    return { FC_RUNTIME_API: `127.0.0.1:${port}${this.#secret.toString()}` };
  }

  started(): void {
    this.#events.onReady();
  }

  trust(): boolean {
    return false; // it is ready as soon as it is started
  }

  ask(question: Question, onAnswer: (answer: Answer) => void): Asking {
    if (question.type === 'load') {
      this.#onFirstPoll = onAnswer;
      if (this.#hasPolled) queueMicrotask(() => this.#loaded());
      return { cancel: () => this.#forgetLoad(onAnswer) };
    }
    const asked = this.#openOf(question, onAnswer);
    this.#open.set(asked.requestId, asked);
    this.#queue.push(asked);
    queueMicrotask(() => this.#handOut());
    return {
      cancel: () => {
        if (this.#open.get(asked.requestId) === asked) this.#open.delete(asked.requestId);
        const at = this.#queue.indexOf(asked);
        if (at >= 0) this.#queue.splice(at, 1);
      },
    };
  }

  rest(): void {}

  close(): void {
    this.#open.clear();
    this.#queue.length = 0;
    this.#server.close();
    this.#server.closeAllConnections();
    this.#endpoint.close();
  }

  #forgetLoad(onAnswer: (answer: Answer) => void): void {
    if (this.#onFirstPoll === onAnswer) this.#onFirstPoll = null;
  }

  #openOf(question: Exclude<Question, { type: 'load' }>, onAnswer: (answer: Answer) => void): Open {
    if (question.type === 'hook') {
      const { hook, requestId } = question.head;
      const about = { ...ofHooks, requestId, credentials: this.#credentials };
      const headers = [...requestHeaders(about), 'x-fc-function-type', String(functionTypes[hook])];
      return { requestId, headers, body: noBytes, isHttp: false, onAnswer };
    }
    const { head, event, http } = question;
    const { requestId, deadline, retryCount = 0, span = null } = head;
    this.#credentials = head.credentials ?? this.#credentials;
    const clientIp = http?.clientIp ?? null;
    const about = { requestId, deadline, retryCount, span, clientIp, credentials: this.#credentials };
    const headers = [...requestHeaders(about), 'x-fc-function-type', String(functionTypes.handler)];
    if (http !== null) {
      const params = Buffer.from(JSON.stringify(writeHttpParams(http))).toString('base64');
      headers.push('x-fc-http-params', params);
    }
    return { requestId, headers, body: event, isHttp: http !== null, onAnswer };
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const path = this.#ownPath(request.url ?? '');
    const posted = path === null ? null : /^invocation\/([^/]+)\/(response|error)$/.exec(path);
    if (path === 'invocation/next' && request.method === 'GET') this.#poll(response);
    else if (path === 'init/error' && request.method === 'POST') {
      void this.#read(request, response, (body) => this.#failLoad(body));
    } else if (posted !== null && request.method === 'POST') {
      const [, requestId = '', what] = posted;
      void this.#read(request, response, (body) => this.#answer(requestId, what === 'error', { request, body }));
    } else {
      if (path === null) this.#events.onSuspicion('a call of its runtime API without its secret was refused');
      request.resume();
      response.writeHead(404).end();
    }
  }

  /** The part of the path behind the secret and the API's version; null for who does not know the secret. */
  #ownPath(url: string): string | null {
    const given = Buffer.from(url.slice(0, this.#secret.length));
    if (given.length !== this.#secret.length || !timingSafeEqual(given, this.#secret)) return null;
    const path = url.slice(this.#secret.length);
    return path.startsWith(apiPath) ? path.slice(apiPath.length) : '';
  }

  #poll(response: ServerResponse): void {
    this.#hasPolled = true;
    this.#loaded();
    if (this.#polls.size >= waitingPolls) {
      response.writeHead(429).end();
      return;
    }
    this.#polls.add(response);
    response.on('close', () => this.#polls.delete(response));
    this.#handOut();
  }

  #loaded(): void {
    const onAnswer = this.#onFirstPoll;
    this.#onFirstPoll = null;
    onAnswer?.({ kind: 'end', rssKb: 0, body: noBytes, http: null });
  }

  #failLoad(body: Buffer): void {
    const onAnswer = this.#onFirstPoll;
    this.#onFirstPoll = null;
    onAnswer?.({ kind: 'error', type: 'UnhandledInvocationError', rssKb: 0, willExit: true, body });
  }

  #handOut(): void {
    while (this.#queue.length > 0) {
      const [poll] = this.#polls;
      if (poll === undefined) return;
      this.#polls.delete(poll);
      const next = this.#queue.shift();
      if (next === undefined) return;
      const { headers, body } = next;
      const own = ['Content-Type', 'application/octet-stream', 'Content-Length', String(body.length)];
      poll.writeHead(200, [...this.#headers, ...headers, ...own]);
      poll.end(body);
    }
  }

  #answer(
    requestId: string,
    isError: boolean,
    { request, body }: { readonly request: IncomingMessage; readonly body: Buffer },
  ): void {
    const open = this.#open.get(requestId);
    if (open === undefined) return; // its time is over, or its caller has gone
    this.#open.delete(requestId);
    if (isError) {
      open.onAnswer({ kind: 'error', type: 'UnhandledInvocationError', rssKb: 0, willExit: false, body });
      return;
    }
    if (!open.isHttp) {
      open.onAnswer({ kind: 'end', rssKb: 0, body, http: null });
      return;
    }
    const head = readHead(request.headers['x-fc-http-params']);
    if (typeof head === 'string') open.onAnswer({ kind: 'bad-response', reason: head });
    else open.onAnswer({ kind: 'end', rssKb: 0, body, http: head });
  }

  /** The whole body, answered with 200 whatever becomes of it: the Go client expects exactly that. */
  async #read(request: IncomingMessage, response: ServerResponse, use: (body: Buffer) => void): Promise<void> {
    const parts: Buffer[] = [];
    let received = 0;
    try {
      for await (const part of request as AsyncIterable<Buffer>) {
        received += part.length;
        if (received <= this.#bodyLimitBytes) parts.push(part);
      }
    } catch {
      return; // it broke off: its connection or its end tells
    }
    response.writeHead(200, { 'Content-Length': '0' }).end();
    if (received > this.#bodyLimitBytes) this.#tooLarge(request.url ?? '');
    else use(Buffer.concat(parts));
  }

  #tooLarge(url: string): void {
    const requestId = /\/invocation\/([^/]+)\//.exec(url)?.[1] ?? '';
    const open = this.#open.get(requestId);
    this.#open.delete(requestId);
    open?.onAnswer({ kind: 'too-large', isWhole: false });
  }
}

/** The head of an HTTP answer, or what is wrong with it. */
function readHead(header: string | string[] | undefined): HttpHandlerHead | string {
  if (typeof header !== 'string') return 'the response has no x-fc-http-params';
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(header, 'base64').toString('utf8'));
  } catch {
    return 'the x-fc-http-params of the response are no JSON'; // SyntaxError
  }
  const params = readHttpAnswerParams(value);
  if (params === null) return 'the x-fc-http-params of the response lack status or headers';
  const read = readHttpHead(params);
  return read.ok ? read.head : read.reason;
}
