import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from './run.ts';

async function run(...argv: string[]) {
  const written = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({
    write: (chunk: string | Uint8Array) => (written[name] += chunk.toString()),
  });
  const exitCode = await runCli(argv, {
    startServer: () => Promise.reject(new Error('port 8080 is taken')),
    discoverPython: () => Promise.resolve(true),
    version: '1.2.3',
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: {},
    cwd: '/nowhere',
  });
  return { exitCode, ...written };
}

test('the help lists the commands and shows examples', async () => {
  const { exitCode, stdout, stderr } = await run('--help');
  assert.equal(exitCode, 0);
  assert.equal(stderr, '');
  for (const word of ['start', 'dev', 'function', 'invoke', 'call', 'why', 'Examples:', 'Exit codes:']) {
    assert.ok(stdout.includes(word), word);
  }
});

for (const command of [
  ['start'],
  ['dev'],
  ['invoke'],
  ['call'],
  ['why'],
  ['doctor'],
  ['function', 'create'],
  ['function', 'update'],
  ['function', 'get'],
  ['function', 'list'],
  ['function', 'delete'],
  ['key', 'create'],
  ['key', 'list'],
  ['key', 'disable'],
  ['key', 'enable'],
  ['key', 'delete'],
]) {
  test(`the help of ${command.join(' ')} shows an example and --json`, async () => {
    const { exitCode, stdout } = await run(...command, '--help');
    assert.equal(exitCode, 0);
    assert.match(stdout, new RegExp(`\\$ (YUNMEN\\S+ )?yunmen ${command.join(' ')}`));
    assert.match(stdout, /--json/);
  });
}

test('the help of start names every flag with its default', async () => {
  const { stdout } = await run('start', '--help');
  for (const text of [
    '--gateway-port <port>',
    '(default: 8080)',
    '--data-dir <folder>',
    '--isolation <tier>',
    '--print-credentials',
  ]) {
    assert.ok(stdout.includes(text), text);
  }
});

test('the version is one line', async () => {
  assert.deepEqual(await run('--version'), { exitCode: 0, stdout: '1.2.3\n', stderr: '' });
});

test('nothing at all is wrong usage and shows the help', async () => {
  const { exitCode, stdout, stderr } = await run();
  assert.equal(exitCode, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /Commands:/);
});

for (const [what, argv, pattern] of [
  ['an unknown command, with a suggestion', ['invok'], /unknown command 'invok'[\s\S]*Did you mean invoke\?/],
  ['an unknown verb of function, with a suggestion', ['function', 'updat'], /Did you mean update\?/],
  [
    'an unknown flag, with a suggestion',
    ['start', '--gatewayport', '1'],
    /unknown option '--gatewayport'[\s\S]*--gateway-port/,
  ],
  ['a missing argument', ['why'], /missing required argument/],
  ['a missing flag of create', ['function', 'create', 'f'], /required option '--code/],
  ['too many words for call', ['call', 'GET', '/a', '/b'], /not 3 words/],
  ['a bad port', ['start', '--gateway-port', 'x'], /--gateway-port takes a port/],
  ['a request id that is none', ['why', '../x'], /is no request id/],
  ['an event given twice', ['invoke', 'f', '-', '--event', 'x'], /give the event once/],
  ['a header without a colon', ['call', 'http://x/', '--anonymous', '-H', 'nothing'], /'Name: value'/],
  ['a key by halves', ['function', 'list', '--endpoint', 'http://x', '--access-key-id', 'a'], /go together/],
  ['an endpoint without a key', ['function', 'list', '--endpoint', 'http://x'], /--endpoint needs a key/],
  ['nothing to update', ['function', 'update', 'f'], /nothing to update/],
  ['a folder without a project', ['dev', '/nowhere'], /no template\.yml in \/nowhere/],
] as const) {
  test(`exits 2 for ${what}`, async () => {
    const { exitCode, stdout, stderr } = await run(...argv);
    assert.equal(exitCode, 2);
    assert.equal(stdout, '');
    assert.match(stderr, pattern);
  });
}

test('without any server exits 3 and says where it looked and how to start one', async () => {
  const { exitCode, stderr } = await run('function', 'list');
  assert.equal(exitCode, 3);
  assert.match(stderr, /no \.yunmen folder in \/nowhere[\s\S]*yunmen start/);
});

test('a server that cannot start exits 1 with the reason', async () => {
  const { exitCode, stderr } = await run('start');
  assert.equal(exitCode, 1);
  assert.match(stderr, /cannot start: port 8080 is taken/);
});

test('with --json a failure is also a line on stdout', async () => {
  const { exitCode, stdout } = await run('function', 'list', '--json');
  assert.equal(exitCode, 3);
  assert.equal(JSON.parse(stdout).event, 'error');
});
