// The road to a custom runtime's server: HTTP as the cloud defines it. Opened by open-road.ts.
import { Agent } from 'node:http';
import { type CommonFacts, instanceHeaders, requestHeaders } from '../../wire/common-headers.ts';
import type { FrameCredentials, FrameHeads, HookName } from '../../wire/frames.ts';
import { Endpoint } from './endpoint.ts';
import type { Answer, Question } from './exchange.ts';
import type { Asking, Road, RoadDeps, RoadEvents } from './road.ts';
import { type RoadPlan, serverSocketName } from './road-plan.ts';
import { connectServer, type ServerAddress, whenListening } from './server-address.ts';
import { callServer, type ServerAnswer, type ServerRequest } from './server-call.ts';
import { watchHealth, whenHealthy } from './server-health.ts';
import type { StartPlan } from './start-plan.ts';

/** What it knows of its function. */
type Adopted = {
  readonly http: Extract<RoadPlan, { kind: 'http' }>;
  readonly address: ServerAddress;
  readonly headers: readonly string[];
  readonly concurrency: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly release: () => void;
};

/** What a request of the platform says of itself. */
type About = Pick<FrameHeads['invoke'], 'requestId' | 'deadline' | 'retryCount' | 'span'>;

/** Source: docs. */
const hookRequests = {
  initialize: { method: 'POST', target: '/initialize' },
  preFreeze: { method: 'GET', target: '/pre-freeze' },
  preStop: { method: 'GET', target: '/pre-stop' },
} as const satisfies Record<HookName, { method: string; target: string }>;

const noBytes = Buffer.alloc(0);
/** Into the output of a function that would not start in the cloud. */
const onlyHere = Buffer.from('yunmen: this server listens on 127.0.0.1 alone; the cloud demands 0.0.0.0\n');
/** What of a caller's request is of one connection only, or the platform's own. */
const notForwarded =
  /^(connection|keep-alive|proxy-connection|transfer-encoding|content-length|upgrade|expect|te|trailer|x-fc-.*)$/i;
const idleConnections = 256;

export class HttpRoad implements Road {
  readonly ahead = null;
  readonly #endpoint: Endpoint;
  readonly #events: RoadEvents;
  readonly #deps: RoadDeps;
  #function: Adopted | null = null;
  #credentials: FrameCredentials | null = null;
  #agent: Agent;
  /** Requests under way. */
  #running = 0;
  #isClosed = false;
  /** Ends the watch over its health; null: there is none now. */
  #endWatch: (() => void) | null = null;

  private constructor(endpoint: Endpoint, deps: RoadDeps, events: RoadEvents) {
    this.#endpoint = endpoint;
    this.#deps = deps;
    this.#events = events;
    this.#agent = this.#connections();
  }

  /** Errors: as Endpoint.open(). */
  static async open(socketDirectory: string, deps: RoadDeps, events: RoadEvents): Promise<HttpRoad> {
    return new HttpRoad(await Endpoint.openOutput(socketDirectory, events), deps, events);
  }

  /** Errors: rejects when no port is free. */
  async adopt({ road: http, launch, load: { context }, concurrency, preStop, preFreeze }: StartPlan): Promise<void> {
    if (http.kind !== 'http') throw new Error('a road to servers cannot lead to a function without one');
    const { ports } = this.#deps;
    const port = http.isRelayed ? http.port : await ports.claim(http.port);
    const facts: CommonFacts = {
      context,
      instanceId: launch.instanceId,
      preStop: preStop?.handler ?? '',
      preFreeze: preFreeze?.handler ?? '',
    };
    this.#credentials = context.credentials;
    this.#function = {
      http,
      address: http.isRelayed
        ? { kind: 'relay', path: `${launch.socketDirectory}/${serverSocketName}` }
        : { kind: 'loopback', port },
      headers: instanceHeaders(facts),
      concurrency,
      environment: { FC_SERVER_PORT: String(port), FC_CUSTOM_LISTEN_PORT: String(port) },
      release: http.isRelayed ? () => {} : () => ports.release(port),
    };
    if (this.#isClosed) this.#function.release();
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#adopted.environment;
  }

  get #adopted(): Adopted {
    if (this.#function === null) throw new Error('a road was used that leads to no function');
    return this.#function;
  }

  started(): void {
    this.#events.onReady();
  }

  trust(): boolean {
    return false; // it is ready as soon as it is started
  }

