// HTTP backends over real sockets: what the backend gets, what the caller gets, and what happens when the backend misbehaves.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { AddressGuard } from '../../src/base/address-guard.ts';
import { group, parameter } from '../../src/gateway/testing.ts';
import {
  answering,
  call,
  closed,
  head,
  httpBackend,
  ok,
  proxyTo,
  rawExchange,
  startGateway,
  startRawBackend,
} from './backends-fixture.ts';

const errorOf = (headers: Headers) => [headers.get('x-ca-error-code'), headers.get('x-ca-error-message')];

/** Lines of a request head by lower-case name. */
function linesOf(received: string | undefined): Map<string, string> {
  const lines = (received ?? '').split('\r\n\r\n')[0]?.split('\r\n').slice(1) ?? [];
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
}

describe('an HTTP backend gets', () => {
  it('the client’s Host where its group passes that on', async (t) => {
    const backend = await startRawBackend(t, answering(ok('yes')));
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    const options = { passedHeaders: [], codePlace: null, tracePlace: null, log: null, hidesServer: false };
    await running.publish([group({ options: { ...options, callsPerSecond: null, passesHost: true } })]);
    await rawExchange(running.port, head('GET', '/x', []));
    const host = linesOf(backend.received[0]).get('host') ?? '';
    assert.match(host, /\.localhost$/);
    assert.equal(host, linesOf(backend.received[0]).get('ca-host'));
  });

  it('method, raw path and query, its own Host, the forwarding headers and nothing of the connection', async (t) => {
    const backend = await startRawBackend(t, answering(ok('yes')));
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    await rawExchange(
      running.port,
      head('PATCH', '/a%2Fb/%E7%8C%AB?x=1&x=2&y=%20+', [
        'X-Own: v',
        'X-Hop: secret',
        'TE: trailers',
        'Keep-Alive: timeout=9',
        'Proxy-Authorization: p',
        'X-Forwarded-For: 198.51.100.9',
        'X-Ca-Signature: s',
        'Content-Length: 0',
      ]).replace('Connection: close', 'Connection: close, X-Hop'),
    );
    const [got = ''] = backend.received;
    assert.match(got, /^PATCH \/a%2Fb\/%E7%8C%AB\?x=1&x=2&y=%20\+ HTTP\/1\.1\r\n/);
    const lines = linesOf(got);
    assert.equal(lines.get('host'), `127.0.0.1:${backend.port}`);
    assert.match(lines.get('ca-host') ?? '', /\.localhost$/);
    assert.equal(lines.get('x-forwarded-for'), '198.51.100.9, 127.0.0.1');
    assert.equal(lines.get('x-forwarded-proto'), 'http');
    assert.equal(lines.get('x-real-ip'), '127.0.0.1');
    assert.equal(lines.get('x-own'), 'v');
    assert.equal(lines.get('x-ca-request-id'), running.records[0]?.requestId);
    assert.equal(lines.get('x-ca-api-gateway'), running.records[0]?.requestId);
    for (const name of ['x-hop', 'te', 'keep-alive', 'connection', 'proxy-authorization', 'x-ca-signature']) {
      assert.equal(lines.has(name), false, name);
    }
  });

  it('mapped parameters in its path, query, headers and a rebuilt form', async (t) => {
    const backend = await startRawBackend(t, answering(ok('')));
    const names = { id: 'PATH', q: 'QUERY', h: 'HEAD', f: 'BODY' } as const;
    const running = await startGateway(t, {
      a: proxyTo(httpBackend(`${backend.address}/base/`, { path: '/v3/[userId]/x', method: 'PUT' }), {
        request: { method: 'POST', path: '/users/[id]', mode: 'MAPPING', bodyFormat: 'FORM' },
        rest: {
          parameters: Object.entries(names).map(([name, location]) => parameter({ name, location })),
          serviceParameters: [
            { name: 'userId', location: 'PATH', type: 'STRING', catalog: 'REQUEST' },
            { name: 'Q', location: 'QUERY', type: 'STRING', catalog: 'REQUEST' },
            { name: 'X-H', location: 'HEAD', type: 'STRING', catalog: 'REQUEST' },
            { name: 'F', location: 'BODY', type: 'STRING', catalog: 'REQUEST' },
          ],
          mappings: [
            { requestName: 'id', serviceName: 'userId' },
            { requestName: 'q', serviceName: 'Q' },
            { requestName: 'h', serviceName: 'X-H' },
            { requestName: 'f', serviceName: 'F' },
          ],
        },
      }),
    });
    await call(running, `/users/${encodeURIComponent('猫 1')}?q=${encodeURIComponent('a b&c')}&dropped=1`, {
      method: 'POST',
      headers: { h: 'v', 'content-type': 'application/x-www-form-urlencoded' },
      body: 'f=%E7%8C%AB+x&dropped=1',
    });
    const [got = ''] = backend.received;
    assert.match(got, /^PUT \/base\/v3\/%E7%8C%AB%201\/x\?Q=a%20b%26c HTTP\/1\.1\r\n/);
    assert.match(got, /\r\n\r\nF=%E7%8C%AB\+x$/);
    const lines = linesOf(got);
    assert.equal(lines.get('x-h'), 'v');
    assert.equal(lines.get('content-type'), 'application/x-www-form-urlencoded; charset=UTF-8');
    assert.equal(lines.get('content-length'), '13');
  });

  it('no header that a parameter smuggles in by a line break', async (t) => {
    const backend = await startRawBackend(t, answering(ok('')));
    const running = await startGateway(t, {
      a: proxyTo(httpBackend(backend.address), {
        request: { method: 'GET', path: '/h', mode: 'MAPPING' },
        rest: {
          parameters: [parameter({ name: 'q' })],
          serviceParameters: [{ name: 'X-H', location: 'HEAD', type: 'STRING', catalog: 'REQUEST' }],
          mappings: [{ requestName: 'q', serviceName: 'X-H' }],
        },
      }),
    });
    await call(running, `/h?q=${encodeURIComponent('a\r\nX-Evil: 1\r\n\r\nGET /evil HTTP/1.1')}`);
    const lines = linesOf(backend.received[0]);
    assert.equal(lines.has('x-evil'), false);
    assert.equal(lines.get('x-h'), 'a #X-Evil: 1 # #GET /evil HTTP/1.1');
  });

  it('no path that a parameter leads out of the pattern', async (t) => {
    const backend = await startRawBackend(t, answering(ok('')));
    const passed = (path: string, apiPath: string) =>
      proxyTo(httpBackend(backend.address, { path }), { request: { path: apiPath } });
    const running = await startGateway(t, {
      a: passed('/only/[name]', '/one/[name]'),
      b: passed('/below/*', '/two/*'),
      c: passed('', '/three/*'),
    });
    const answers = ['/one/%2e%2e', '/two/%2e%2e/x', '/two/..%2fx/../y', '/three/../x'].map(async (target) => {
      return rawExchange(running.port, head('GET', target));
    });
    for (const answer of await Promise.all(answers)) assert.match(answer, /X-Ca-Error-Code: I400PA/);
    assert.deepEqual(backend.received, []);
    await rawExchange(running.port, head('GET', '/two/a%2Fb/c?d'));
    assert.match(backend.received[0] ?? '', /^GET \/below\/a%2Fb\/c\?d /);
  });

  it('one segment for a mapped path parameter, decoded never and escaped once', async (t) => {
    const backend = await startRawBackend(t, answering(ok('', 'Connection: close\r\n')));
    const mapped = (from: 'PATH' | 'QUERY') =>
      proxyTo(httpBackend(backend.address, { path: '/to/[b]/end' }), {
        request: { path: from === 'PATH' ? '/from/[a]' : '/query', mode: 'MAPPING' },
        rest: {
          parameters: [parameter({ name: 'a', location: from })],
          serviceParameters: [{ name: 'b', location: 'PATH', type: 'STRING', catalog: 'REQUEST' }],
          mappings: [{ requestName: 'a', serviceName: 'b' }],
        },
      });
    const running = await startGateway(t, {
      mapped: mapped('PATH'),
      query: mapped('QUERY'),
      plain: proxyTo(httpBackend(backend.address, { path: '/to/[c]/end' }), { request: { path: '/plain/[c]' } }),
      rest: proxyTo(httpBackend(backend.address, { path: '/to/*' }), { request: { path: '/rest/*' } }),
      own: proxyTo(httpBackend(backend.address), { request: { path: '/own/*' } }),
    });
    const values: readonly (readonly [sent: string, got: string])[] = [
      ['a%2Fb%5cc', 'a%2Fb%5cc'],
      ['a%252Fb', 'a%252Fb'],
      ['a%25252fb', 'a%25252fb'],
      ['%252e%252e', '%252e%252e'],
      ['a\\..\\b', 'a%5C..%5Cb'],
      ['{a}^`"<>|', '%7Ba%7D%5E%60%22%3C%3E%7C'],
      ["a!$&'()*+,;=:@~", "a!$&'()*+,;=:@~"],
      ['%E7%8C%AB', '%E7%8C%AB'],
    ];
    const cases = values.flatMap(([sent, got]) => [
      [`/from/${sent}`, `/to/${got}/end`],
      [`/plain/${sent}`, `/to/${got}/end`],
      [`/rest/x/${sent}`, `/to/x/${got}`],
      [`/own/${sent}`, `/own/${got}`],
    ]);
    const fromQuery = [
      ['/query?a=a%2Fb', '/to/a%2Fb/end'],
      ['/query?a=a%252Fb', '/to/a%252Fb/end'],
      ['/query?a=a%5C..', '/to/a%5C../end'],
    ];
    for (const [target = '', wanted] of [...cases, ...fromQuery]) {
      await rawExchange(running.port, head('GET', target));
      assert.equal(backend.received.at(-1)?.split(' ')[1], wanted, target);
    }
  });

  it('CUSTOM and CLIENT content types', async (t) => {
    const backend = await startRawBackend(t, answering(ok('', 'Connection: close\r\n')));
    const form = { method: 'POST', mode: 'MAPPING', bodyFormat: 'FORM' } as const;
    const running = await startGateway(t, {
      custom: proxyTo(httpBackend(backend.address, { contentType: { category: 'CUSTOM', value: 'text/x' } }), {
        request: { ...form, path: '/custom' },
      }),
      client: proxyTo(httpBackend(backend.address, { contentType: { category: 'CLIENT', value: null } }), {
        request: { ...form, path: '/client' },
      }),
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded; x=1' };
    for (const target of ['/custom', '/client']) await call(running, target, { method: 'POST', headers, body: 'a=1' });
    const types = backend.received.map((text) => linesOf(text).get('content-type'));
    assert.deepEqual(types, ['text/x', 'application/x-www-form-urlencoded; x=1']);
  });
});

describe('the caller gets', () => {
  it("the backend's status, headers and body, errors without a code, its own CORS, redirects unfollowed", async (t) => {
    const backend = await startRawBackend(t, (socket, text) => {
      if (text.startsWith('GET /moved'))
        socket.write('HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n');
      else {
        socket.write(
          'HTTP/1.1 418 Teapot\r\nServer: own\r\nX-Powered-By: tea\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n' +
            'X-Ca-Request-Id: forged\r\nX-Ca-Error-Code: FORGED\r\nAccess-Control-Allow-Origin: https://own\r\nContent-Length: 3\r\n\r\nhot',
        );
      }
    });
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    const answer = await call(running, '/x');
    assert.equal(answer.status, 418);
    assert.equal(answer.text, 'hot');
    assert.equal(answer.headers.get('x-powered-by'), 'tea');
    assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2']);
    assert.equal(answer.headers.get('access-control-allow-origin'), 'https://own');
    assert.equal(answer.headers.get('access-control-max-age'), '172800');
    assert.equal(answer.headers.get('x-ca-request-id'), running.records[0]?.requestId);
    assert.deepEqual(errorOf(answer.headers), [null, null]);
    assert.equal(answer.headers.has('x-hop'), false);
    assert.equal(running.records[0]?.failure?.code, '418');
    const moved = await call(running, '/moved');
    assert.equal(moved.status, 302);
    assert.equal(backend.received.length, 1);
  });

  it('HEAD, 204 and 304 without a body, and interim answers never', async (t) => {
    const backend = await startRawBackend(t, (socket, text) => {
      const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n';
      if (text.startsWith('HEAD')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\n');
      else if (text.startsWith('GET /204')) socket.write('HTTP/1.1 204 No Content\r\n\r\n');
      else if (text.startsWith('GET /304'))
        socket.write('HTTP/1.1 304 Not Modified\r\nETag: "e"\r\nContent-Length: 9\r\n\r\n');
      else socket.write(`${interim}${ok('body')}`);
    });
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    const headAnswer = await call(running, '/head', { method: 'HEAD' });
    assert.equal(headAnswer.headers.get('content-length'), '5');
    assert.equal(headAnswer.headers.get('x-a'), 'b');
    const empty = await call(running, '/204');
    assert.equal(empty.status, 204);
    assert.equal(empty.headers.has('content-length'), false);
    const unchanged = await call(running, '/304');
    assert.equal(unchanged.status, 304);
    assert.equal(unchanged.headers.get('etag'), '"e"');
    const interim = await call(running, '/interim');
    assert.equal(interim.status, 200);
    assert.equal(interim.text, 'body');
    assert.equal(interim.headers.has('link'), false);
    assert.equal(backend.sockets.length, 1);
  });

  it('chunked bodies, bodies until close, and trailers never', async (t) => {
    const backend = await startRawBackend(t, (socket, text) => {
      if (text.startsWith('GET /close')) socket.end('HTTP/1.1 200 OK\r\n\r\nuntil close');
      else {
        const parts = [
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nab',
          'c\r\nA\r',
          '\n0123456789\r\n0\r\nX-T: 1\r\n\r\n',
        ];
        const next = () => {
          const part = parts.shift();
          if (part !== undefined) socket.write(part, () => setImmediate(next));
        };
        next();
      }
    });
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    assert.equal((await call(running, '/chunked')).text, 'abc0123456789');
    assert.equal((await call(running, '/chunked')).text, 'abc0123456789');
    assert.equal(backend.sockets.length, 1);
    assert.equal((await call(running, '/close')).text, 'until close');
    assert.equal((await call(running, '/chunked')).text, 'abc0123456789');
    assert.equal(backend.sockets.length, 2);
    assert.equal(running.records.length, 4);
    assert.deepEqual(running.bugs, []);
  });

  it('backend and total latency in debug mode', async (t) => {
    const backend = await startRawBackend(t, answering(ok('')));
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    const { headers } = await call(running, '/', { headers: { 'x-ca-request-mode': 'debug' } });
    assert.match(headers.get('x-ca-debug-info') ?? '', /^\{"ServiceLatency":\d+,"TotalLatency":\d+\}$/);
  });
});

describe('a backend that misbehaves is answered for:', () => {
  for (const [what, text, reason] of [
    [
      'both lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc',
      /Transfer-Encoding/,
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd', /Content-Length/],
    ['a signed length', 'HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc', /Content-Length/],
    ['a list of lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc', /Content-Length/],
    ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', /Transfer-Encoding/],
    ['a folded header', 'HTTP/1.1 200 OK\r\nX-A: b\r\n c: d\r\nContent-Length: 0\r\n\r\n', /header name/],
    ['a bare CR', 'HTTP/1.1 200 OK\r\nX-A: b\rX-Evil: 1\r\nContent-Length: 0\r\n\r\n', /line break/],
    ['a bare LF', 'HTTP/1.1 200 OK\r\nX-A: b\nX-Evil: 1\r\nContent-Length: 0\r\n\r\n', /line break/],
    ['a NUL', 'HTTP/1.1 200 OK\r\nX-A: b\0\r\nContent-Length: 0\r\n\r\n', /control character/],
    ['a blank before the colon', 'HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n', /header name/],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n\r\n', /status line/],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n', /status line/],
    ['switched protocols', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', /switched/],
    ['a huge head', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(70_000)}\r\n\r\n`, /larger than/],
    ['a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n', /size/],
  ] as const) {
    it(`${what}: N502RE, and no header of it`, async (t) => {
      const backend = await startRawBackend(t, answering(text));
      const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
      const { status, headers } = await call(running, '/');
      const [code, message] = errorOf(headers);
      assert.equal(status, 502);
      assert.equal(code, 'N502RE');
      assert.match(message ?? '', reason);
      assert.equal(headers.has('x-evil'), false);
      assert.equal(headers.has('x-a'), false);
      assert.equal(running.records[0]?.failure?.side, 'api-owner');
    });
  }

  it('bytes behind an answer: the connection is not used again', async (t) => {
    const backend = await startRawBackend(t, (socket) => {
      socket.write(`${ok('one')}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`);
    });
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    assert.equal((await call(running, '/1')).text, 'one');
    assert.equal((await call(running, '/2')).text, 'one');
    assert.equal(backend.sockets.length, 2);
  });

  it('an end in the middle of the body: the caller sees a broken answer, never a short one', async (t) => {
    const backend = await startRawBackend(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', () =>
        setImmediate(() => socket.end()),
      );
    });
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    const record = running.nextRecord();
    await assert.rejects(call(running, '/'));
    assert.equal((await record).failure?.code, 'N502RE');
  });

  it('a connection that nobody takes: D504CO with the address, kept out of the record', async (t) => {
    const backend = await startRawBackend(t, () => {});
    const running = await startGateway(t, { a: proxyTo(httpBackend('http://127.0.0.1:1')) });
    const { status, headers } = await call(running, '/');
    assert.equal(status, 504);
    assert.deepEqual(errorOf(headers), ['D504CO', 'Backend service connect failed `Connection refused: 127.0.0.1:1`']);
    assert.doesNotMatch(JSON.stringify(running.records), /127\.0\.0\.1:1"/);
    assert.equal(backend.received.length, 0);
  });

  it('no answer on a new connection: D504CO, not tried again', async (t) => {
    const backend = await startRawBackend(t, (socket) => void socket.end());
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    const { headers } = await call(running, '/');
    assert.deepEqual(errorOf(headers), ['D504CO', 'Backend service connect failed `Connection is closed`']);
    assert.equal(backend.sockets.length, 1);
  });

  it('plain HTTP where TLS is spoken: D504CS', async (t) => {
    const backend = await startRawBackend(t, () => {});
    const running = await startGateway(t, {
      a: proxyTo(httpBackend(`https://127.0.0.1:${backend.port}`, { timeoutMs: 1_000 })),
    });
    backend.sockets.length = 0;
    const answered = call(running, '/');
    while (backend.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
    backend.sockets[0]?.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    assert.equal(errorOf((await answered).headers)[0], 'D504CS');
  });

  it('silence: D504TO when ServiceTimeout is over', async (t) => {
    const backend = await startRawBackend(t, () => {});
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address, { timeoutMs: 100 })) });
    const { status, headers } = await call(running, '/');
    assert.equal(status, 504);
    assert.deepEqual(errorOf(headers), ['D504TO', 'Backend service request timeout']);
  });

  it('an answer that never ends: broken off when ServiceTimeout is over', async (t) => {
    const backend = await startRawBackend(
      t,
      (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'),
    );
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address, { timeoutMs: 150 })) });
    const record = running.nextRecord();
    await assert.rejects(call(running, '/'));
    const { failure, status } = await record;
    assert.equal(failure?.code, 'D504TO');
    assert.equal(failure?.side, 'api-owner');
    assert.equal(status, 200);
    await closed(backend.sockets[0]);
  });
});

