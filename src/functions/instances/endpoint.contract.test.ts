import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { encodeFrame } from '../../wire/frames.ts';
import { Endpoint, frameSocketName } from './endpoint.ts';

const token = 'a'.repeat(64);
const hello = { token, protocol: 1, language: 'node', version: '26.0.0', pid: 1 } as const;

async function openEndpoint(t: TestContext) {
  const parent = mkdtempSync('/tmp/yunmen-endpoint-');
  const heard: string[] = [];
  const endpoint = await Endpoint.open(`${parent}/i`, token, {
    onHello: () => heard.push('hello'),
    onFrame: (frame) => heard.push(frame.type),
    onDisconnect: () => heard.push('gone'),
    onOutput: () => {},
    onOutputEnd: () => {},
    onSuspicion: (text) => heard.push(text),
  });
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    endpoint.close();
    rmSync(parent, { recursive: true });
  });
  const visit = async (): Promise<Socket> => {
    const socket = connect(`${parent}/i/${frameSocketName}`);
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  return { endpoint, heard, visit };
}

/** True as soon as the endpoint can trust who has connected. */
async function trusts(endpoint: Endpoint): Promise<boolean> {
  for (let turns = 0; turns < 1_000; turns += 1) {
    if (endpoint.trust()) return true;
    await turn();
  }
  return false;
}

test('who alone has connected is written to before it says hello, when it is trusted', async (t) => {
  const { endpoint, heard, visit } = await openEndpoint(t);
  assert.equal(endpoint.trust(), false, 'nobody is there');
  const instance = await visit();
  endpoint.writeAll([Buffer.from('lost')]);
  assert.ok(await trusts(endpoint));
  endpoint.writeAll([Buffer.from('early')]);
  const [early] = (await once(instance, 'data')) as [Buffer];
  assert.equal(early.toString(), 'early');
  instance.write(encodeFrame({ type: 'hello', stream: 0, head: hello }));
  while (heard.length === 0) await turn();
  endpoint.writeAll([Buffer.from('late')]);
  const [late] = (await once(instance, 'data')) as [Buffer];
  assert.deepEqual([late.toString(), heard], ['late', ['hello']]);
});

test('nobody takes the place of who is trusted', async (t) => {
  const { endpoint, heard, visit } = await openEndpoint(t);
  await visit();
  assert.ok(await trusts(endpoint));
  const other = await visit();
  other.on('error', () => {}); // it may be closed before it has written
  other.write(encodeFrame({ type: 'hello', stream: 0, head: hello }));
  while (heard.length === 0) await turn();
  assert.deepEqual(heard, ['a second connection was closed']);
});

test('of two that have connected none is trusted, and the token tells which it is', async (t) => {
  const { endpoint, heard, visit } = await openEndpoint(t);
  const [first, second] = [await visit(), await visit()];
  // Whoever comes after them is heard after them.
  const third = await visit();
  third.write(encodeFrame({ type: 'hello', stream: 0, head: { ...hello, token: 'b'.repeat(64) } }));
  await once(third, 'close');
  assert.equal(endpoint.trust(), false);
  second.write(encodeFrame({ type: 'hello', stream: 0, head: hello }));
  await once(first, 'close');
  assert.deepEqual(heard.at(-1), 'hello');
});

test('what is written soon goes out together, and before what is written after it', async (t) => {
  const { endpoint, heard, visit } = await openEndpoint(t);
  const instance = await visit();
  instance.write(encodeFrame({ type: 'hello', stream: 0, head: hello }));
  while (heard.length === 0) await turn();
  const chunks: string[] = [];
  instance.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  endpoint.writeSoon([Buffer.from('a')]);
  endpoint.writeSoon([Buffer.from('b'), Buffer.from('c')]);
  while (chunks.length === 0) await turn();
  endpoint.writeSoon([Buffer.from('d')]);
  endpoint.writeAll([Buffer.from('e')]);
  while (chunks.join('').length < 5) await turn();
  assert.deepEqual([chunks[0], chunks.join('')], ['abc', 'abcde']);
});
