// What the room's tests share: definitions with defaults, request values, a fake clock and a gateway on them.
import { generateKeyPairSync } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { ClaimNonce } from '../base/nonce-store.ts';
import { type CountCall, createWindowCounters } from '../base/window-counters.ts';
import type { ApiDefinition, StageName } from '../model/api.ts';
import { authDefaults, listDefaults, parameterDefaults, requestDefaults } from '../model/api-defaults.ts';
import type { PauseOf } from '../model/debugging.ts';
import type { InvocationOutcome, InvokeFunction, InvokeRequest } from '../model/invocation.ts';
import type { Change, PublishedGroup } from '../model/published.ts';
import type { Failure } from '../model/record.ts';
import { type SigningInput, signRequest } from '../wire/gateway-signature.ts';
import { issueLeaf } from '../wire/x509.ts';
import type { GatewayRequest } from './context.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { bodyOf } from './request-body.ts';
import { defaultGatewaySettings, type GatewaySettings } from './settings.ts';

export const groupId = '0123456789abcdef0123456789abcdef';
export const app = { appId: 110, appName: 'caller', key: '203753385', secret: 'MOCKSECRET0123456789abcdef01234567' };
export const startedAt = 1_525_872_629_832;

export function definition(parts: {
  request?: Partial<ApiDefinition['request']>;
  auth?: Partial<ApiDefinition['auth']>;
  rest?: Partial<Omit<ApiDefinition, 'request' | 'auth'>>;
}): ApiDefinition {
  return {
    apiName: 'testadd',
    auth: {
      ...authDefaults,
      type: 'ANONYMOUS',
      ...parts.auth,
    },
    request: {
      ...requestDefaults,
      method: 'GET',
      path: '/a',
      bodyFormat: 'FORM',
      ...parts.request,
    },
    ...listDefaults,
    backend: {
      kind: 'function-event',
      target: { serviceName: 'demo', functionName: 'add', qualifier: null },
      regionId: 'cn-hangzhou',
      roleArn: null,
      timeoutMs: 10_000,
      contentType: { category: 'DEFAULT', value: null },
    },
    ...parts.rest,
  };
}

type ParameterParts = Partial<ApiDefinition['parameters'][number]> & Pick<ApiDefinition['parameters'][number], 'name'>;

/** A declared parameter: an optional String in the query unless said otherwise. */
export function parameter(parts: ParameterParts): ApiDefinition['parameters'][number] {
  return { ...parameterDefaults, ...parts };
}

export function constantHeader(serviceName: string, value: string): ApiDefinition['constants'][number] {
  return { serviceName, value, location: 'HEAD', description: '' };
}

export function group(parts: Partial<PublishedGroup> = {}): Change {
  const id = parts.groupId ?? groupId;
  return {
    kind: 'group',
    key: id,
    value: {
      groupId: id,
      regionId: 'cn-hangzhou',
      subDomain: `${id}-cn-hangzhou.alicloudapi.com`,
      basePath: '/',
      domains: [],
      isClassic: false,
      ...parts,
    },
  };
}

export function api(apiId: string, value: ApiDefinition, stage: StageName = 'RELEASE', inGroup = groupId): Change {
  return { kind: 'api', key: `${apiId}/${stage}`, value: { apiId, groupId: inGroup, stage, definition: value } };
}

/** A certificate of an owner's for a host, signed by nobody that a client knows. */
export function certificate(host: string): Change {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const dayMs = 24 * 60 * 60 * 1000;
  const [from, until] = [Date.now() - dayMs, Date.now() + dayMs];
  const chain = issueLeaf({ hosts: [host], key: publicKey, issuer: 'own', issuerKey: privateKey, from, until });
  const value = { host, chain, privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) };
  return { kind: 'certificate', key: host, value };
}

export const theApp: Change = {
  kind: 'app',
  key: String(app.appId),
  value: { appId: app.appId, appName: app.appName, keys: [{ key: app.key, secret: app.secret }] },
};

export function grant(apiId: string, stage: StageName = 'RELEASE', expiresAt: number | null = null): Change {
  return {
    kind: 'grant',
    key: `${app.appId}/${apiId}/${stage}`,
    value: { appId: app.appId, apiId, stage, expiresAt },
  };
}

