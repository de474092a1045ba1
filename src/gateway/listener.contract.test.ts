// The gateway on a real node:http listener, called by the vendor's own unmodified client and by raw sockets.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { type AddressInfo, connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { createNonceStore } from '../base/nonce-store.ts';
import { createWindowCounters } from '../base/window-counters.ts';
import type { RequestRecord } from '../model/record.ts';
import { createGateway } from './gateway.ts';
import { listenerOptions } from './listener.ts';
import { defaultGatewaySettings } from './settings.ts';
import { api, app, definition, grant, group, parameter, returned, theApp } from './testing.ts';

/** The part of the client that is used here. Source: sdk (aliyun-api-gateway 1.1.6). */
type Options = {
  data?: unknown;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  signHeaders?: Record<string, string>;
};
type Client = {
  get(url: string, options?: Options): Promise<unknown>;
  post(url: string, options?: Options): Promise<unknown>;
  put(url: string, options?: Options): Promise<unknown>;
  delete(url: string, options?: Options): Promise<unknown>;
};
const { Client: OfficialClient } = createRequire(import.meta.url)('aliyun-api-gateway') as {
  Client: new (key: string, secret: string, stage?: string) => Client;
};

const passed = (id: string, method: 'GET' | 'POST' | 'PUT' | 'DELETE') =>
  api(id, definition({ auth: { type: 'APP' }, request: { method, path: '/v1/*', mode: 'PASSTHROUGH' } }));
const fields = {
  parameters: ['a', 'b'].map((name) => parameter({ name, location: 'BODY' })),
  serviceParameters: ['a', 'b'].map(
    (name) => ({ name, location: 'QUERY', type: 'STRING', catalog: 'REQUEST' }) as const,
  ),
  mappings: ['a', 'b'].map((name) => ({ requestName: name, serviceName: name })),
};
const add = definition({ auth: { type: 'APP' }, request: { method: 'POST', path: '/testadd' }, rest: fields });
const ids = ['get', 'post', 'put', 'delete', 'add'];
const changes = [
  group(),
  theApp,
  passed('get', 'GET'),
  passed('post', 'POST'),
  passed('put', 'PUT'),
  passed('delete', 'DELETE'),
  api('add', add),
  api('form', definition({ request: { method: 'POST', path: '/form' }, rest: fields })),
  api('slow', definition({ request: { path: '/slow' } })),
  ...ids.map((id) => grant(id)),
];

const records: RequestRecord[] = [];
const bugs: unknown[] = [];
let slowAborted = () => {};
let slowStarted = () => {};
const settings = { ...defaultGatewaySettings, bodyLimitBytes: 100_000, headerLimitBytes: 8_000, uriLimitBytes: 20_000 };
const gateway = createGateway({
  clock: systemClock,
  claimNonce: createNonceStore({ clock: systemClock }).claim,
  count: createWindowCounters(1_000).count,
  report: (record) => records.push(record),
  reportBug: (error) => bugs.push(error),
  settings,
  invoke: async (call, signal) => {
    const event = JSON.parse(call.event.toString()) as { path: string; queryParameters: Record<string, string> };
    if (event.path === '/slow') {
      slowStarted();
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          slowAborted();
          reject(new Error('aborted'));
        }),
      );
    }
    if (event.path === '/v1/large') return returned({ statusCode: 200, body: 'x'.repeat(300_000) });
    if (event.path !== '/testadd') return returned({ statusCode: 200, body: event });
    const { a = '', b = '' } = event.queryParameters;
    return returned({
      isBase64Encoded: false,
      statusCode: 200,
      headers: {},
      body: { msg: String(Number(a) + Number(b)) },
    });
  },
});
const server = createServer(listenerOptions(settings), gateway.handle);
let url = '';
let port = 0;

before(async () => {
  await gateway.apply({ version: 1, changes });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  url = `http://127.0.0.1:${port}`;
});
after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(bugs, []);
});

