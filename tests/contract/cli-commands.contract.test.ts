import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fakeKey, refusal } from './cli-fake-server.ts';
import { runIn, withPlace } from './cli-run.ts';

const app = { appId: 7, appKey: '203753385', appSecret: 'do-not-print-this' };
const requestId = '1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF';

test('function create packs the folder and sends it to FC 3, signed', async () => {
  await withPlace(async ({ fake, folder, run }) => {
    await mkdir(join(folder, 'code'));
    await writeFile(join(folder, 'code', 'index.py'), 'x');
    const flags = [
      '--code',
      'code',
      '--runtime',
      'python3.10',
      '--handler',
      'index.handler',
      '--memory',
      '256',
      '--timeout',
      '9',
    ];
    const ran = await run(['function', 'create', 'hello', ...flags, '--env', 'A=1=2', '--env', 'B=']);
    assert.equal(ran.exitCode, 0, ran.stderr);
    assert.match(ran.stdout, /^created hello \(python3\.10/);
    const sent = fake.seen.at(-1);
    assert.equal(`${sent?.method} ${sent?.path}`, 'POST /2023-03-30/functions');
    const { code, ...rest } = JSON.parse(sent?.body.toString() ?? '{}');
    assert.equal(Buffer.from(code.zipFile, 'base64').toString('latin1', 0, 2), 'PK');
    assert.deepEqual(rest, {
      functionName: 'hello',
      runtime: 'python3.10',
      handler: 'index.handler',
      memorySize: 256,
      timeout: 9,
      environmentVariables: { A: '1=2', B: '' },
    });
  });
});

test('function create makes a missing service and says so', async () => {
  await withPlace(async ({ fake, folder, run }) => {
    await writeFile(join(folder, 'code.zip'), 'zip');
    const ran = await run([
      'function',
      'create',
      'shop/cart',
      '--code',
      'code.zip',
      '--runtime',
      'nodejs20',
      '--handler',
      'i.h',
    ]);
    assert.equal(ran.exitCode, 0, ran.stderr);
    assert.match(ran.stderr, /created service shop/);
    assert.deepEqual(fake.actions(), ['GetService', 'CreateService', 'CreateFunction']);
    assert.equal(fake.seen.at(-1)?.path, '/2021-04-06/services/shop/functions');
  });
});

test('function update sends only what the flags name', async () => {
  await withPlace(async ({ fake, run }) => {
    const ran = await run(['function', 'update', 'cart', '--service', 'shop', '--timeout', '30', '--json']);
    assert.equal(ran.exitCode, 0, ran.stderr);
    assert.deepEqual(JSON.parse(fake.seen.at(-1)?.body.toString() ?? ''), { timeout: 30 });
    assert.equal(JSON.parse(ran.stdout).timeout, 30);
  });
});

test('function get tells what keeps its instances apart, when the server says so', async () => {
  await withPlace(async ({ fake, run }) => {
    const headers: Record<string, string> = { 'X-Yunmen-Isolation': 'strong' };
    fake.handler = () => ({ status: 200, headers, body: '{"functionName":"cart"}' });
    assert.match((await run(['function', 'get', 'cart'])).stdout, /^isolation +strong$/m);
    assert.deepEqual(JSON.parse((await run(['function', 'get', 'cart', '--json'])).stdout), {
      functionName: 'cart',
      isolation: 'strong',
    });
    delete headers['X-Yunmen-Isolation'];
    assert.doesNotMatch((await run(['function', 'get', 'cart'])).stdout, /isolation/);
  });
});

test('function list follows the pages and prints a table', async () => {
  await withPlace(async ({ fake, run }) => {
    fake.handler = ({ query }) => {
      const rows = query['nextToken'] === 't' ? ['b'] : ['a'];
      const functions = rows.map((functionName) => ({ functionName, runtime: 'python3', memorySize: 128, timeout: 3 }));
      return { status: 200, body: JSON.stringify({ functions, ...(rows[0] === 'a' ? { nextToken: 't' } : {}) }) };
    };
    const { exitCode, stdout } = await run(['function', 'list']);
    assert.equal(exitCode, 0);
    assert.deepEqual(
      stdout.split('\n').map((line) => line.split(/\s+/)[0]),
      ['NAME', 'a', 'b', ''],
    );
    assert.equal(JSON.parse((await run(['function', 'list', '--json'])).stdout).functions.length, 2);
  });
});

test('a refusal of the service exits 1 with its code, message and request id', async () => {
  await withPlace(async ({ run }) => {
    const { exitCode, stderr } = await run(['function', 'get', 'nothing']);
    assert.equal(exitCode, 1);
    assert.match(stderr, /FunctionNotFound: .*request R-1/);
    const { stdout } = await run(['function', 'get', 'nothing', '--json']);
    assert.equal(JSON.parse(stdout).code, 'FunctionNotFound');
  });
});

test('a wrong key is refused, so the calls of these tests are really signed', async () => {
  await withPlace(async ({ fake, run }) => {
    const flags = ['--endpoint', fake.url, '--access-key-id', fakeKey.accessKeyId, '--access-key-secret', 'wrong'];
    const { exitCode, stderr } = await run(['function', 'list', ...flags]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /SignatureDoesNotMatch/);
    assert.doesNotMatch(stderr, /wrong/);
  });
});

test('an endpoint takes its key from the environment', async () => {
  await withPlace(async ({ fake, run }) => {
    fake.handler = () => ({ status: 200, body: '{"functions":[]}' });
    const env = { ALIBABA_CLOUD_ACCESS_KEY_ID: 'testid', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'testsecret' };
    const { exitCode, stdout } = await run(['function', 'list', '--endpoint', fake.url.slice('http://'.length)], {
      env,
    });
    assert.equal(exitCode, 0);
    assert.equal(stdout, 'no functions\n');
  });
});

test('invoke prints the result as it is, the log on stderr, and takes the event from standard input', async () => {
  await withPlace(async ({ fake, run }) => {
    fake.handler = (request) => ({
      status: 200,
      headers: { 'x-fc-request-id': 'R', 'x-fc-log-result': Buffer.from('FC Invoke End').toString('base64') },
      body: Buffer.concat([Buffer.from('echo '), request.body]),
    });
    const stdin = (async function* () {
      yield Buffer.from('{"猫"');
      yield Buffer.from(':1}');
    })();
    const ran = await run(['invoke', 'demo/add', '-', '--log', '--qualifier', 'LATEST'], { stdin });
    assert.deepEqual(ran, { exitCode: 0, stdout: 'echo {"猫":1}\n', stderr: 'FC Invoke End\n' });
    const sent = fake.seen.at(-1);
    assert.equal(sent?.path, '/2021-04-06/services/demo/functions/add/invocations');
    assert.deepEqual(sent?.query, { qualifier: 'LATEST' });
    assert.equal(sent?.headers['x-fc-log-type'], 'Tail');
  });
});

test('invoke exits 1 when the function failed, and still prints what it answered', async () => {
  await withPlace(async ({ fake, run }) => {
    const headers = { 'x-fc-error-type': 'UnhandledInvocationError', 'x-fc-request-id': 'R' };
    fake.handler = () => ({ status: 200, headers, body: '{"errorMessage":"boom"}' });
    const { exitCode, stdout, stderr } = await run(['invoke', 'hello', '--event', 'x']);
    assert.equal(exitCode, 1);
    assert.equal(stdout, '{"errorMessage":"boom"}\n');
    assert.match(stderr, /hello failed: UnhandledInvocationError/);
    const json = await run(['invoke', 'hello', '--json']);
    assert.equal(json.exitCode, 1);
    assert.equal(JSON.parse(json.stdout).errorType, 'UnhandledInvocationError');
  });
});

test('call signs as the app of the dev project; body on stdout, status line on stderr', async () => {
  await withPlace(async ({ fake, dataDir, run }) => {
    await writeFile(join(dataDir, 'dev-app.json'), JSON.stringify(app));
    const headers = { 'x-ca-request-id': requestId };
    fake.handler = (request) =>
      request.path === '/testadd' ? { status: 200, headers, body: '{"msg":"12465"}' } : null;
    const ran = await run(['call', 'POST', '/testadd', '-d', 'a=12323', '-d', 'b=142']);
    assert.equal(ran.exitCode, 0);
    assert.equal(ran.stdout, '{"msg":"12465"}\n');
    assert.equal(ran.stderr, `HTTP/1.1 200 OK\nX-Ca-Request-Id: ${requestId}\n`);
    const sent = fake.seen.at(-1);
    assert.equal(sent?.body.toString(), 'a=12323&b=142');
    assert.equal(sent?.headers['x-ca-key'], app.appKey);
    assert.equal(sent?.headers['x-ca-stage'], 'RELEASE');
    assert.ok(sent?.headers['x-ca-nonce'] && sent.headers['x-ca-timestamp'] && sent.headers['x-ca-signature']);
    assert.doesNotMatch(JSON.stringify(sent?.headers), /do-not-print-this/);
  });
});

test('call exits 1 for an error and shows both strings to sign and what to ask next', async () => {
  await withPlace(async ({ fake, run }) => {
    // U+009B begins a terminal sequence, too, and passes HTTP as the bytes of its UTF-8.
    const message = Buffer.from('Invalid Signature, Server StringToSign:`GET#\u009b2J`').toString('latin1');
    const headers = { 'x-ca-error-code': 'A403IS', 'x-ca-error-message': message, 'x-ca-request-id': requestId };
    fake.handler = () => ({ status: 403, headers, body: '' });
    const { exitCode, stdout, stderr } = await run(['call', `${fake.url}/x`, '--app-key', 'k', '--app-secret', 's']);
    assert.equal(exitCode, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /X-Ca-Error-Code: A403IS/);
    assert.match(stderr, /our StringToSign: `GET#application\/json####X-Ca-Key:k#/);
    assert.match(stderr, new RegExp(`yunmen why ${requestId}`));
    assert.ok(!stderr.includes('\u009b'), 'control characters do not reach the terminal');
  });
});

test('call --print sends nothing and shows the request and the string to sign', async () => {
  await withPlace(async ({ fake, run }) => {
    const key = ['--app-key', 'k', '--app-secret', 'do-not-print-this'];
    const { exitCode, stdout } = await run(['call', '/x?b=2&a=1', '--print', '--group', 'a'.repeat(32), ...key]);
    assert.equal(exitCode, 0);
    assert.deepEqual(fake.seen, []);
    assert.match(stdout, /^curl -i '.*\/x\?b=2&a=1' \\\n {2}-H 'Host: a{32}\.localhost'/);
    assert.match(stdout, /# string to sign[^\n]*\nGET\napplication\/json\n\n\n\nX-Ca-Key:k\n[\s\S]*\n\/x\?a=1&b=2\n$/);
    assert.doesNotMatch(stdout, /do-not-print-this/);
    const json = JSON.parse((await run(['call', '/x', '--print', '--json', ...key])).stdout);
    assert.equal(json.method, 'GET');
    assert.match(json.stringToSign, /^GET\n/);
  });
});

test('call without an app exits 2 and says what to do; --anonymous needs none', async () => {
  await withPlace(async ({ fake, run }) => {
    fake.handler = () => ({ status: 204, body: '' });
    const refused = await run(['call', '/x']);
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /no app to sign with/);
    const ran = await run(['call', 'DELETE', '/x', '--anonymous', '-H', 'X-Name: 猫']);
    assert.equal(ran.exitCode, 0);
    const sent = fake.seen.at(-1);
    assert.equal(sent?.method, 'DELETE');
    assert.equal(sent?.headers['x-ca-key'], undefined);
    assert.equal(Buffer.from(String(sent?.headers['x-name']), 'latin1').toString(), '猫');
  });
});

const failure = {
  code: 'D502FC',
  side: 'function',
  field: 'statusCode',
  expected: 'a number',
  got: 'nothing',
  message: 'The function answered without statusCode.',
};
const record = { method: 'POST', path: '/testadd', status: 502, totalMs: 3.26 };
const explained = { requestId, ...failure, functionLog: 'line one\nline two\n', record };

test('why explains a failure in plain words and for machines', async () => {
  await withPlace(async ({ fake, run }) => {
    fake.handler = ({ path }) =>
      path === `/yunmen/requests/${requestId}` ? { status: 200, body: JSON.stringify(explained) } : null;
    const { exitCode, stdout } = await run(['why', requestId]);
    assert.equal(exitCode, 0);
    assert.match(stdout, /^The function answered without statusCode\.\n/);
    for (const pattern of [
      /code +D502FC/,
      /field +statusCode/,
      /expected +a number/,
      /got +nothing/,
      /answered 502 after 3\.3 ms/,
      / {2}line two/,
    ]) {
      assert.match(stdout, pattern);
    }
    assert.deepEqual(JSON.parse((await run(['why', requestId, '--json'])).stdout), { requestId, ...failure });
  });
});

test('why says when nothing went wrong, and exits 1 for an unknown request', async () => {
  await withPlace(async ({ fake, run }) => {
    fake.handler = () => ({
      status: 200,
      body: JSON.stringify({ requestId, code: null, record: { ...record, status: 200 } }),
    });
    assert.match((await run(['why', requestId])).stdout, /nothing went wrong: POST \/testadd was answered 200/);
    fake.handler = () => refusal(404, 'NotFoundRequest');
    const { exitCode, stderr } = await run(['why', requestId]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /nothing is kept of request .*for 30 days, as far as 64 MB hold them/);
  });
});

test('a command below the folder finds its server', async () => {
  await withPlace(async ({ fake, folder }) => {
    fake.handler = () => ({ status: 200, body: '{"functions":[]}' });
    await mkdir(join(folder, 'a', 'b'), { recursive: true });
    assert.equal((await runIn(join(folder, 'a', 'b'), ['function', 'list'])).exitCode, 0);
  });
});

test('exits 3 when the server has gone, naming the address that was tried', async () => {
  await withPlace(async ({ fake, dataDir, run }) => {
    const { url } = fake;
    await fake.close();
    for (const argv of [
      ['function', 'list'],
      ['call', '/x', '--anonymous'],
      ['why', requestId],
      ['invoke', 'f'],
    ]) {
      const { exitCode, stderr } = await run(argv);
      assert.equal(exitCode, 3, argv.join(' '));
      assert.ok(stderr.includes(url), stderr);
    }
    await rm(join(dataDir, 'server.json'));
    const { exitCode, stderr } = await run(['why', requestId]);
    assert.equal(exitCode, 3);
    assert.match(stderr, /no server is running in .*yunmen start/);
  });
});

test('an answer that is no JSON is an error, not a crash', async () => {
  await withPlace(async ({ fake, run }) => {
    fake.handler = () => ({ status: 200, body: '<html>' });
    assert.equal((await run(['function', 'list'])).exitCode, 1);
    fake.handler = () => ({ status: 500, body: '<html>' });
    const { exitCode, stderr } = await run(['function', 'list']);
    assert.equal(exitCode, 1);
    assert.match(stderr, /HTTP 500/);
  });
});
