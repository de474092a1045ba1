// InstanceExec at the door of control: who may, and how bytes are carried between a WebSocket and a session.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecOrder } from '../../src/model/exec.ts';
import { signV3 } from '../../src/wire/openapi-signature-v3.ts';
import { formatQuery, type QueryPair } from '../../src/wire/percent-encoding.ts';
import { encodeWebSocket, type WebSocketEvent, WebSocketFrames } from '../../src/wire/websocket.ts';
import { type Plane, startPlane, zipped } from './control-fixture.ts';
import { fcSchemes, type Key } from './control-schemes.ts';

const instancePath = '/2023-03-30/functions/f/instances/c-01234567-0123456789abcdef0123/exec';

const frame = (channel: number, payload: Buffer | string) => {
  const bytes = Buffer.from(payload as string);
  const head = Buffer.alloc(5);
  head.writeUInt8(channel, 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};

describe('InstanceExec', () => {
  let plane: Plane;
  let root: Key;
  const orders: ExecOrder[] = [];
  /** Both ends of the last session; the second is the instance's. */
  let near: Duplex;
  let far: Duplex;

  before(async () => {
    plane = await startPlane(undefined, {}, async (order) => {
      orders.push(order);
      const [own, other] = duplexPair();
      near = own;
      far = other;
      return { ok: true, stream: own };
    });
    const { accessKeyId, accessKeySecret } = plane.credentials;
    root = { accessKeyId, accessKeySecret };
    const created = {
      functionName: 'f',
      runtime: 'python3.10',
      handler: 'index.handler',
      code: { zipFile: await zipped({ 'index.py': '' }) },
    };
    assert.equal((await call('POST', '/2023-03-30/functions', created)).status, 200);
  });
  after(() => plane.close());

  async function call(method: string, path: string, body?: object, key = root) {
    const signed = fcSchemes['V3'] ?? assert.fail();
    return await signed(plane, { method, path, body: body === undefined ? '' : JSON.stringify(body) }, { key });
  }

  /** The answer to an upgrade: refused, or a WebSocket. */
  async function open(query: readonly QueryPair[], key: Key, headers: Record<string, string> = {}) {
    const { accessKeyId, accessKeySecret } = key;
    const signed = signV3({
      ...{
        method: 'GET',
        path: instancePath,
        query,
        host: plane.url.host,
        action: 'InstanceExec',
        version: '2023-03-30',
      },
      ...{
        date: new Date().toISOString().replace(/\.\d+/, ''),
        nonce: randomBytes(16).toString('hex'),
        contentType: null,
      },
      ...{ body: Buffer.alloc(0), accessKeyId, accessKeySecret },
    });
    const upgrade = {
      ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
      'sec-websocket-key': randomBytes(16).toString('base64'),
    };
    const outgoing = request({
      ...{ host: plane.url.hostname, port: plane.url.port, path: `${instancePath}?${formatQuery(query)}` },
      headers: { ...signed, ...upgrade, ...headers },
    });
    outgoing.end();
    const response = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    const upgraded = once(outgoing, 'upgrade') as Promise<[IncomingMessage, Socket, Buffer]>;
    const [answer, socket, head] = await Promise.race([response, upgraded]);
    if (socket === undefined)
      return { status: answer.statusCode, text: (await buffer(answer)).toString(), socket: null };
    return { status: answer.statusCode, text: '', socket: new Client(socket, head ?? Buffer.alloc(0)) };
  }

  const shell: readonly QueryPair[] = [
    ['command', 'sh'],
    ['command', '-c'],
    ['command', 'true'],
    ['tty', 'false'],
    ['stderr', 'true'],
  ];

  it('is for keys that may write: others are refused, and nothing is run', async () => {
    const made = JSON.parse((await call('POST', '/yunmen/keys', { access: 'read-only' })).text) as Key;
    const refused = await open(shell, made);
    assert.equal(refused.status, 403);
    assert.match(refused.text, /AccessDenied.*fc:InstanceExec/);
    const wrong = await open(shell, { ...root, accessKeySecret: 'x'.repeat(30) });
    assert.equal(wrong.status, 403);
    assert.equal((JSON.parse(wrong.text) as { ErrorCode: string }).ErrorCode, 'SignatureNotMatch');
    const cross = await open(shell, root, { host: 'elsewhere.example' });
    assert.equal(cross.status, 403, 'a signature for another host');
    assert.equal(orders.length, 0);
  });

  it('is refused without a WebSocket, and another upgrade changes nothing', async () => {
    const plain = await call('GET', instancePath);
    assert.equal(plain.status, 400);
    assert.match(plain.text, /called over a WebSocket/);
    const other = request(plane.url, {
      path: '/healthz',
      headers: { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' },
    });
    other.end();
    const [answer] = (await once(other, 'response')) as [IncomingMessage];
    assert.equal(answer.statusCode, 200);
    answer.resume();
    for (const [name, value] of [
      ['tty', 'maybe'],
      ['idleTimeout', '0'],
      ['command', '\0'],
    ] as const) {
      const refused = await open([[name, value]], root);
      assert.equal(refused.status, 400, name);
      assert.match(refused.text, /InvalidArgument/);
    }
    assert.equal(orders.length, 0);
  });

  it('asks for the command as it was said, and carries both ways', async () => {
    const { status, socket } = await open(shell, root);
    assert.equal(status, 101);
    assert.ok(socket);
    const { command, terminal, instanceId } = orders.pop() ?? assert.fail();
    assert.deepEqual({ command, terminal }, { command: ['sh', '-c', 'true'], terminal: null });
    assert.equal(instanceId, 'c-01234567-0123456789abcdef0123');
    const heard: Buffer[] = [];
    far.on('data', (chunk: Buffer) => heard.push(chunk));
    socket.send(Buffer.from([0, 0x61, 0x62]));
    socket.send(Buffer.from('typed without a channel'));
    socket.send(Buffer.concat([Buffer.from([4]), Buffer.from('{"Width":120,"Height":40}')]));
    socket.send(Buffer.from([255, 0]));
    const expected = Buffer.concat([
      ...[frame(0, 'ab'), frame(0, 'typed without a channel'), frame(4, Buffer.from([0, 40, 0, 120])), frame(0, '')],
    ]);
    while (Buffer.concat(heard).length < expected.length) await once(far, 'data');
    assert.deepEqual(Buffer.concat(heard), expected);
    const word = Buffer.from('é云');
    far.write(Buffer.concat([frame(6, ''), frame(1, word.subarray(0, 1))]));
    far.write(frame(1, word.subarray(1, 4)));
    far.write(frame(2, Buffer.from([0xff, 0x61])));
    far.write(Buffer.concat([frame(1, word.subarray(4)), frame(5, Buffer.from([0, 7]))]));
    const events = await socket.untilClosed();
    const said = events.flatMap((event) => (event.kind === 'message' ? [event] : []));
    assert.equal(
      Buffer.concat(said.filter(({ bytes }) => bytes[0] === 1).map(({ bytes }) => bytes.subarray(1))).toString(),
      'é云',
    );
    assert.ok(
      said.filter(({ bytes }) => bytes[0] === 1).every(({ isText }) => isText),
      'whole characters are text',
    );
    assert.deepEqual(
      said.filter(({ bytes }) => bytes[0] === 2),
      [{ kind: 'message', isText: false, bytes: Buffer.from([2, 0xff, 0x61]) }],
    );
    assert.deepEqual(events.at(-1), { kind: 'close', code: 1000, reason: 'exit code 7' });
    assert.ok(near.destroyed, 'the session ends with it');
  });

  it('lets who does not read stop the command, not fill memory', async () => {
    const { socket } = await open(shell, root);
    assert.ok(socket);
    socket.pause();
    const total = 3000;
    const chunk = frame(1, Buffer.alloc(16 * 1024, 'x'));
    let written = 0;
    const pumped = (async () => {
      for (; written < total; written += 1) if (!far.write(chunk)) await once(far, 'drain');
      far.write(frame(5, Buffer.from([0, 0])));
    })();
    for (let before = -1, still = 0; still < 10; ) {
      still = before === written ? still + 1 : 0;
      before = written;
      await sleep(10);
    }
    assert.ok(written < total / 2, `${written} of ${total} pieces were taken of it`);
    socket.resume();
    const events = await socket.untilClosed();
    await pumped;
    const bytes = events.reduce((sum, event) => sum + (event.kind === 'message' ? event.bytes.length - 1 : 0), 0);
    assert.equal(bytes, total * 16 * 1024);
  });

  it('ends the session of a caller that breaks the protocol or goes', async () => {
    for (const breakIt of [
      (client: Client) => client.raw(Buffer.from('810161', 'hex')), // not masked
      (client: Client) => client.raw(Buffer.from('82ff7fffffffffffffff00000000', 'hex')),
      (client: Client) => client.destroy(),
    ]) {
      const { socket } = await open(shell, root);
      assert.ok(socket);
      const closed = once(near, 'close');
      breakIt(socket);
      await closed;
      socket.destroy();
    }
  });
});

class Client {
  readonly #socket: Socket;
  readonly #frames = new WebSocketFrames('server', 1 << 20);
  readonly #events: WebSocketEvent[] = [];
  readonly #closed = Promise.withResolvers<void>();

  constructor(socket: Socket, head: Buffer) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => this.#closed.resolve());
    socket.on('data', (chunk: Buffer) => this.#hear(chunk));
    if (head.length > 0) this.#hear(head);
  }

  send(bytes: Buffer): void {
    this.#socket.write(encodeWebSocket('binary', bytes, true));
  }

  raw(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async untilClosed(): Promise<readonly WebSocketEvent[]> {
    await this.#closed.promise;
    return this.#events;
  }

  #hear(chunk: Buffer): void {
    for (const event of this.#frames.push(chunk)) {
      this.#events.push(event);
      if (event.kind === 'close') this.#socket.end(encodeWebSocket('close', Buffer.alloc(0), true));
    }
  }
}
