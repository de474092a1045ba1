// Who may connect to an instance's socket: only one, only with the token, only with whole and lawful frames.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { Endpoint } from '../../src/functions/instances/endpoint.ts';
import { encodeFrame } from '../../src/wire/frames.ts';

const token = 'a'.repeat(64);

function hello(secret: string, protocol = 1): Buffer {
  return encodeFrame({
    type: 'hello',
    stream: 0,
    head: { token: secret, protocol, language: 'python', version: '3.10.1', pid: 1 },
  });
}

const end = encodeFrame({ type: 'end', stream: 1, head: { rss: 1 }, payload: Buffer.from('result') });

function closed(socket: Socket): Promise<void> {
  // Not once(): a reset connection is closed as well.
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function open() {
  const root = mkdtempSync('/tmp/yunmen-');
  const directory = `${root}/instance`;
  const events: string[] = [];
  let wake = () => {};
  const note = (text: string) => {
    events.push(text);
    wake();
  };
  const endpoint = await Endpoint.open(directory, token, {
    onHello: ({ pid }) => note(`hello ${pid}`),
    onFrame: (frame) => note(`frame ${frame.type} ${frame.payload}`),
    onDisconnect: (violation) => note(`disconnect ${violation}`),
    onOutput: (chunk) => note(`output ${chunk}`),
    onOutputEnd: () => note('output end'),
    onSuspicion: (text) => note(`suspicion ${text}`),
  });
  return {
    directory,
    events,
    endpoint,
    async dial(name = 'f.sock'): Promise<Socket> {
      const socket = connect(`${directory}/${name}`);
      socket.on('error', () => {});
      await once(socket, 'connect');
      return socket;
    },
    async until(text: string): Promise<void> {
      while (!events.some((event) => event.startsWith(text))) await new Promise<void>((resolve) => (wake = resolve));
    },
    close() {
      endpoint.close();
      assert.equal(existsSync(directory), false);
      rmSync(root, { recursive: true });
    },
  };
}

test('the directory lets only its owner in', async () => {
  const bench = await open();
  assert.equal(statSync(bench.directory).mode & 0o777, 0o700);
  bench.close();
});

test('a wrong token is closed and reported; the right one is taken afterwards', async () => {
  const bench = await open();
  for (const wrong of ['b'.repeat(64), '', `${token}a`]) {
    const intruder = await bench.dial();
    intruder.write(hello(wrong));
    await closed(intruder);
  }
  assert.deepEqual(bench.events, Array(3).fill('suspicion a hello with a wrong token was closed'));
  const instance = await bench.dial();
  instance.write(Buffer.concat([hello(token), end]));
  await bench.until('frame');
  assert.deepEqual(bench.events.slice(3), ['hello 1', 'frame end result']);
  instance.destroy();
  await bench.until('disconnect null');
  bench.close();
});

test('the token is burned by the first hello: a second connection with it is closed, the first goes on', async () => {
  const bench = await open();
  const instance = await bench.dial();
  instance.write(hello(token));
  await bench.until('hello');
  const second = await bench.dial();
  second.write(hello(token));
  await closed(second);
  assert.ok(bench.events.includes('suspicion a second connection was closed'));
  instance.write(end);
  await bench.until('frame end result');
  assert.equal(bench.events.filter((event) => event.startsWith('hello')).length, 1);
  instance.destroy();
  bench.close();
});

test('of two that connect before the hello the first to prove itself wins', async () => {
  const bench = await open();
  const [first, second] = [await bench.dial(), await bench.dial()];
  second.write(hello(token));
  await bench.until('hello');
  await closed(first);
  assert.ok(!second.destroyed);
  second.destroy();
  bench.close();
});

for (const [what, bytes, pattern] of [
  ['a frame before hello', end, /did not begin with hello/],
  ['bytes that are no frame', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), /did not begin with hello/],
  ['another protocol version', hello(token, 2), /protocol 2/],
] as const) {
  test(`${what} is closed and reported`, async () => {
    const bench = await open();
    const socket = await bench.dial();
    socket.write(bytes);
    await closed(socket);
    assert.match(bench.events.join('\n'), pattern);
    assert.ok(!bench.events.some((event) => event.startsWith('hello')));
    bench.close();
  });
}

test('a proven instance that sends an oversized frame is disconnected with the reason', async () => {
  const bench = await open();
  const instance = await bench.dial();
  const oversized = Buffer.alloc(12);
  oversized.writeUInt32BE(1_000_000, 0);
  instance.write(hello(token));
  await bench.until('hello');
  instance.write(oversized);
  await closed(instance);
  assert.match(bench.events.at(-1) ?? '', /^disconnect .*1000004/);
  bench.close();
});

test('output comes from the first connection to the log socket only', async () => {
  const bench = await open();
  const output = await bench.dial('l.sock');
  output.write('line\n');
  await bench.until('output line');
  const late = connect(`${bench.directory}/l.sock`);
  const [error] = await once(late, 'error');
  assert.ok(error instanceof Error);
  output.destroy();
  await bench.until('output end');
  bench.close();
});

test('many refusals are reported only so often', async () => {
  const bench = await open();
  for (let index = 0; index < 30; index += 1) {
    const socket = await bench.dial();
    socket.write(hello('x'));
    await closed(socket);
  }
  assert.equal(bench.events.length, 10);
  bench.close();
});
