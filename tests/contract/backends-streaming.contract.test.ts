// Bodies between caller, gateway and HTTP backend flow both ways with back-pressure, over real sockets.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect as connectHttp2, createSecureServer } from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { facts, group } from '../../src/gateway/testing.ts';
import type { Backend } from '../../src/model/api.ts';
import type { CallHttpFunction, HttpFunctionOutcome, HttpFunctions } from '../../src/model/http-function.ts';
import { closed, head, httpBackend, proxyTo, rawExchange, startGateway, startRawBackend } from './backends-fixture.ts';

describe('bodies flow', () => {
  it('past the log, which keeps their beginnings where the group wants them', async (t) => {
    const backend = await startRawBackend(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n');
      setImmediate(() => socket.write(`400\r\n${'x'.repeat(0x400)}\r\n0\r\n\r\n`));
    });
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    const all = { query: [], requestHeaders: [], responseHeaders: [], jwtClaims: [] };
    const options = { passedHeaders: [], codePlace: null, tracePlace: null, hidesServer: false, callsPerSecond: null };
    const log = { ...all, requestBody: true, responseBody: true };
    await running.publish([group({ options: { ...options, log } })]);
    const big = `begin${'y'.repeat(100_000)}`;
    const record = running.nextRecord();
    const answer = await fetch(`${running.url}/up`, { method: 'POST', body: big });
    assert.equal(await answer.text(), `one${'x'.repeat(0x400)}`);
    const { logged } = await record;
    assert.equal(logged?.requestBody, big.slice(0, 1024));
    assert.equal(logged?.responseBody, `one${'x'.repeat(1021)}`);
  });

  it('to a backend in their time: a caller that stops within a body is answered, and the backend gets no whole request', async (t) => {
    const backend = await startRawBackend(t, () => {}); // waits for the rest
    const running = await startGateway(
      t,
      { a: proxyTo(httpBackend(backend.address)) },
      { settings: { bodyTimeoutMs: 200 } },
    );
    const client = connect(running.port, '127.0.0.1');
    client.write(head('POST', '/up', ['Content-Length: 100000']));
    client.write('x'.repeat(70_000));
    const answer = await readText(client);
    assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*X-Ca-Error-Code: I400BD[\s\S]*Connection: close/);
    assert.deepEqual(running.bugs, []);
  });

  it('that break off are reset with an error in HTTP/2, so that they do not look whole', async (t) => {
    const began: Socket[] = [];
    const backend = await startRawBackend(t, (socket) => {
      began.push(socket);
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n');
    });
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const server = createSecureServer(running.gateway.tlsOptions({ subject: 'streams', privateKey: pem }));
    running.gateway.attachTls(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const session = connectHttp2(`https://localhost:${port}`, { rejectUnauthorized: false });
    t.after(() => session.destroy());
    const stream = session.request({ ':path': '/broken' });
    stream.once('data', () => {
      for (const socket of began) socket.destroy();
    });
    await assert.rejects(once(stream, 'end'), { code: 'ERR_HTTP2_STREAM_ERROR' });
  });

  it('to a slow backend no faster than it reads', async (t) => {
    let backendSocket: Socket | undefined;
    const { createServer } = await import('node:net');
    const server = createServer((socket) => {
      backendSocket = socket;
      socket.pause();
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      backendSocket?.destroy();
      server.close();
    });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const running = await startGateway(
      t,
      { a: proxyTo(httpBackend(`http://127.0.0.1:${port}`, { timeoutMs: 60_000 })) },
      { settings: { bodyLimitBytes: 64 * 1024 * 1024 } },
    );
    const total = 48 * 1024 * 1024;
    const client = connect(running.port, '127.0.0.1');
    client.on('error', () => {});
    client.write(head('POST', '/up', [`Content-Length: ${total}`]));
    const chunk = Buffer.alloc(64 * 1024);
    let sent = 0;
    let isTaken = true;
    client.on('drain', () => {
      isTaken = true;
    });
    // Writes whenever the gateway takes it, and stops when it took nothing for many turns of the loop: then every buffer is full.
    for (let still = 0; sent < total && still < 400; ) {
      if (isTaken) {
        isTaken = client.write(chunk);
        sent += chunk.length;
        still = 0;
      } else {
        await new Promise((resolve) => setImmediate(resolve));
        still++;
      }
    }
    assert.ok(sent < total, 'the whole body was taken although the backend reads nothing');
    const record = running.nextRecord();
    backendSocket?.destroy();
    assert.equal((await record).failure?.code, 'D504CO');
    client.destroy();
  });

  it('to a slow caller no faster than it reads, and whole in the end', async (t) => {
    const total = 32 * 1024 * 1024;
    let written = 0;
    const backend = await startRawBackend(t, (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const more = () => {
        while (written < total) {
          written += chunk.length;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on('drain', more);
      more();
    });
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address, { timeoutMs: 60_000 })) });
    const client = connect(running.port, '127.0.0.1');
    client.write(head('GET', '/down'));
    client.pause();
    let last = -1;
    for (let still = 0; still < 400; ) {
      await new Promise((resolve) => setImmediate(resolve));
      still = written === last ? still + 1 : 0;
      last = written;
    }
    assert.ok(written < total, 'the whole answer was taken although the caller reads nothing');
    let got = 0;
    client.on('data', (bytes) => {
      got += bytes.length;
    });
    client.resume();
    await once(client, 'close');
    assert.ok(got > total);
    assert.equal(running.records[0]?.failure, null);
  });

  it('in chunks both ways, each as it comes', async (t) => {
    const { createServer } = await import('node:http');
    const server = createServer((message, response) => {
      response.writeHead(200);
      message.on('data', (bytes: Buffer) => response.write(bytes.toString().toUpperCase()));
      message.on('end', () => response.end('.'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const running = await startGateway(t, { a: proxyTo(httpBackend(`http://127.0.0.1:${port}`)) });
    const record = running.nextRecord();
    const client = httpRequest(`${running.url}/echo`, { method: 'POST' });
    client.write('one');
    const [answer] = (await once(client, 'response')) as [import('node:http').IncomingMessage];
    answer.setEncoding('utf8');
    assert.equal((await once(answer, 'data'))[0], 'ONE');
    client.write('two');
    assert.equal((await once(answer, 'data'))[0], 'TWO');
    const ended = once(answer, 'end');
    client.end();
    assert.equal((await once(answer, 'data'))[0], '.');
    await ended;
    const { requestBytes, responseBytes } = await record;
    assert.deepEqual([requestBytes, responseBytes], [6, 7]);
  });

  it('no further than the limit when no length was announced', async (t) => {
    const backend = await startRawBackend(t, () => {});
    const running = await startGateway(
      t,
      { a: proxyTo(httpBackend(backend.address)) },
      { settings: { bodyLimitBytes: 100_000 } },
    );
    const body = `${(0x20000).toString(16)}\r\n${'x'.repeat(0x20000)}\r\n0\r\n\r\n`;
    const answer = await rawExchange(running.port, head('POST', '/', ['Transfer-Encoding: chunked']) + body);
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /X-Ca-Error-Code: I413RL/);
    await closed(backend.sockets[0]);
  });

  it('no further when the caller has gone, and the backend is let go', async (t) => {
    const backend = await startRawBackend(
      t,
      (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'),
    );
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    const record = running.nextRecord();
    const client = connect(running.port, '127.0.0.1');
    client.write(head('GET', '/'));
    await once(client, 'data');
    client.destroy();
    const { status, responseBytes } = await record;
    assert.deepEqual([status, responseBytes], [499, 3]);
    await closed(backend.sockets[0]);
  });
});

describe('the answer of an HTTP function that sends in chunks', () => {
  const backend: Backend = {
    kind: 'function-http',
    target: { serviceName: null, functionName: 'web', qualifier: null },
    ...{ baseUrl: '', version: '3.0', onlyBusinessPath: false, roleArn: null },
    ...{ path: '', method: 'ANY', timeoutMs: 60_000, contentType: { category: 'DEFAULT', value: null } },
  };
  const served = (call: CallHttpFunction): HttpFunctions => ({
    takesEvents: () => false,
    targetOf: () => null,
    accountOf: () => '1',
    call,
  });
  const coldStart = { ...{ waitMs: 1, startMs: 2, codeMs: 3, loadMs: 4, initializerMs: 0 }, isSpare: false };
  const answered: HttpFunctionOutcome = {
    ...{ kind: 'answer', head: { status: 200, headers: [] }, body: Buffer.alloc(0) },
    facts: { ...facts, coldStart },
  };

  it('reaches the caller as it comes', async (t) => {
    const next = Promise.withResolvers<void>();
    const httpFunctions = served(async ({ sink }) => {
      sink?.head({ status: 201, headers: ['Content-Type', 'text/event-stream', 'X-Fc-Own', '1'] });
      sink?.write(Buffer.from('one'));
      await next.promise;
      sink?.write(Buffer.from('two'));
      return answered;
    });
    const running = await startGateway(t, { a: proxyTo(backend) }, { httpFunctions });
    const answer = await fetch(`${running.url}/`);
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [201, 'text/event-stream']);
    assert.equal(answer.headers.get('x-fc-own'), null);
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), 'one');
    const record = running.nextRecord();
    next.resolve();
    assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), 'two');
    assert.equal((await reader.read()).done, true);
    const { failure, coldStart: recorded } = await record;
    assert.deepEqual([failure, recorded?.loadMs], [null, 4]);
  });

  it('waits while the caller takes nothing, and is whole in the end', async (t) => {
    const total = 32 * 1024 * 1024;
    const chunk = Buffer.alloc(64 * 1024, 'x');
    let written = 0;
    const begun = Promise.withResolvers<void>();
    const httpFunctions = served(async ({ sink }) => {
      sink?.head({ status: 200, headers: [] });
      begun.resolve();
      while (written < total) {
        written += chunk.length;
        if (sink?.write(chunk) === false) await sink.drained();
      }
      return answered;
    });
    const running = await startGateway(t, { a: proxyTo(backend) }, { httpFunctions });
    const client = connect(running.port, '127.0.0.1');
    client.write(head('GET', '/'));
    client.pause();
    await begun.promise;
    let last = -1;
    for (let still = 0; still < 400; ) {
      await new Promise((resolve) => setImmediate(resolve));
      still = written === last ? still + 1 : 0;
      last = written;
    }
    assert.ok(written < total, 'the whole answer was taken although the caller reads nothing');
    let got = 0;
    client.on('data', (bytes) => {
      got += bytes.length;
    });
    client.resume();
    await once(client, 'close');
    assert.ok(got > total);
    assert.equal(running.records[0]?.failure, null);
  });

  it('that breaks off is shown broken, and one whose caller has gone is called off', async (t) => {
    const begun = Promise.withResolvers<void>();
    const broken = served(async ({ sink }) => {
      sink?.head({ status: 200, headers: [] });
      sink?.write(Buffer.from('half'));
      await begun.promise;
      return { kind: 'function-error', errorType: 'UnhandledInvocationError', body: Buffer.alloc(0), ...facts };
    });
    const running = await startGateway(t, { a: proxyTo(backend) }, { httpFunctions: broken });
    const record = running.nextRecord();
    const half = await fetch(`${running.url}/`);
    begun.resolve();
    await assert.rejects(half.text());
    const { failure } = await record;
    assert.deepEqual([failure?.code, failure?.side], ['N502RE', 'function']);

    const calledOff = Promise.withResolvers<void>();
    const endless = served(async ({ sink }, signal) => {
      sink?.head({ status: 200, headers: [] });
      sink?.write(Buffer.from('half'));
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      calledOff.resolve();
      return answered;
    });
    const other = await startGateway(t, { a: proxyTo(backend) }, { httpFunctions: endless });
    const gone = other.nextRecord();
    const client = connect(other.port, '127.0.0.1');
    client.write(head('GET', '/'));
    await once(client, 'data');
    client.destroy();
    await calledOff.promise;
    assert.equal((await gone).status, 499);
  });
});
