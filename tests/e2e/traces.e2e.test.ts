// Traces over OTLP/HTTP: a collector of the test's own takes what a real server exports, and finds gateway and function in one trace.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { Connection } from '../harness/connections.ts';
import { callByHost } from '../harness/host-call.ts';
import { OpenApi } from '../harness/openapi.ts';
import { Project, pythonReturning } from '../harness/project.ts';
import { functionCompute, zipped } from '../harness/sdk.ts';
import { startServer, temporaryDirectory } from '../harness/server.ts';

type Value = { stringValue?: string; intValue?: string; boolValue?: boolean; doubleValue?: number };
type ReceivedSpan = {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Value }[];
  status?: { code: number; message: string };
};
type Body = {
  resourceSpans: {
    resource: { attributes: { key: string; value: Value }[] };
    scopeSpans: { spans: ReceivedSpan[] }[];
  }[];
};

/** Takes spans as a collector does. */
async function startCollector(t: TestContext) {
  const spans: ReceivedSpan[] = [];
  const heads: { url: string | undefined; headers: IncomingHttpHeaders }[] = [];
  const arrived = new Set<() => void>();
  const server = createServer(async (message, response) => {
    const body = JSON.parse(await text(message)) as Body;
    heads.push({ url: message.url, headers: message.headers });
    for (const { scopeSpans } of body.resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    for (const tell of arrived) tell();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  const waitFor = async (count: number) => {
    while (spans.length < count) await new Promise<void>((resolve) => arrived.add(resolve));
    return spans;
  };
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heads, waitFor };
}

const attributesOf = (span: ReceivedSpan | undefined) =>
  Object.fromEntries((span?.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]));

test('gateway and function are in the caller’s trace, one below the other, and so is the function’s own header', async (t) => {
  const collector = await startCollector(t);
  const flags = ['--trace-endpoint', collector.endpoint, '--trace-headers', 'x-team=one'];
  const command = ['start', '--runtime-fallback', '--isolation', 'none', ...flags];
  const server = await startServer(t, command, temporaryDirectory(t));
  const project = await Project.create(server, 'traced');
  const shown = pythonReturning('json.dumps({"statusCode": 200, "body": event["headers"].get("traceparent", "none")})');
  await project.addFunction('traced', 'shown', shown);
  await project.addApi({ service: 'traced', functionName: 'shown', path: '/shown', auth: 'ANONYMOUS' });
  const connection = new Connection(server.ready.gateway);
  t.after(() => connection.close());

  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const sent = `00-${traceId}-00f067aa0ba902b7-01`;
  const got = await connection.send('POST', '/shown', { Host: project.host, traceparent: sent });
  assert.equal(got.status, 200);
  const unwanted = await connection.send('POST', '/shown', {
    Host: project.host,
    traceparent: sent.replace(/1$/, '0'),
  });
  assert.match(unwanted.body, /-00$/);
  const missed = await connection.send('GET', '/nowhere', { Host: project.host });
  const spans = await collector.waitFor(3);
  assert.equal(spans.length, 3, 'two of the traced call, one of the missed, none of the one that wants none');

  const gateway = spans.find(({ kind, traceId: id }) => kind === 2 && id === traceId);
  const invoked = spans.find(({ kind }) => kind === 3);
  assert.equal(gateway?.parentSpanId, '00f067aa0ba902b7');
  assert.equal(gateway?.name, 'POST api_shown');
  assert.equal(attributesOf(gateway)['http.response.status_code'], '200');
  assert.equal(attributesOf(gateway)['yunmen.request_id'], got.headers['x-ca-request-id']);
  assert.deepEqual([invoked?.traceId, invoked?.parentSpanId], [traceId, gateway?.spanId]);
  assert.equal(attributesOf(invoked)['faas.invoked_name'], 'traced/shown');
  assert.equal(attributesOf(invoked)['faas.coldstart'], true);
  assert.equal(got.body, `00-${traceId}-${gateway?.spanId}-01`, 'what the function sees continues the gateway’s span');
  const within = (inner: ReceivedSpan | undefined, outer: ReceivedSpan | undefined) =>
    BigInt(inner?.startTimeUnixNano ?? 0) >= BigInt(outer?.startTimeUnixNano ?? 0) &&
    // The clocks of both ends are rounded to a millisecond.
    BigInt(inner?.endTimeUnixNano ?? 0) <= BigInt(outer?.endTimeUnixNano ?? 0) + 2_000_000n;
  assert.ok(within(invoked, gateway));

  const own = spans.find(({ traceId: id }) => id !== traceId);
  assert.equal(own?.traceId, String(missed.headers['x-ca-request-id']).replaceAll('-', '').toLowerCase());
  assert.equal(attributesOf(own)['error.type'], 'I404NF');
  assert.equal(own?.status, undefined, 'a caller’s mistake is no error of the server');
  assert.ok(collector.heads.every(({ url, headers }) => url === '/v1/traces' && headers['x-team'] === 'one'));
  assert.equal(await server.stop(), 0);
});

test('calls of HTTP triggers are spans too, in both address forms, and what the function sees hangs below them', async (t) => {
  const collector = await startCollector(t);
  const flags = ['--trace-endpoint', collector.endpoint];
  const command = ['start', '--runtime-fallback', '--isolation', 'none', ...flags];
  const server = await startServer(t, command, temporaryDirectory(t));
  const api = new OpenApi(server.ready, server.credentials);
  t.after(() => api.close());
  const triggerConfig = { authType: 'anonymous', methods: ['GET'] };
  const source = 'exports.handler = async (event) => JSON.parse(event).headers.Traceparent;\n';
  const code = { zipFile: await zipped({ 'index.js': source }) };
  const settings = { functionName: 'shown', runtime: 'nodejs20', handler: 'index.handler', code };
  assert.equal((await api.fc('POST', '/functions', settings)).status, 200);
  const made = await api.fc('POST', '/functions/shown/triggers', {
    triggerName: 'http',
    triggerType: 'http',
    triggerConfig: JSON.stringify(triggerConfig),
  });
  const { urlInternet } = made.body['httpTrigger'] as { urlInternet: string };
  const sdk = functionCompute(server.ready, server.credentials);
  await sdk.createService('traced');
  const wsgi = [
    'def handler(environ, start_response):',
    "    start_response('200 OK', [])",
    "    return [environ.get('HTTP_TRACEPARENT', 'none').encode()]",
    '',
  ].join('\n');
  const zipFile = await zipped({ 'index.py': wsgi });
  const older = { functionName: 'wsgi', runtime: 'python3.10', handler: 'index.handler', code: { zipFile } };
  await sdk.createFunction('traced', older);
  await sdk.createTrigger('traced', 'wsgi', { triggerName: 'http', triggerType: 'http', triggerConfig });

  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
  const own = await callByHost(urlInternet);
  const continued = await callByHost(`${server.ready.api}/2016-08-15/proxy/traced/wsgi/a`, {
    headers: { traceparent },
  });
  await callByHost(urlInternet, { headers: { traceparent: traceparent.replace(/1$/, '0') } });
  const missed = await callByHost(urlInternet, { method: 'PUT' });
  assert.deepEqual([own.status, continued.status, missed.status], [200, 200, 405]);

  const spans = await collector.waitFor(5);
  assert.equal(
    spans.length,
    5,
    'two of each call that ran a function, one of the refused, none of the one that wants none',
  );
  for (const [answer, name, invoked] of [
    [own, 'GET shown', 'shown'],
    [continued, 'GET traced/wsgi', 'traced/wsgi'],
  ] as const) {
    const outer = spans.find((span) => span.kind === 2 && span.name === name);
    const inner = spans.find((span) => span.kind === 3 && span.name === `invoke ${invoked}`);
    assert.ok(outer !== undefined && inner !== undefined, name);
    assert.deepEqual([inner.traceId, inner.parentSpanId], [outer.traceId, outer.spanId]);
    assert.equal(answer.body.replaceAll('"', ''), `00-${outer.traceId}-${outer.spanId}-01`);
    const { 'yunmen.request_id': id, 'faas.trigger': trigger, 'yunmen.qualifier': qualifier } = attributesOf(outer);
    assert.deepEqual([id, trigger, qualifier], [answer.headers['x-fc-request-id'], 'http', 'LATEST']);
  }
  const joined = spans.filter((span) => span.traceId === traceId);
  assert.equal(joined.find(({ kind }) => kind === 2)?.parentSpanId, '00f067aa0ba902b7');
  const first = String(own.headers['x-fc-request-id']).replaceAll('-', '').slice(-32);
  assert.equal(
    spans.filter((span) => span.traceId === first).length,
    2,
    'a trace of its own has the id of the request',
  );
  const refused = spans.find((span) => span.name === 'PUT shown');
  assert.equal(attributesOf(refused)['error.type'], 'MethodNotAllowed');
  assert.equal(await server.stop(), 0);
});

test('a collector that is not there costs no request, and the log says so once', async (t) => {
  const flags = ['--trace-endpoint', 'http://127.0.0.1:9'];
  const server = await startServer(t, ['start', '--isolation', 'none', ...flags], temporaryDirectory(t));
  const connection = new Connection(server.ready.gateway);
  t.after(() => connection.close());
  for (let i = 0; i < 600; i++) assert.equal((await connection.send('GET', '/', {})).status, 404);
  assert.equal(await server.stop(), 0);
  assert.equal(server.log().split('the collector does not take traces').length - 1, 1);
});