/** A request value; headers by name, body as text or bytes. */
export function request(parts: {
  method?: string;
  target?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Buffer;
  isTls?: boolean;
  peerAddress?: string;
  onGone?: GatewayRequest['onGone'];
}): GatewayRequest {
  const headers = { Host: `${groupId}.localhost`, ...parts.headers };
  return {
    method: parts.method ?? 'GET',
    target: parts.target ?? '/a',
    rawHeaders: Object.entries(headers).flatMap(([name, value]) => [name, Buffer.from(value).toString('latin1')]),
    peerAddress: parts.peerAddress ?? '198.51.100.7',
    isTls: parts.isTls ?? false,
    body: bodyOf(Buffer.from(parts.body ?? '')),
    holdAnswer: () => true,
    onGone: parts.onGone ?? (() => () => {}),
  };
}

/** A request signed by `app`. */
export function signedRequest(parts: Partial<SigningInput> & { readonly text?: string } = {}): GatewayRequest {
  const input = { method: 'GET', target: '/a', headers: {}, appKey: app.key, appSecret: app.secret, ...parts };
  const body = parts.body ?? Buffer.from(parts.text ?? '');
  return request({
    method: input.method,
    target: input.target,
    headers: signRequest({ ...input, body }).headers,
    body,
  });
}

/** An invocation that returned `value`. */
export function returned(value: unknown): InvocationOutcome {
  return { kind: 'success', body: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), ...facts };
}

export const facts = {
  instanceId: 'i',
  durationMs: 1,
  maxMemoryMb: 9,
  codeChecksum: '1',
  versionId: 'LATEST',
  logTail: null,
  coldStart: null,
  runtimeNote: null,
};

/** A clock that stands still until it is told otherwise; timers run when their time is reached. */
export class FakeClock implements Clock {
  #now = startedAt;
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>();

  now(): number {
    return this.#now;
  }
  monotonic(): number {
    return this.#now;
  }
  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#now + delayMs, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }
  get pending(): number {
    return this.#timers.size;
  }
  advance(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now || !this.#timers.delete(timer)) continue;
      timer.run();
    }
  }
}

export type Answer = {
  readonly status: number;
  /** By lower-case name, bytes read as UTF-8. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly failure: Failure | null;
};

export type Bench = {
  readonly gateway: Gateway;
  readonly clock: FakeClock;
  readonly invoked: InvokeRequest[];
  readonly bugs: unknown[];
  send(request: GatewayRequest): Promise<Answer>;
  /** The event of the last invocation, parsed. */
  event(): Record<string, unknown>;
};

/** A gateway with the changes published, whose functions answer with `invoke`. */
export function open(
  changes: readonly Change[],
  options: {
    invoke?: InvokeFunction;
    settings?: Partial<GatewaySettings>;
    count?: CountCall;
    claimNonce?: ClaimNonce;
    pauseOf?: PauseOf;
  } = {},
): Bench {
  const clock = new FakeClock();
  const invoked: InvokeRequest[] = [];
  const bugs: unknown[] = [];
  const nonces = new Set<string>();
  const invoke = options.invoke ?? (async () => returned({ statusCode: 200, body: 'ok' }));
  const gateway = createGateway({
    clock,
    invoke: (call, signal) => {
      invoked.push(call);
      return invoke(call, signal);
    },
    ...(options.pauseOf === undefined ? {} : { pauseOf: options.pauseOf }),
    claimNonce:
      options.claimNonce ??
      ((key, nonce) => {
        const isNew = !nonces.has(`${key} ${nonce}`);
        nonces.add(`${key} ${nonce}`);
        return isNew;
      }),
    count: options.count ?? createWindowCounters(10_000).count,
    report: () => {},
    reportBug: (error) => bugs.push(error),
    settings: { ...defaultGatewaySettings, ...options.settings },
  });
  void gateway.apply({ version: 1, changes }); // In force at once: there are few.
  return {
    gateway,
    clock,
    invoked,
    bugs,
    send: async (value) => {
      const { reply, record } = await gateway.run(value);
      const headers: Record<string, string> = {};
      for (let i = 0; i < (reply?.headers.length ?? 0); i += 2) {
        const name = reply?.headers[i]?.toLowerCase() ?? '';
        headers[name] = Buffer.from(reply?.headers[i + 1] ?? '', 'latin1').toString('utf8');
      }
      return { status: record.status, headers, body: String(reply?.body ?? ''), failure: record.failure };
    },
    event: () => JSON.parse(invoked.at(-1)?.event.toString('utf8') ?? '{}') as Record<string, unknown>,
  };
}
