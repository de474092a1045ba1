// The log and the metrics of a whole server: every answered request is found, also after a restart.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { cloudApi, functionCompute, zipped } from '../harness/sdk.ts';
import { root, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

const run = promisify(execFile);

/** The JSON lines that a command prints. */
async function yunmen(server: TestServer, ...args: string[]): Promise<Record<string, unknown>[]> {
  const { stdout } = await run(join(root, 'bin/yunmen'), [...args, '--data-dir', server.dataDir, '--json']);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function publishMock(server: TestServer): Promise<{ groupId: string; apiId: string }> {
  const call = cloudApi(server.ready, server.credentials);
  const groupId = String((await call('CreateApiGroup', { GroupName: 'logged', Description: 'd' }))['GroupId']);
  const made = await call('CreateApi', {
    GroupId: groupId,
    ApiName: 'logged_api',
    Visibility: 'PRIVATE',
    AuthType: 'ANONYMOUS',
    RequestConfig: {
      RequestProtocol: 'HTTP',
      RequestHttpMethod: 'GET',
      RequestPath: '/it',
      RequestMode: 'PASSTHROUGH',
    },
    ServiceConfig: { Mock: 'TRUE', MockResult: 'mocked', ServiceProtocol: 'HTTP' },
    RequestParameters: [],
    ResultType: 'JSON',
    ResultSample: '{}',
  });
  const apiId = String(made['ApiId']);
  await call('DeployApi', { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE', Description: 'd' });
  return { groupId, apiId };
}

test('requests are found by id, API, status and time, by the API and the command, and failed ones survive a restart', async (t) => {
  const dataDir = temporaryDirectory(t);
  let server = await startServer(t, ['start'], dataDir);
  const { groupId, apiId } = await publishMock(server);
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${server.ready.gateway}${path}`, { headers });
    await answer.arrayBuffer();
    return { status: answer.status, id: answer.headers.get('x-ca-request-id') ?? '' };
  };
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const secret = { Authorization: 'Bearer hunter2', Cookie: 'session=hunter2', traceparent };
  const good = await get('/it?password=hunter2', secret);
  const bad = await get('/nowhere?token=hunter2', secret);
  assert.deepEqual([good.status, bad.status], [200, 404]);

  const ask = cloudApi(server.ready, server.credentials);
  const found = await ask('QueryRequestLogs', { RequestLogId: good.id });
  const [entry] = (found['RequestLogs'] as { RequestLog: Record<string, unknown>[] }).RequestLog;
  assert.equal(entry?.['RequestId'], good.id);
  assert.equal(entry?.['ApiId'], apiId);
  assert.equal(entry?.['GroupName'], 'logged');
  assert.equal(entry?.['StatusCode'], '200');
  assert.equal(entry?.['HttpPath'], '/it');
  assert.equal(entry?.['CustomTraceId'], '4bf92f3577b34da6a3ce929d0e0e4736');
  assert.equal(entry?.['ResponseSize'], '6');
  assert.equal(typeof entry?.['FrontRequestStart'], 'number');
  const failed = await ask('QueryRequestLogs', { RequestLogId: bad.id });
  assert.equal(
    (failed['RequestLogs'] as { RequestLog: Record<string, unknown>[] }).RequestLog[0]?.['ErrorCode'],
    'I404NF',
  );
  const none = await ask('QueryRequestLogs', { RequestLogId: '00000000-0000-4000-8000-000000000000' });
  assert.deepEqual((none['RequestLogs'] as { RequestLog: unknown[] }).RequestLog, []);

  const ids = async (...args: string[]) => (await yunmen(server, 'logs', ...args)).map((record) => record['requestId']);
  assert.deepEqual(await ids(), [good.id, bad.id]);
  assert.deepEqual(await ids('--api', apiId), [good.id]);
  assert.deepEqual(await ids('--status', '4xx', '--since', '10m'), [bad.id]);
  assert.deepEqual(await ids('--app', '1'), []);
  assert.deepEqual(await ids('--until', '1h'), []);
  assert.deepEqual(await ids('--until', new Date(Date.now() + 60_000).toISOString()), [good.id, bad.id]);
  assert.deepEqual(await ids(good.id), [good.id]);
  assert.equal((await yunmen(server, 'why', good.id))[0]?.['code'], null);

  const metrics = await (await fetch(`${server.ready.api}/metrics`)).text();
  const labels = `api="${apiId}",stage="RELEASE",group="${groupId}"`;
  assert.ok(metrics.includes(`yunmen_requests_total{${labels},status="200"} 1\n`), metrics);
  assert.ok(metrics.includes('yunmen_requests_total{api="other",stage="other",group="other",status="404"} 1\n'));
  assert.ok(metrics.includes(`yunmen_request_duration_seconds_count{${labels}} 1\n`));
  assert.match(metrics, /yunmen_process_resident_bytes\{process="data"\} \d{7,}/);
  for (const line of metrics.trimEnd().split('\n'))
    assert.match(line, /^(# (HELP|TYPE) .+|[a-z_]+(\{.*\})? [-+.\de]+)$/);

  const told =
    JSON.stringify([entry, await yunmen(server, 'logs'), await yunmen(server, 'why', bad.id)]) + server.log();
  assert.ok(!told.includes('hunter2'), 'no secret of a request is in its record or in the log');
  const target = { SlsProject: 'e2e-logs', SlsLogStore: 'gateway', LogType: 'PROVIDER' };
  await ask('CreateLogConfig', target);
  const delivered: string[] = [(await get('/it')).id];
  await server.stop();

  server = await startServer(t, ['start'], dataDir);
  delivered.push((await get('/nowhere')).id);
  const [why] = await yunmen(server, 'why', bad.id);
  assert.equal(why?.['code'], 'I404NF');
  assert.deepEqual((await ids()).slice(0, 2), [good.id, bad.id]);
  await server.stop();
  const lines = readFileSync(join(dataDir, 'logs', 'e2e-logs', 'gateway.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  const members = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    members.map(({ requestId, statusCode, apiGroupName }) => [requestId, statusCode, apiGroupName]),
    [
      [delivered[0], '200', 'logged'],
      [delivered[1], '404', 'logged'],
    ],
  );
});

test('calls of a function\u2019s trigger are found by id and function, explained, and counted', async (t) => {
  const server = await startServer(t, ['start', '--runtime-fallback', '--isolation', 'none'], temporaryDirectory(t));
  const fc = functionCompute(server.ready, server.credentials);
  await fc.createService('shop');
  const code =
    "exports.handler = (req, resp) => { if (req.path === '/throws') throw new Error('oops'); resp.send('fine'); };";
  const settings = { functionName: 'web', runtime: 'nodejs20', handler: 'index.handler' };
  await fc.createFunction('shop', { ...settings, code: { zipFile: await zipped({ 'index.js': code }) } });
  const triggerConfig = { authType: 'anonymous', methods: ['GET'] };
  await fc.createTrigger('shop', 'web', { triggerName: 'http', triggerType: 'http', triggerConfig });
  const call = async (path: string, method = 'GET') => {
    const answer = await fetch(`${server.ready.api}/2016-08-15/proxy/shop/web${path}`, { method });
    await answer.arrayBuffer();
    return { status: answer.status, id: answer.headers.get('x-fc-request-id') ?? '' };
  };
  const [good, thrown, refused] = [
    await call('/fine?token=hunter2'),
    await call('/throws'),
    await call('/fine', 'PUT'),
  ];
  assert.deepEqual([good.status, thrown.status, refused.status], [200, 502, 405]);

  // What it printed stands among them, and has no status.
  const found = (await yunmen(server, 'logs', '--function', 'shop/web')).filter(({ status }) => status !== undefined);
  assert.deepEqual(
    found.map(({ requestId, status, functionName, qualifier }) => [requestId, status, functionName, qualifier]),
    [good, thrown, refused].map(({ id, status }) => [id, status, 'shop/web', 'LATEST']),
  );
  assert.deepEqual(await yunmen(server, 'logs', '--function', 'shop/other'), []);
  assert.ok(!JSON.stringify(found).includes('hunter2'));
  const [cold, warm] = found.map(({ coldStart }) => coldStart as Record<string, number> | null);
  const { loadMs = 0, handlerMs = 0, startMs = 0, codeMs = 0 } = cold ?? {};
  assert.ok(startMs + codeMs > 0 && loadMs > 0 && handlerMs > 0, JSON.stringify(cold));
  assert.equal(warm, null);
  const { stdout } = await run(join(root, 'bin/yunmen'), ['why', good.id, '--data-dir', server.dataDir]);
  assert.match(stdout, /start: wait [\d.]+, (start|code) [\d.]+, load [\d.]+, initializer 0, handler [\d.]+ ms/);
  const [why] = await yunmen(server, 'why', thrown.id);
  assert.deepEqual([why?.['code'], why?.['side']], ['UnhandledInvocationError', 'function']);
  assert.match(String(why?.['got']), /oops/);
  assert.match(String((await yunmen(server, 'why', refused.id))[0]?.['message']), /'PUT' is not allowed/);
  const metrics = await (await fetch(`${server.ready.api}/metrics`)).text();
  const labels = 'function="shop/web",qualifier="LATEST"';
  for (const status of [200, 502, 405])
    assert.ok(metrics.includes(`yunmen_trigger_requests_total{${labels},status="${status}"} 1\n`), metrics);
  assert.ok(metrics.includes(`yunmen_trigger_function_duration_seconds_count{${labels}} 2\n`), metrics);
});
