// A command in a running instance (InstanceExec): the client's end of its WebSocket. Used by commands/exec.ts.
import { randomBytes } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { systemClock } from '../../base/clock.ts';
import { randomHex } from '../../base/ids.ts';
import { signV3 } from '../../wire/openapi-signature-v3.ts';
import { encodeRfc3986, formatQuery, type QueryPair } from '../../wire/percent-encoding.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import { encodeWebSocket, WebSocketFrames } from '../../wire/websocket.ts';
import { failed } from '../errors.ts';
import { type FunctionName, pathOf } from './functions.ts';
import { type JsonRecord, readRecords, readText } from './json.ts';
import { type ApiTarget, callFc, readAnswer } from './openapi.ts';

/** Longest message of the server, bytes. */
const messageLimitBytes = 1024 * 1024;
const channels = { input: 0, output: 1, errors: 2, wrong: 3, size: 4, close: 255 } as const;

export type ExecOrder = {
  readonly instanceId: string;
  readonly qualifier: string | null;
  readonly command: readonly string[];
  /** Null: no terminal. */
  readonly terminal: { readonly rows: number; readonly columns: number } | null;
  onOutput(bytes: Buffer): void;
  onErrors(bytes: Buffer): void;
};

export type ExecConnection = {
  /** False: wait for onDrain. */
  write(bytes: Buffer): boolean;
  onDrain(resume: () => void): void;
  endInput(): void;
  resize(size: { readonly rows: number; readonly columns: number }): void;
  /** What the server closed with. Rejects when the connection breaks. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
};

/** The ids of the instances that run, the youngest last. */
export async function listInstances(
  target: ApiTarget,
  name: FunctionName,
  qualifier: string | null,
): Promise<readonly string[]> {
  const { version, path } = pathOf(name);
  const query = { limit: '1000', ...(qualifier === null ? {} : { qualifier }) };
  const listed: JsonRecord = await callFc(target, {
    ...{ method: 'GET', version, path: `${path}/instances`, action: 'ListInstances', query },
  });
  return readRecords(listed, 'instances').flatMap((each) => readText(each, 'instanceId') ?? []);
}

/** Errors: ApiRefusal when the server refuses. */
export async function openExec(target: ApiTarget, name: FunctionName, order: ExecOrder): Promise<ExecConnection> {
  const { version, path: functionPath } = pathOf(name);
  const path = `/${version}${functionPath}/instances/${encodeRfc3986(order.instanceId)}/exec`;
  const { accessKeyId, accessKeySecret } = target;
  const query = queryOf(order);
  const url = new URL(`${path}?${formatQuery(query)}`, target.endpoint);
  const signed = signV3({
    ...{ method: 'GET', path, query, host: url.host, action: 'InstanceExec', version },
    ...{ date: formatUtcSeconds(systemClock.now()), nonce: randomHex(16), contentType: null },
    ...{ body: Buffer.alloc(0), accessKeyId, accessKeySecret },
  });
  const upgrade = {
    ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
    'sec-websocket-key': randomBytes(16).toString('base64'),
  };
  const { promise, resolve, reject } = Promise.withResolvers<ExecConnection>();
  const outgoing = request(url, { method: 'GET', headers: { ...signed, ...upgrade } });
  outgoing.on('error', reject);
  outgoing.on('response', (answer) => void refusalOf(answer).then(reject, reject));
  outgoing.on('upgrade', (_answer, socket, head) => resolve(connect(socket, head, order)));
  outgoing.end();
  return await promise;
}

function queryOf({ command, terminal, qualifier }: ExecOrder): readonly QueryPair[] {
  const size: readonly QueryPair[] =
    terminal === null
      ? []
      : [
          ['rows', String(terminal.rows)],
          ['columns', String(terminal.columns)],
        ];
  return [
    ...command.map((each): QueryPair => ['command', each]),
    ['tty', String(terminal !== null)],
    ['stdin', 'true'],
    ['stdout', 'true'],
    ['stderr', String(terminal === null)],
    // Whoever thinks at a prompt, or computes without a word, is not idle to us.
    ['idleTimeout', '86400'],
    ...size,
    ...(qualifier === null ? [] : [['qualifier', qualifier] as const]),
  ];
}

async function refusalOf(answer: IncomingMessage): Promise<Error> {
  const { statusCode = 0, statusMessage = '', httpVersion } = answer;
  const body = await buffer(answer);
  readAnswer({ status: statusCode, statusText: statusMessage, httpVersion, headers: {}, body });
  return failed(`the server answered ${statusCode} and opened no session`);
}

function connect(socket: Socket, head: Buffer, { onOutput, onErrors }: ExecOrder): ExecConnection {
  const frames = new WebSocketFrames('server', messageLimitBytes);
  const { promise: closed, resolve, reject } = Promise.withResolvers<{ code: number; reason: string }>();
  closed.catch(() => {}); // told to who awaits it
  let wrong: string | null = null;
  const send = (channel: number, bytes: Uint8Array) =>
    socket.write(encodeWebSocket('binary', Buffer.concat([Buffer.from([channel]), bytes]), true));
  const take = (bytes: Buffer) => {
    const payload = bytes.subarray(1);
    if (bytes[0] === channels.output) onOutput(payload);
    if (bytes[0] === channels.errors) onErrors(payload);
    if (bytes[0] === channels.wrong) wrong = payload.toString();
  };
  const hear = (chunk: Buffer) => {
    try {
      for (const event of frames.push(chunk)) {
        if (event.kind === 'message') take(event.bytes);
        if (event.kind === 'ping') socket.write(encodeWebSocket('pong', event.bytes, true));
        if (event.kind !== 'close') continue;
        resolve({ code: event.code, reason: wrong ?? event.reason });
        socket.end(encodeWebSocket('close', Buffer.alloc(0), true));
      }
    } catch (error) {
      socket.destroy(error instanceof Error ? error : undefined);
    }
  };
  socket.on('data', hear);
  socket.on('error', (error) =>
    reject(failed(`the connection to the instance broke: ${error.message}`, { cause: error })),
  );
  socket.on('close', () => reject(failed('the server closed the connection to the instance without a word')));
  if (head.length > 0) hear(head);
  return {
    closed,
    write: (bytes) => send(channels.input, bytes),
    onDrain: (resume) => socket.on('drain', resume),
    endInput: () => void send(channels.close, Buffer.from([channels.input])),
    resize: ({ rows, columns }) =>
      void send(channels.size, Buffer.from(JSON.stringify({ Width: columns, Height: rows }))),
  };
}