  ask(question: Question, onAnswer: (answer: Answer) => void): Asking {
    switch (question.type) {
      case 'load': {
        const loaded = () => onAnswer({ kind: 'end', rssKb: 0, body: noBytes, http: null });
        return { cancel: this.#whenServing(loaded) };
      }
      case 'hook': {
        const { hook, requestId } = question.head;
        const { method, target } = hookRequests[hook];
        const request = this.#own(method, target, { requestId, deadline: 0 }, noBytes);
        return this.#call(request, null, (answer) => onAnswer(judgeHook(answer)));
      }
      case 'invoke': {
        const { head, event, http, sink } = question;
        this.#watch();
        this.#credentials = head.credentials ?? this.#credentials;
        if (http === null) {
          const request = this.#own('POST', '/invoke', head, event);
          return this.#serve(request, null, (answer) => onAnswer(judgeEvent(answer)));
        }
        const headers = [...forwarded(http.headers, http.host), ...this.#common('/http-invoke', head, http.clientIp)];
        if (http.basePath !== null) headers.push('x-fc-base-path', http.basePath);
        const request = { method: http.method, target: http.requestUri, headers, body: event };
        return this.#serve(request, sink, (answer) => onAnswer(judgeHttp(answer)));
      }
    }
  }

  /** The server may close idle connections while nothing here looks: after a rest there are new ones. */
  rest(): void {
    this.#unwatch();
    this.#agent.destroy();
    this.#agent = this.#connections();
  }

  close(): void {
    this.#unwatch();
    this.#agent.destroy();
    this.#endpoint.close();
    if (!this.#isClosed) this.#function?.release();
    this.#isClosed = true;
  }

  #whenServing(onServing: () => void): () => void {
    const { clock } = this.#deps;
    let cancel = whenListening(this.#adopted.address, clock, (on) => {
      if (on === 'loopback') this.#events.onOutput(onlyHere);
      const { healthCheck } = this.#adopted.http;
      if (healthCheck === null) return onServing();
      cancel = whenHealthy(healthCheck, { agent: this.#agent, clock }, () => {
        this.#watch();
        onServing();
      });
    });
    return () => cancel();
  }

  /** Until it rests: what stands still cannot answer. */
  #watch(): void {
    const { http, concurrency } = this.#adopted;
    const { healthCheck } = http;
    if (healthCheck === null || this.#endWatch !== null) return;
    const mayAsk = () => concurrency > 1 || this.#running === 0;
    const how = { agent: () => this.#agent, clock: this.#deps.clock, mayAsk };
    this.#endWatch = watchHealth(healthCheck, how, (why) => this.#events.onUnwell(why));
  }

  #unwatch(): void {
    this.#endWatch?.();
    this.#endWatch = null;
  }

  /** A caller's request. */
  #serve(
    request: ServerRequest,
    sink: Extract<Question, { type: 'invoke' }>['sink'],
    onAnswer: (answer: ServerAnswer) => void,
  ): Asking {
    let isUnderWay = true;
    const end = () => {
      if (isUnderWay) this.#running -= 1;
      isUnderWay = false;
    };
    this.#running += 1;
    const asking = this.#call(request, sink, (answer) => {
      end();
      onAnswer(answer);
    });
    return {
      cancel() {
        end();
        asking.cancel();
      },
    };
  }

  #call(
    request: ServerRequest,
    sink: Extract<Question, { type: 'invoke' }>['sink'],
    onAnswer: (answer: ServerAnswer) => void,
  ): Asking {
    return callServer(
      request,
      { agent: this.#agent, bodyLimitBytes: this.#deps.limits.invocationBytes, sink },
      onAnswer,
    );
  }

  /** A request of the platform's own. */
  #own(method: string, target: string, about: About, body: Buffer): ServerRequest {
    const headers = ['Host', 'localhost', 'Content-Type', 'application/octet-stream', ...this.#common(target, about)];
    return { method, target, headers, body };
  }

  #common(controlPath: string, about: About, clientIp: string | null = null): readonly string[] {
    const { requestId, deadline, retryCount = 0, span = null } = about;
    const credentials = this.#credentials;
    const request = requestHeaders({ requestId, deadline, retryCount, credentials, span, clientIp });
    return [...this.#adopted.headers, ...request, 'x-fc-control-path', controlPath];
  }

  #connections(): Agent {
    const agent = new Agent({ keepAlive: true, maxFreeSockets: idleConnections });
    agent.createConnection = () => connectServer(this.#adopted.address);
    return agent;
  }
}

/** As the caller sent them, `Host` once. */
function forwarded(headers: readonly string[], host: string): string[] {
  const kept = ['Host', host];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [name = '', value = ''] = [headers[at], headers[at + 1]];
    if (!notForwarded.test(name) && name.toLowerCase() !== 'host') kept.push(name, value);
  }
  return kept;
}

type Failed = Exclude<ServerAnswer, { kind: 'answer' }>;

function failed(answer: Failed): Answer {
  return answer.kind === 'broken' ? { kind: 'lost' } : answer;
}

/** `x-fc-status`, when the server says one. */
function statedStatus(headers: readonly string[]): number | null {
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() === 'x-fc-status') return Number(headers[at + 1]);
  }
  return null;
}

function functionError(body: Buffer): Answer {
  return { kind: 'error', type: 'UnhandledInvocationError', rssKb: 0, willExit: false, body };
}

/** Status and headers mean nothing, unless `x-fc-status` says 404. Source: docs. */
function judgeEvent(answer: ServerAnswer): Answer {
  if (answer.kind !== 'answer') return failed(answer);
  if (statedStatus(answer.headers) === 404) return functionError(answer.body);
  return { kind: 'end', rssKb: 0, body: answer.body, http: null };
}

/** Source: docs: 2xx is success, 404 in either place failure. */
function judgeHook(answer: ServerAnswer): Answer {
  if (answer.kind !== 'answer') return failed(answer);
  const { status, body } = answer;
  const isGood = status < 300 && statedStatus(answer.headers) !== 404;
  if (isGood) return { kind: 'end', rssKb: 0, body, http: null };
  const text = `the server answered the hook with status ${status}`;
  return functionError(body.length > 0 ? body : Buffer.from(JSON.stringify({ errorMessage: text })));
}

/** Whatever the server answers is the answer. */
function judgeHttp(answer: ServerAnswer): Answer {
  if (answer.kind !== 'answer') return failed(answer);
  const { status, headers, body } = answer;
  return { kind: 'end', rssKb: 0, body, http: { status, headers } };
}
