// The road to a custom runtime's server: HTTP as the cloud defines it. Opened by open-road.ts.
import { Agent } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { type CommonFacts, instanceHeaders, requestHeaders } from '../../wire/common-headers.ts';
import type { FrameCredentials, FrameHeads, HookName } from '../../wire/frames.ts';
import { Endpoint } from './endpoint.ts';
import type { Answer, Question } from './exchange.ts';
import { type Asking, type Road, type RoadDeps, type RoadEvents, type RoadPlan, serverSocketName } from './road.ts';
import { connectServer, type ServerAddress, whenListening } from './server-address.ts';
import { callServer, type ServerAnswer, type ServerRequest } from './server-call.ts';
import { watchHealth, whenHealthy } from './server-health.ts';
import type { StartPlan } from './start-plan.ts';

type HttpPlan = Extract<RoadPlan, { kind: 'http' }>;

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
  readonly environment: Readonly<Record<string, string>>;
  readonly #address: ServerAddress;
  readonly #plan: HttpPlan;
  readonly #endpoint: Endpoint;
  readonly #events: RoadEvents;
  readonly #clock: Clock;
  readonly #resultLimitBytes: number;
  readonly #facts: CommonFacts;
  readonly #headers: readonly string[];
  readonly #release: () => void;
  #credentials: FrameCredentials | null;
  #agent: Agent;
  /** Requests under way, and how many there may be. */
  #running = 0;
  readonly #concurrency: number;
  /** Ends the watch over its health; null: there is none now. */
  #endWatch: (() => void) | null = null;

  private constructor(
    plan: StartPlan,
    how: {
      readonly http: HttpPlan;
      readonly deps: RoadDeps;
      readonly events: RoadEvents;
      readonly endpoint: Endpoint;
      readonly port: number;
    },
  ) {
    const { http, deps, events, endpoint, port } = how;
    this.environment = { FC_SERVER_PORT: String(port), FC_CUSTOM_LISTEN_PORT: String(port) };
    this.#address = http.isRelayed
      ? { kind: 'relay', path: `${plan.launch.socketDirectory}/${serverSocketName}` }
      : { kind: 'loopback', port };
    this.#plan = http;
    this.#concurrency = plan.concurrency;
    this.#endpoint = endpoint;
    this.#events = events;
    this.#clock = deps.clock;
    this.#resultLimitBytes = deps.limits.invocationBytes;
    const { context } = plan.load;
    this.#facts = {
      context,
      instanceId: plan.launch.instanceId,
      preStop: plan.preStop?.handler ?? '',
      preFreeze: plan.preFreeze?.handler ?? '',
    };
    this.#headers = instanceHeaders(this.#facts);
    this.#credentials = context.credentials;
    this.#release = http.isRelayed ? () => {} : () => deps.ports.release(port);
    this.#agent = this.#connections();
  }

  /** Errors: rejects when no port is free, or as Endpoint.open(). */
  static async open(plan: StartPlan, http: HttpPlan, deps: RoadDeps, events: RoadEvents): Promise<HttpRoad> {
    const port = http.isRelayed ? http.port : await deps.ports.claim(http.port);
    try {
      const endpoint = await Endpoint.openOutput(plan.launch.socketDirectory, events);
      return new HttpRoad(plan, { http, deps, events, endpoint, port });
    } catch (error) {
      if (!http.isRelayed) deps.ports.release(port);
      throw error;
    }
  }

  started(): void {
    this.#events.onReady();
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
    this.#release();
  }

  #whenServing(onServing: () => void): () => void {
    let cancel = whenListening(this.#address, this.#clock, (on) => {
      if (on === 'loopback') this.#events.onOutput(onlyHere);
      const { healthCheck } = this.#plan;
      if (healthCheck === null) return onServing();
      cancel = whenHealthy(healthCheck, { agent: this.#agent, clock: this.#clock }, () => {
        this.#watch();
        onServing();
      });
    });
    return () => cancel();
  }

  /** Until it rests: what stands still cannot answer. */
  #watch(): void {
    const { healthCheck } = this.#plan;
    if (healthCheck === null || this.#endWatch !== null) return;
    const mayAsk = () => this.#concurrency > 1 || this.#running === 0;
    const how = { agent: () => this.#agent, clock: this.#clock, mayAsk };
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
    return callServer(request, { agent: this.#agent, bodyLimitBytes: this.#resultLimitBytes, sink }, onAnswer);
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
    return [...this.#headers, ...request, 'x-fc-control-path', controlPath];
  }

  #connections(): Agent {
    const agent = new Agent({ keepAlive: true, maxFreeSockets: idleConnections });
    agent.createConnection = () => connectServer(this.#address);
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