describe('a connection that served before and was closed without an answer', () => {
  /** The first connection answers once and then closes when the second request has come. */
  const flaky = (socket: Socket, _head: string, count: number) => {
    if (count === 1) socket.write(ok('served'));
    else socket.end();
  };

  it('is replaced by a new one, once', async (t) => {
    const backend = await startRawBackend(t, flaky);
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    assert.equal((await call(running, '/1')).text, 'served');
    assert.equal((await call(running, '/2', { method: 'PUT', body: 'once' })).text, 'served');
    assert.equal(backend.sockets.length, 2);
    assert.equal(backend.received.filter((text) => text.endsWith('once')).length, 2);
  });

  it('is not replaced for a method that is not idempotent: the backend may have done it', async (t) => {
    const backend = await startRawBackend(t, flaky);
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    assert.equal((await call(running, '/1')).text, 'served');
    const { headers } = await call(running, '/2', { method: 'POST', body: 'once' });
    assert.equal(errorOf(headers)[0], 'D504CO');
    assert.equal(backend.received.filter((text) => text.endsWith('once')).length, 1);
  });

  it('is replaced for any method when it was closed before anything was sent', async (t) => {
    const backend = await startRawBackend(t, answering(ok('served')));
    const outbound = { guard: new AddressGuard({ allowsLoopback: true, allowed: [] }), poolLimits: { restMs: 0 } };
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) }, { outbound });
    assert.equal((await call(running, '/1')).text, 'served');
    const client = connect(running.port, '127.0.0.1');
    await once(client, 'connect');
    const answer = text(client);
    client.write(`${head('POST', '/2', ['Content-Length: 4'])}onc`);
    // The request is whole in the same moment: the gateway has not read of the end yet.
    await new Promise((resolve) => setImmediate(resolve));
    client.write('e');
    backend.sockets[0]?.end();
    assert.match(await answer, /served$/);
    assert.equal(backend.sockets.length, 2);
    assert.equal(backend.received.filter((request) => request.endsWith('once')).length, 1);
  });

  it('is not replaced twice', async (t) => {
    const backend = await startRawBackend(t, (socket, text, count) => {
      if (text.startsWith('GET /last') || count > 1) socket.end();
      else socket.write(ok('served'));
    });
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    await call(running, '/1');
    const { headers } = await call(running, '/last');
    assert.equal(errorOf(headers)[0], 'D504CO');
    assert.equal(backend.sockets.length, 2);
  });

  it('is not replaced when part of an answer came', async (t) => {
    const backend = await startRawBackend(t, (socket, _head, count) => {
      if (count === 1) socket.write(ok('served'));
      else socket.end('HTTP/1.1 2');
    });
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    await call(running, '/1');
    assert.equal(errorOf((await call(running, '/2')).headers)[0], 'N502RE');
    assert.equal(backend.sockets.length, 1);
  });
});