describe('the official client', () => {
  const client = new OfficialClient(app.key, app.secret);
  const form = { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' };
  const json = { 'content-type': 'application/json' };

  it('gets the sum of two form fields', async () => {
    assert.deepEqual(await client.post(`${url}/testadd`, { data: { a: 12323, b: 142 }, headers: form }), {
      msg: '12465',
    });
  });

  it('gets with a query, empty values and text outside ASCII', async () => {
    const answer = (await client.get(`${url}/v1/pets?b=2`, { query: { a: '1', empty: '', x: '猫 & 狗' } })) as {
      queryParameters: unknown;
    };
    assert.deepEqual(answer.queryParameters, { b: '2', a: '1', empty: '', x: '猫 & 狗' });
  });

  it('gets on an encoded path', async () => {
    const answer = (await client.get(`${url}/v1/%E7%8C%AB%2Fx`)) as { path: string };
    assert.equal(answer.path, '/v1/猫%2Fx');
  });

  it('posts a form outside ASCII beside a query', async () => {
    const data = { name: '猫', 'a b': '1+1=2' };
    const answer = (await client.post(`${url}/v1/pets?q=1`, { data, headers: form })) as {
      body: string;
      queryParameters: unknown;
    };
    assert.deepEqual(answer.queryParameters, { q: '1' });
    assert.deepEqual(Object.fromEntries(new URLSearchParams(Buffer.from(answer.body, 'base64').toString())), data);
  });

  it('posts and puts JSON outside ASCII', async () => {
    for (const method of ['post', 'put'] as const) {
      const answer = (await client[method](`${url}/v1/pets`, { data: { name: '猫', age: 3 }, headers: json })) as {
        body: string;
      };
      assert.equal(Buffer.from(answer.body, 'base64').toString(), '{"name":"猫","age":3}');
    }
  });

  it('deletes, and signs further headers', async () => {
    await client.delete(`${url}/v1/pets/7?x=1`, {});
    await client.get(`${url}/v1/pets`, { signHeaders: { 'x-custom': 'v' } });
  });

  it('reads the server’s string to sign when the secret is wrong', async () => {
    const wrong = new OfficialClient(app.key, 'wrong');
    await assert.rejects(wrong.get(`${url}/v1/pets?x=1`), (error: Error & { code?: number }) => {
      assert.equal(error.code, 403);
      assert.match(
        error.message,
        /Invalid Signature, Server StringToSign:`GET#application\/json####x-ca-key:203753385#.*#\/v1\/pets\?x=1`/,
      );
      return true;
    });
    assert.equal(records.at(-1)?.failure?.code, 'A403IS');
  });

  it('is refused when it repeats a signed request', async () => {
    const seen: { headers: Record<string, string>; path: string }[] = [];
    const spy = createServer((message, response) => {
      seen.push({ headers: message.headers as Record<string, string>, path: message.url ?? '' });
      response.end('{}');
    });
    await new Promise<void>((resolve) => spy.listen(0, '127.0.0.1', resolve));
    await client.get(`http://127.0.0.1:${(spy.address() as AddressInfo).port}/v1/pets`);
    spy.closeAllConnections();
    await new Promise((resolve) => spy.close(resolve));
    const [first] = seen;
    assert.ok(first !== undefined);
    const { host: _, connection: __, ...headers } = first.headers;
    assert.equal((await fetch(url + first.path, { headers })).status, 200);
    const again = await fetch(url + first.path, { headers });
    assert.deepEqual([again.status, again.headers.get('x-ca-error-code')], [403, 'S403NU']);
  });
});

/** Sends raw bytes and reads until the connection ends. */
/** Sends pieces, some milliseconds apart. */
async function raw(...pieces: string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const answer = readText(socket);
  for (const piece of pieces.slice(0, -1)) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  socket.end(pieces.at(-1) ?? '');
  return answer;
}

describe('the listener', () => {
  it('answers an error with an empty body, and keeps the connection', async () => {
    const one = 'GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const answer = await raw(one + one.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    assert.equal(answer.split('HTTP/1.1 404 Not Found').length, 3);
    assert.equal(answer.split('X-Ca-Error-Code: I404NF').length, 3);
    assert.equal(answer.split('Content-Length: 0').length, 3);
  });

  it('says how long a connection may be used again, but not of one that ends', async () => {
    const get = (version: string, header = '') =>
      raw(
        `GET /none HTTP/${version}\r\nHost: localhost\r\n${header}\r\nGET /none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      );
    assert.equal(
      (await get('1.1')).match(
        /\r\nConnection: keep-alive\r\nKeep-Alive: timeout=65\r\n|\r\nKeep-Alive: timeout=65\r\n/g,
      )?.length,
      1,
    );
    assert.doesNotMatch(await get('1.1', 'Connection: close\r\n'), /keep-alive/i);
    assert.doesNotMatch(await get('1.0'), /keep-alive/i);
  });

  it('reads a body that comes in pieces, and one that comes with its head, alike; and the next request after it', async () => {
    const form = `a=${'1'.repeat(40_000)}&b=2`;
    const head = 'POST /form HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n';
    const last = `${head}Connection: close\r\nContent-Length: 7\r\n\r\na=3&b=4`;
    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
    const ways = [
      [`${head}Content-Length: ${form.length}\r\n\r\n${form}${last}`],
      [`${head}Content-Length: ${form.length}\r\n\r\n`, form.slice(0, 10), form.slice(10), last],
      [
        `${head}Transfer-Encoding: chunked\r\n\r\n${chunk(form.slice(0, 9))}`,
        `${chunk(form.slice(9))}0\r\n`,
        `\r\n${last}`,
      ],
    ];
    for (const pieces of ways) {
      const answer = await raw(...pieces);
      assert.equal(answer.split('HTTP/1.1 200 OK').length, 3, answer.slice(0, 400));
      assert.ok(answer.includes(`"a":"${'1'.repeat(40_000)}","b":"2"`) && answer.includes('"a":"3","b":"4"'));
    }
  });

  it('tells nobody of a body whose client leaves within it', async () => {
    const seen = records.length;
    const socket = connect(port, '127.0.0.1');
    socket.write(
      'POST /form HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\na=1',
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    while (records.length === seen) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([records.at(-1)?.status, records.at(-1)?.path], [499, '/form']);
  });

  it('answers HEAD with 404 when that method is not published', async () => {
    const answer = await raw('HEAD /testadd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    assert.match(answer, /^HTTP\/1\.1 404 /);
  });

  it('answers by itself what exceeds its limits', async () => {
    const get = (target: string, header: string) =>
      raw(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${header}\r\n`);
    assert.match(await get(`/${'x'.repeat(20_001)}`, ''), /X-Ca-Error-Code: I413UL/);
    assert.match(await get('/a', `X: ${'x'.repeat(9_000)}\r\n`), /X-Ca-Error-Code: I400HD/);
  });

  it('refuses a body over the limit, announced or chunked', async () => {
    const head = 'POST /v1/x HTTP/1.1\r\nHost: localhost\r\n';
    assert.match(await raw(`${head}Content-Length: 100001\r\n\r\n`), /X-Ca-Error-Code: I413RL/);
    const signed = (
      await new Promise<string>((resolve) => {
        const spy = createServer((message, response) => {
          let lines = '';
          for (let i = 0; i < message.rawHeaders.length; i += 2) {
            const name = message.rawHeaders[i] ?? '';
            if (!/^(host|content-length|connection|transfer-encoding)$/i.test(name))
              lines += `${name}: ${message.rawHeaders[i + 1]}\r\n`;
          }
          response.end('{}', () => {
            spy.closeAllConnections();
            spy.close();
          });
          resolve(lines);
        });
        spy.listen(0, '127.0.0.1', () => {
          const client = new OfficialClient(app.key, app.secret);
          void client.post(`http://127.0.0.1:${(spy.address() as AddressInfo).port}/v1/x`, {
            data: {},
            headers: { 'content-type': 'application/json' },
          });
        });
      })
    ).trimEnd();
    const chunk = `${(60_000).toString(16)}\r\n${'x'.repeat(60_000)}\r\n`;
    assert.match(
      await raw(`${head}Transfer-Encoding: chunked\r\n${signed}\r\n\r\n${chunk}${chunk}`),
      /X-Ca-Error-Code: I413RL/,
    );
  });

  it('writes text outside Latin-1 as UTF-8 bytes and does not break on it', async () => {
    const answer = await raw('GET /x HTTP/1.1\r\nHost: 猫.test\r\nConnection: close\r\n\r\n');
    assert.match(answer, /X-Ca-Error-Message: Invalid Domain `猫\.test`/);
  });

  it('sends a large answer whole', async () => {
    const client = new OfficialClient(app.key, app.secret);
    await assert.rejects(client.get(`${url}/v1/large`), SyntaxError); // The client parses JSON by default; it came as text.
    assert.equal(records.at(-1)?.status, 200);
  });

  it('aborts the invocation when the caller leaves', async () => {
    const aborted = new Promise<void>((resolve) => {
      slowAborted = resolve;
    });
    const started = new Promise<void>((resolve) => {
      slowStarted = resolve;
    });
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await started;
    socket.destroy();
    await aborted;
  });
});
