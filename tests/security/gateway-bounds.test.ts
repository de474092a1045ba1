// What many callers together may take of the gateway: connections, and memory for bodies. Over real sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { api, definition, group } from '../../src/gateway/testing.ts';
import { openTarget, type Target } from './gateway-fixture.ts';

const changes = [
  group(),
  api('open', definition({ request: { method: 'POST', path: '/open', mode: 'PASSTHROUGH' } })),
  api('get', definition({ request: { path: '/get', mode: 'PASSTHROUGH' } })),
];
const kilobyte = 1024;

async function open(t: TestContext, settings: NonNullable<Parameters<typeof openTarget>[1]>['settings']) {
  const target = await openTarget(changes, settings === undefined ? {} : { settings });
  t.after(() => target.close());
  return target;
}

function begin(target: Target, bytes: number, sent: number): Socket {
  const socket = connect(target.port, '127.0.0.1');
  socket.on('error', () => {}); // a connection that is closed on us
  socket.write(`POST /open HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`);
  socket.write('x'.repeat(sent));
  return socket;
}

describe('the bodies of all requests under way', () => {
  it('share a bound: what is over it is refused at once, and there is room again when one is done', async (t) => {
    const target = await open(t, { bodiesLimitBytes: 200 * kilobyte });
    const held = begin(target, 150 * kilobyte, 149 * kilobyte);
    const heldAnswer = readText(held);
    // Until its bytes are counted, others fit beside it.
    for (;;) {
      const answer = await readText(begin(target, 150 * kilobyte, 150 * kilobyte));
      if (answer.startsWith('HTTP/1.1 200')) continue;
      assert.match(answer, /^HTTP\/1\.1 503 [\s\S]*X-Ca-Error-Code: X503BZ/);
      break;
    }
    assert.match(await readText(begin(target, 10 * kilobyte, 10 * kilobyte)), /^HTTP\/1\.1 200/, 'small ones pass');
    held.write('x'.repeat(kilobyte));
    assert.match(await heldAnswer, /^HTTP\/1\.1 200/);
    assert.match(await readText(begin(target, 150 * kilobyte, 150 * kilobyte)), /^HTTP\/1\.1 200/);
    assert.deepEqual(target.bugs, []);
  });

  it('give room back when a caller goes away in the middle', async (t) => {
    const target = await open(t, { bodiesLimitBytes: 200 * kilobyte });
    for (let i = 0; i < 5; i++) {
      const gone = begin(target, 190 * kilobyte, 180 * kilobyte);
      await once(gone, 'connect');
      const reported = target.records.length;
      gone.end(() => gone.destroy());
      while (target.records.length === reported) await new Promise((resolve) => setImmediate(resolve));
    }
    const answer = await readText(begin(target, 190 * kilobyte, 190 * kilobyte));
    assert.match(answer, /^HTTP\/1\.1 200/);
  });
});

describe('connections', () => {
  it('above the limit are closed at once, and served again when others are gone', async (t) => {
    const target = await open(t, { connectionLimit: 3 });
    const ask = 'GET /get HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const held: Socket[] = [];
    for (let i = 0; i < 3; i++) {
      const socket = connect(target.port, '127.0.0.1');
      socket.write(ask);
      await once(socket, 'data');
      held.push(socket);
    }
    const refused = connect(target.port, '127.0.0.1');
    refused.on('error', () => {}); // a reset is as good
    refused.write(ask);
    assert.equal(await readText(refused).catch(() => ''), '');
    for (const socket of held) socket.destroy();
    for (;;) {
      const socket = connect(target.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(ask.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
      const answer = await readText(socket).catch(() => '');
      if (answer === '') continue; // the server has not heard of all the ends yet
      assert.match(answer, /^HTTP\/1\.1 200/);
      break;
    }
  });

  it('that a caller half closed without a request are closed', async (t) => {
    const target = await open(t, {});
    const socket = connect(target.port, '127.0.0.1');
    socket.end();
    assert.equal(await readText(socket), '');
  });
});
