// The journey of the README on the real server, started by its launcher script: call, fail, ask why.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Project, pythonReturning } from '../harness/project.ts';
import { functionCompute, gatewayClient, zipped } from '../harness/sdk.ts';
import {
  Cleanup,
  leftovers,
  processTree,
  root,
  startServer,
  type TestServer,
  temporaryDirectory,
} from '../harness/server.ts';

const run = promisify(execFile);
type CommandResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command line; an exit code is an answer, not an error. */
async function command(file: string, args: readonly string[]): Promise<CommandResult> {
  try {
    return { code: 0, ...(await run(file, args, { cwd: root })) };
  } catch (error) {
    return error as CommandResult;
  }
}
const yunmen = (server: TestServer, ...args: string[]) =>
  command(join(root, 'bin/yunmen'), [...args, '--data-dir', server.dataDir]);

type HttpAnswer = { readonly status: number; readonly headers: NodeJS.Dict<string | string[]>; readonly body: string };

/** POSTs a form with the given Host, as a client that knows the domain would. */
function postForm(
  gateway: string,
  path: string,
  host: string,
  headers: Record<string, string> = {},
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(gateway);
    const call = request(
      {
        host: hostname,
        port,
        path,
        method: 'POST',
        headers: { Host: host, 'Content-Type': 'application/x-www-form-urlencoded; charset=UTF-8', ...headers },
      },
      (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (text: string) => (body += text));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
      },
    );
    call.on('error', reject).end('a=12323&b=142');
  });
}

describe('dev on the example', () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  let server: TestServer;
  const form = { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8', accept: 'application/json' };

  before(async () => {
    server = await startServer(cleanup, ['dev', 'examples/testadd'], temporaryDirectory(cleanup));
  });

  const appKeys = () =>
    JSON.parse(readFileSync(server.ready.project?.app.credentialsFile ?? '', 'utf8')) as {
      appKey: string;
      appSecret: string;
    };

  test('names the project, its two APIs and its app in the ready line', () => {
    const { project } = server.ready;
    assert.deepEqual(
      project?.apis.map(({ method, url, auth }) => [method, new URL(url).pathname, auth]),
      [
        ['POST', '/testadd', 'APP'],
        ['POST', '/testevent', 'ANONYMOUS'],
      ],
    );
    assert.equal(project?.app.appKey, appKeys().appKey);
  });

  test('a call with the official client answers the sum', async () => {
    const { appKey, appSecret } = appKeys();
    const answer = await gatewayClient(appKey, appSecret).post(`${server.ready.gateway}/testadd`, {
      data: { a: '12323', b: '142' },
      headers: form,
    });
    assert.deepEqual(answer, { msg: '12465' });
  });

  test('yunmen call signs as the app and prints the answer', async () => {
    const called = await yunmen(server, 'call', 'POST', '/testadd', '-d', 'a=12323', '-d', 'b=142');
    assert.equal(called.stdout.trim(), '{"msg":"12465"}', called.stderr);
    assert.equal(called.code, 0);
  });

  test('a broken signature is refused with the string the server signed', async () => {
    const { appKey } = appKeys();
    await assert.rejects(
      gatewayClient(appKey, 'not the secret').post(`${server.ready.gateway}/testadd`, {
        data: { a: '12323', b: '142' },
        headers: form,
      }),
      (error: Error & { code?: unknown }) =>
        /POST#application\/json#/.test(error.message) && /\/testadd\?a=12323&b=142/.test(error.message),
    );
  });

  test('a function can be invoked alone, with the tail of its log', async () => {
    const fc = functionCompute(server.ready, server.credentials);
    const { data, headers } = await fc.invokeFunction(
      'demo',
      'testadd',
      JSON.stringify({ queryParameters: { a: '1', b: '2' } }),
      {
        'x-fc-log-type': 'Tail',
      },
    );
    assert.deepEqual((JSON.parse(String(data)) as { body: unknown }).body, { msg: '3' });
    const tail = Buffer.from(String(headers['x-fc-log-result']), 'base64').toString();
    assert.match(tail, /^FC Invoke Start RequestId: \S+\n/);
    assert.match(tail, /FC Invoke End RequestId: \S+\n$/);
  });

  test('SIGINT to the whole leaves no process, no socket and no server file', async () => {
    const marks = processTree(server.facts.pid);
    assert.ok(marks.length >= 4, 'control, data, launcher and at least one instance are there');
    server.child.kill('SIGINT');
    assert.equal(await server.exited, 0);
    assert.deepEqual(await leftovers(marks, [server.facts.runDir, join(server.dataDir, 'server.json')], 0), []);
  });
});

