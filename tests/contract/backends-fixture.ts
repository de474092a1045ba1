// A gateway on a real listener with backends that are bare sockets, so that a test says every byte of both sides.
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { AddressGuard } from '../../src/base/address-guard.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { OutboundOptions } from '../../src/gateway/backends/backend-state.ts';
import { createGateway, type Gateway } from '../../src/gateway/gateway.ts';
import { listenerOptions } from '../../src/gateway/listener.ts';
import { defaultGatewaySettings, type GatewaySettings } from '../../src/gateway/settings.ts';
import { api, definition, group, groupId, returned } from '../../src/gateway/testing.ts';
import type { ApiDefinition, Backend } from '../../src/model/api.ts';
import type { HttpFunctions } from '../../src/model/http-function.ts';
import type { InvokeFunction } from '../../src/model/invocation.ts';
import type { Change } from '../../src/model/published.ts';
import type { RequestRecord } from '../../src/model/record.ts';

type Steps = { after(step: () => Promise<void> | void): void };

export type HttpBackend = Extract<Backend, { kind: 'http' }>;

export function httpBackend(address: string, extra: Partial<HttpBackend> = {}): HttpBackend {
  return {
    kind: 'http',
    address,
    hostHeader: null,
    path: '',
    method: 'ANY',
    timeoutMs: 5_000,
    contentType: { category: 'DEFAULT', value: null },
    ...extra,
  };
}

/** `ANY /*`, passed through, to a backend. */
export function proxyTo(backend: Backend, parts: Parameters<typeof definition>[0] = {}): ApiDefinition {
  const { request = {}, rest = {}, ...others } = parts;
  return definition({
    ...others,
    request: { method: 'ANY', path: '/*', mode: 'PASSTHROUGH', ...request },
    rest: { ...rest, backend },
  });
}

export type Running = {
  readonly gateway: Gateway;
  readonly port: number;
  readonly url: string;
  readonly records: RequestRecord[];
  readonly bugs: unknown[];
  publish(changes: readonly Change[]): Promise<void>;
  /** The record that comes next; ask before the call. */
  nextRecord(): Promise<RequestRecord>;
};

/** `apis`: by id; they are in RELEASE. Loopback is allowed unless a guard is given. */
export async function startGateway(
  t: Steps,
  apis: Readonly<Record<string, ApiDefinition>>,
  options: {
    outbound?: OutboundOptions;
    settings?: Partial<GatewaySettings>;
    invoke?: InvokeFunction;
    httpFunctions?: HttpFunctions;
  } = {},
): Promise<Running> {
  const records: RequestRecord[] = [];
  const bugs: unknown[] = [];
  const waiting: ((record: RequestRecord) => void)[] = [];
  const settings = { ...defaultGatewaySettings, ...options.settings };
  const gateway = createGateway({
    clock: systemClock,
    invoke: options.invoke ?? (async () => returned({ statusCode: 200, body: 'function' })),
    ...(options.httpFunctions === undefined ? {} : { httpFunctions: options.httpFunctions }),
    claimNonce: () => true,
    count: () => -1,
    report: (record) => {
      records.push(record);
      waiting.shift()?.(record);
    },
    reportBug: (error) => bugs.push(error),
    settings,
    outbound: { guard: new AddressGuard({ allowsLoopback: true, allowed: [] }), ...options.outbound },
  });
  let version = 0;
  const publish = async (changes: readonly Change[]) => {
    await gateway.apply({ version: ++version, changes });
  };
  await publish([group(), ...Object.entries(apis).map(([id, value]) => api(id, value))]);
  const server = createHttpServer(listenerOptions(settings), gateway.handle);
  const port = await listenOn(server);
  t.after(async () => {
    gateway.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const nextRecord = () => new Promise<RequestRecord>((resolve) => waiting.push(resolve));
  return { gateway, port, url: `http://127.0.0.1:${port}`, records, bugs, publish, nextRecord };
}

async function listenOn(server: Server, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

export type RawBackend = {
  readonly port: number;
  readonly address: string;
  /** Everything that came, one text for each connection. */
  readonly received: string[];
  readonly sockets: Socket[];
};

/** A backend that calls `onRequest` for each request head that came whole; `count` counts requests on one connection from 1. */
export async function startRawBackend(
  t: Steps,
  onRequest: (socket: Socket, head: string, count: number) => void,
): Promise<RawBackend> {
  const received: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const index = received.push('') - 1;
    sockets.push(socket);
    let pending = '';
    let count = 0;
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      received[index] += chunk.toString('latin1');
      pending += chunk.toString('latin1');
      for (let end = pending.indexOf('\r\n\r\n'); end !== -1; end = pending.indexOf('\r\n\r\n')) {
        const head = pending.slice(0, end);
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (pending.length < end + 4 + length) return;
        pending = pending.slice(end + 4 + length);
        onRequest(socket, head, ++count);
      }
    });
  });
  const port = await listenOn(server);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port, address: `http://127.0.0.1:${port}`, received, sockets };
}

/** Resolves when the connection is closed. */
export async function closed(socket: Socket | undefined): Promise<void> {
  if (socket !== undefined && !socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

/** Answers every request with `text`. */
export function answering(text: string): (socket: Socket) => void {
  return (socket) => void socket.write(text, 'latin1');
}

/** A whole answer with a body. */
export function ok(body: string, headers = ''): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}

/** Writes `text` to the gateway and gives all that comes back until it ends the connection. */
export function rawExchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.write(text, 'latin1');
  });
}

/** A request head to the group, that ends the connection after the answer. */
export function head(method: string, target: string, headers: readonly string[] = []): string {
  return [`${method} ${target} HTTP/1.1`, `Host: ${groupId}.localhost`, 'Connection: close', ...headers, '', ''].join(
    '\r\n',
  );
}

export type Answer = { readonly status: number; readonly headers: Headers; readonly text: string };

/** One call by fetch, which follows nothing. */
export async function call(running: Running, target: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(running.url + target, { redirect: 'manual', ...init });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}