describe('a server with a project made through the APIs', () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  let server: TestServer;
  let project: Project;

  before(async () => {
    server = await startServer(
      cleanup,
      ['start', '--runtime-fallback', '--isolation', 'none'],
      temporaryDirectory(cleanup),
    );
    project = await Project.create(server, 'journey');
  });

  const add = async (name: string, expression: string, path: string) => {
    await project.addFunction('journey', name, pythonReturning(expression));
    return await project.addApi({ service: 'journey', functionName: name, path, auth: 'ANONYMOUS' });
  };
  const why = async (answer: HttpAnswer) =>
    JSON.parse((await yunmen(server, 'why', String(answer.headers['x-ca-request-id']), '--json')).stdout) as Record<
      string,
      unknown
    >;

  test('the whole event comes back as the body, member for member', async () => {
    await add('event', '{"isBase64Encoded": False, "statusCode": 200, "headers": {}, "body": event}', '/testadd');
    const answer = await postForm(server.ready.gateway, '/testadd', project.host);
    assert.equal(answer.status, 200);
    assert.deepEqual(JSON.parse(answer.body), {
      headers: {
        'X-Ca-Api-Gateway': answer.headers['x-ca-request-id'],
        'X-Forwarded-For': '127.0.0.1',
        'Content-Type': 'application/x-www-form-urlencoded; charset=UTF-8',
      },
      body: '',
      pathParameters: {},
      httpMethod: 'POST',
      path: '/testadd',
      isBase64Encoded: false,
      queryParameters: { b: '142', a: '12323' },
    });
  });

  for (const [name, expression, body] of [
    ['list', '[1, "two", None]', '[1,"two",null]'],
    ['number', '12.5', '12.5'],
    ['boolean', 'True', 'true'],
    ['null', 'None', ''],
    ['text', '"plain"', 'plain'],
  ] as const) {
    test(`a body that is a ${name} is accepted`, async () => {
      await add(`body_${name}`, `{"statusCode": 201, "body": ${expression}}`, `/${name}`);
      const answer = await postForm(server.ready.gateway, `/${name}`, project.host);
      assert.deepEqual([answer.status, answer.body], [201, body]);
    });
  }

  test('the bare event as a result is D502FC, and why tells exactly what was wrong', async () => {
    await add('bare', 'event', '/bare');
    const answer = await postForm(server.ready.gateway, '/bare', project.host);
    assert.deepEqual([answer.status, answer.headers['x-ca-error-code'], answer.body], [502, 'D502FC', '']);
    const told = await why(answer);
    assert.equal(told['code'], 'D502FC');
    assert.equal(told['side'], 'function');
    assert.equal(told['field'], 'statusCode');
    assert.match(server.log(), /D502FC/);
    assert.match(server.log(), /looked at \/bare/, "the function's own output stands in the server's log");
    const human = await yunmen(server, 'why', String(answer.headers['x-ca-request-id']));
    assert.match(human.stdout, /looked at \/bare/);
  });

  test('changed code answers the very next call', async () => {
    await add('changing', '{"statusCode": 200, "body": "0"}', '/changing');
    const fc = functionCompute(server.ready, server.credentials);
    for (let round = 1; round <= 5; round++) {
      const { files } = pythonReturning(`{"statusCode": 200, "body": "${round}"}`);
      await fc.updateFunction('journey', 'changing', { code: { zipFile: await zipped(files) } });
      assert.equal((await postForm(server.ready.gateway, '/changing', project.host)).body, String(round));
    }
  });

  test('an abolished API is gone, a revoked grant is refused, by the next call', async () => {
    await project.addFunction('journey', 'granted', pythonReturning('{"statusCode": 200, "body": {"is": "in"}}'));
    const { apiId } = await project.addApi({
      service: 'journey',
      functionName: 'granted',
      path: '/granted',
      auth: 'APP',
    });
    const { appId, key, secret } = await project.addApp('caller', apiId);
    const call = () =>
      gatewayClient(key, secret).post(`${server.ready.gateway}/granted`, {
        data: { a: '1' },
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
    const stage = { GroupId: project.groupId, ApiId: apiId, StageName: 'RELEASE' };
    assert.deepEqual(await call(), { is: 'in' });
    await project.cloudApi('RemoveAppsAuthorities', { ...stage, AppIds: String(appId) });
    await assert.rejects(call(), /Unauthorized/);
    await project.cloudApi('SetAppsAuthorities', { ...stage, AppIds: String(appId) });
    assert.deepEqual(await call(), { is: 'in' });
    await project.cloudApi('AbolishApi', stage);
    await assert.rejects(call(), /API not found/);
  });

  test('a second server on the same data directory is told so', async () => {
    const second = await command(join(root, 'bin/yunmen'), [
      'start',
      '--isolation',
      'none',
      '--data-dir',
      server.dataDir,
      '--api-port',
      '0',
    ]);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /in use/);
    assert.ok(second.stderr.includes(server.dataDir), second.stderr);
  });
});

test('the lines that dev prints can be pasted into a shell', async (t) => {
  const dataDir = temporaryDirectory(t);
  const ports = ['--gateway-port', '0', '--http-port', '0', '--api-port', '0'];
  const child = spawn(join(root, 'bin/yunmen'), ['dev', 'examples/testadd', '--data-dir', dataDir, ...ports], {
    cwd: root,
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  t.after(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  let printed = '';
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  await new Promise<void>((resolve, reject) => {
    void exited.then(() => reject(new Error(`ended:\n${printed}\n${log}`)));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (/Ctrl-C/.test(printed)) resolve();
    });
  });
  const lines = printed
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.trim());
  const calls = lines.filter((line) => line.startsWith('bin/yunmen call') || line.startsWith('yunmen call'));
  const curls = lines.filter((line) => line.startsWith('curl '));
  assert.equal(calls.length >= 1, true, printed);
  assert.equal(curls.length >= 2, true, printed);
  const shell = (line: string) => run('sh', ['-c', line.replace(/^yunmen/, 'bin/yunmen')], { cwd: root });
  assert.equal((await shell(calls[0] ?? '')).stdout.trim(), '{"msg":"12465"}');
  // Without nonce and timestamp the signed line may be repeated.
  for (let round = 0; round < 2; round++) {
    assert.match((await shell(curls[0] ?? '')).stdout, /\{"msg":"12465"\}/);
  }
  assert.match((await shell(curls[1] ?? '')).stdout, /"queryParameters":\{.*"12323"/);
});
