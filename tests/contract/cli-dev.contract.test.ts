import assert from 'node:assert/strict';
import fs from 'node:fs';
import { appendFile, cp, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join, sep } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DevRun } from './cli-dev-run.ts';
import { refusal } from './cli-fake-server.ts';
import { type Place, withPlace } from './cli-run.ts';

const example = fileURLToPath(new URL('../../examples/testadd', import.meta.url));

/** A copy of the example project below the place, without a watcher's leftovers. */
async function withProject(use: (place: Place & { readonly project: string }) => Promise<void>): Promise<void> {
  await withPlace(async (place) => {
    const project = join(place.folder, 'testadd');
    await cp(example, project, { recursive: true });
    await use({ ...place, project });
  });
}

async function once(run: DevRun): Promise<void> {
  await run.see('stdout', /Stop with Ctrl-C|"event":"ready"/);
  assert.equal(await run.stop(), 0);
}

const writing = [
  'CreateService',
  'CreateFunction',
  'UpdateFunction',
  'CreateApiGroup',
  'CreateApi',
  'ModifyApi',
  'DeployApi',
  'CreateApp',
];

test('dev deploys the example through the public APIs, in an order that works', async () => {
  await withProject(async ({ fake, folder }) => {
    await once(new DevRun(fake, folder, ['dev', 'testadd']));
    const actions = fake.actions().filter((action) => writing.includes(action) || action === 'SetAppsAuthorities');
    assert.deepEqual(actions, [
      'CreateService',
      'CreateFunction',
      'CreateFunction',
      'CreateApiGroup',
      'CreateApp',
      'CreateApi',
      'DeployApi',
      'SetAppsAuthorities',
      'CreateApi',
      'DeployApi',
    ]);
    assert.deepEqual([...fake.functions.keys()], ['demo/testadd', 'demo/testevent']);
    assert.equal(fake.grants.size, 1, 'only the API with APP authentication is granted');
  });
});

test('the first line with --json is the ready event with the project, and there is no secret in it', async () => {
  await withProject(async ({ fake, folder, dataDir }) => {
    const run = new DevRun(fake, folder, ['dev', 'testadd', '--json']);
    await once(run);
    const lines = run.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(lines.length, 1);
    const { event, project, ...facts } = lines[0];
    assert.equal(event, 'ready');
    assert.deepEqual(Object.keys(facts).sort(), [
      'accessKeyId',
      'accountId',
      'api',
      'console',
      'credentialsFile',
      'gateway',
      'gatewayTls',
      'http',
      'isolation',
      'launcher',
      'region',
    ]);
    const groupId = fake.groups.get('testgroup');
    const [appId, app] = [...fake.apps][0] ?? [0, { key: '', secret: '' }];
    assert.deepEqual(project, {
      groupId,
      apis: [
        { method: 'POST', url: 'http://127.0.0.1:1/testadd', auth: 'APP' },
        { method: 'POST', url: 'http://127.0.0.1:1/testevent', auth: 'ANONYMOUS' },
      ],
      app: { appId, appKey: app.key, credentialsFile: join(dataDir, 'dev-app.json') },
    });
    assert.deepEqual(run.defaultGroups, [groupId]);
    assert.ok(!run.stdout.includes(app.secret) && !run.stdout.includes('testsecret'));
    assert.equal((await stat(join(dataDir, 'dev-app.json'))).mode & 0o777, 0o600);
    assert.equal(run.closes, 1);
  });
});

test('the secret of the key is printed only when asked for', async () => {
  await withPlace(async ({ fake, folder }) => {
    for (const [argv, isShown] of [
      [['start'], false],
      [['start', '--print-credentials'], true],
    ] as const) {
      for (const format of [[], ['--json']]) {
        const run = new DevRun(fake, folder, [...argv, ...format]);
        await once(run);
        assert.equal(run.stdout.includes('testsecret'), isShown);
      }
    }
  });
});

test('a second start keeps ids and key: nothing is created again', async () => {
  await withProject(async ({ fake, folder, dataDir }) => {
    await once(new DevRun(fake, folder, ['dev', 'testadd']));
    const kept = await readFile(join(dataDir, 'dev-app.json'), 'utf8');
    const ids = [[...fake.groups.values()], [...fake.apis.keys()], [...fake.apps.keys()]];
    fake.seen.length = 0;
    await once(new DevRun(fake, folder, ['dev', 'testadd']));
    assert.deepEqual(
      fake.actions().filter((action) => action.startsWith('Create')),
      [],
    );
    assert.equal(await readFile(join(dataDir, 'dev-app.json'), 'utf8'), kept);
    assert.deepEqual([[...fake.groups.values()], [...fake.apis.keys()], [...fake.apps.keys()]], ids);
  });
});

test('a kept key that the server does not know is replaced, and that is said', async () => {
  await withProject(async ({ fake, folder, dataDir }) => {
    await writeFile(join(dataDir, 'dev-app.json'), JSON.stringify({ appId: 5, appKey: 'old', appSecret: 'old' }));
    const run = new DevRun(fake, folder, ['dev', 'testadd']);
    await once(run);
    assert.match(run.stderr, /dev-app\.json is not the server's/);
    assert.doesNotMatch(await readFile(join(dataDir, 'dev-app.json'), 'utf8'), /old/);
  });
});

test('without python3 the Node twin is deployed, and dev says so', async () => {
  await withProject(async ({ fake, folder, project }) => {
    const run = new DevRun(fake, folder, ['dev', 'testadd'], { discoverPython: () => Promise.resolve(false) });
    await once(run);
    assert.equal(fake.functions.get('demo/testadd')?.['runtime'], 'nodejs20');
    assert.match(run.stderr, /no python3 .*template\.node\.yml/);
    await rm(join(project, 'template.node.yml'));
    const bare = new DevRun(fake, folder, ['dev', 'testadd'], { discoverPython: () => Promise.resolve(false) });
    await once(bare);
    assert.match(bare.stderr, /deployed but cannot run/);
  });
});

test('a saved file is deployed alone, and the reload is announced', async () => {
  await withProject(async ({ fake, folder, project }) => {
    const run = new DevRun(fake, folder, ['dev', 'testadd']);
    await run.see(
      'stdout',
      /^ +Isolation +none +functions run with your rights: .*; by the slower launcher: 'yunmen doctor' tells why$/m,
    );
    await run.see('stdout', /Stop with Ctrl-C/);
    fake.seen.length = 0;
    await appendFile(join(project, 'testadd', 'index.py'), '# changed\n');
    await run.see('stdout', /^reloaded testadd \(\d+ ms\)$/m);
    assert.deepEqual(fake.actions(), ['UpdateFunction']);
    // An editor that writes a new file and renames it over the old one.
    await writeFile(join(project, 'draft'), 'import json\n');
    await rename(join(project, 'draft'), join(project, 'testevent', 'index.py'));
    await run.see('stdout', /^reloaded testevent \(\d+ ms\)$/m);
    assert.equal(await run.stop(), 0);
  });
});

test('a reload reads no file of a function that did not change', async ({ mock }) => {
  await withProject(async ({ fake, folder, project }) => {
    const run = new DevRun(fake, folder, ['dev', 'testadd', '--json']);
    await run.see('stdout', /"event":"ready"/);
    // The example was copied just now: files so new are read once more by the first reload.
    await appendFile(join(project, 'testadd', 'index.py'), '# 1\n');
    await run.see('stdout', /"reloaded"/);
    const read: string[] = [];
    const readFrom = fs.promises.readFile;
    mock.method(fs.promises, 'readFile', (path: string, ...rest: readonly unknown[]) => {
      read.push(path);
      return Reflect.apply(readFrom, fs.promises, [path, ...rest]);
    });
    syncBuiltinESMExports();
    await appendFile(join(project, 'testadd', 'index.py'), '# 2\n');
    await run.see('stdout', /"reloaded"[\s\S]*"reloaded"/);
    const of = (name: string) => read.filter((path) => path.startsWith(join(project, name) + sep)).length;
    assert.ok(of('testadd') > 0, 'nothing of the changed function was read');
    assert.equal(of('testevent'), 0);
    mock.restoreAll();
    syncBuiltinESMExports();
    assert.equal(await run.stop(), 0);
  });
});

test('an API that moves in the template moves on the server; one that vanishes is taken away', async () => {
  await withProject(async ({ fake, folder, project }) => {
    const run = new DevRun(fake, folder, ['dev', 'testadd', '--json']);
    await run.see('stdout', /"event":"ready"/);
    fake.seen.length = 0;
    const template = await readFile(join(project, 'template.yml'), 'utf8');
    const renamed = template.replace('api-name: testevent', 'api-name: renamed');
    await writeFile(join(project, 'template.yml'), renamed.replace('/testadd:\n', '/sum:\n'));
    await run.see('stdout', /"event":"reloaded","functions":\[\],"apis":\["testgroup\/testadd","testgroup\/renamed"\]/);
    const actions = fake.actions().filter((action) => !action.startsWith('Describe'));
    assert.deepEqual(actions, [
      'AbolishApi',
      'DeleteApi',
      'ModifyApi',
      'DeployApi',
      'SetAppsAuthorities',
      'CreateApi',
      'DeployApi',
    ]);
    assert.equal(await run.stop(), 0);
  });
});

test('a template that breaks keeps the old version, says where, and a right one is taken again', async () => {
  await withProject(async ({ fake, folder, project }) => {
    const run = new DevRun(fake, folder, ['dev', 'testadd', '--json']);
    await run.see('stdout', /"event":"ready"/);
    fake.seen.length = 0;
    const template = await readFile(join(project, 'template.yml'), 'utf8');
    await writeFile(join(project, 'template.yml'), template.replace('Runtime: python3', 'Runtim: python3'));
    await run.see('stdout', /"event":"reload-failed","message":"template\.yml:\d+: Runtime is missing/);
    assert.match(run.stderr, /the old version stays/);
    assert.deepEqual(fake.seen, []);
    await writeFile(join(project, 'template.yml'), template);
    await run.see('stdout', /"event":"reloaded","functions":\[\]/);
    assert.equal(await run.stop(), 0);
  });
});

test('a refused update keeps the old version and is tried again with the next change', async () => {
  await withProject(async ({ fake, folder, project }) => {
    const run = new DevRun(fake, folder, ['dev', 'testadd']);
    await run.see('stdout', /Stop with Ctrl-C/);
    fake.handler = ({ action }) => (action === 'UpdateFunction' ? refusal(400, 'InvalidArgument', 'not today') : null);
    await appendFile(join(project, 'testadd', 'index.py'), '# 1\n');
    await run.see('stderr', /reload failed, the old version stays: InvalidArgument: not today/);
    fake.handler = () => null;
    await appendFile(join(project, 'testevent', 'index.py'), '# 2\n');
    await run.see('stdout', /^reloaded testadd, testevent \(\d+ ms\)$/m);
    assert.equal(await run.stop(), 0);
  });
});

test('changes in .git, .yunmen and the data dir deploy nothing', async () => {
  await withProject(async ({ fake, folder, project }) => {
    const run = new DevRun(fake, folder, ['dev', 'testadd', '--data-dir', 'testadd/state']);
    await mkdir(join(project, 'state'));
    await run.see('stdout', /Stop with Ctrl-C/);
    fake.seen.length = 0;
    for (const path of ['.git', '.yunmen']) await mkdir(join(project, path));
    for (const path of ['.git', '.yunmen', 'state']) await writeFile(join(project, path, 'file'), 'x');
    await appendFile(join(project, 'testadd', 'index.py'), '# changed\n');
    await run.see('stdout', /^reloaded .*$/m);
    assert.deepEqual(fake.actions(), ['UpdateFunction']);
    assert.equal(await run.stop(), 0);
  });
});

test('a template with an error starts no server', async () => {
  await withProject(async ({ fake, folder, project }) => {
    await writeFile(join(project, 'template.yml'), 'Resources: [\n');
    const run = new DevRun(fake, folder, ['dev', 'testadd']);
    assert.equal(await run.done, 1);
    assert.match(run.stderr, /template\.yml:\d+: /);
    assert.deepEqual(run.options, []);
  });
});

test('a deployment that is refused closes the server and exits 1 with the refusal', async () => {
  await withProject(async ({ fake, folder }) => {
    fake.handler = ({ action }) => (action === 'CreateApi' ? refusal(400, 'InvalidApiName', 'no such name') : null);
    const run = new DevRun(fake, folder, ['dev', 'testadd', '--json']);
    assert.equal(await run.done, 1);
    assert.equal(run.closes, 1);
    assert.doesNotMatch(run.stdout, /"ready"/);
    assert.match(run.stderr, /InvalidApiName: no such name/);
  });
});

test('a server that ends by itself exits 1 and says why', async () => {
  await withPlace(async ({ fake, folder }) => {
    const run = new DevRun(fake, folder, ['start', '--gateway-port', '0'], { env: { YUNMEN_REGION: 'cn-beijing' } });
    await run.see('stdout', /Stop with Ctrl-C/);
    run.crash('the data process was killed');
    assert.equal(await run.done, 1);
    assert.match(run.stderr, /ended by itself: the data process was killed/);
    assert.equal(run.options[0]?.gatewayPort, 0);
    assert.equal(run.options[0]?.region, 'cn-beijing');
    assert.equal(run.options[0]?.mode, 'start');
  });
});

test('a signal while the project is being deployed stops the server and exits 0', async () => {
  await withProject(async ({ fake, folder }) => {
    const reached = Promise.withResolvers<void>();
    fake.handler = ({ action }) => {
      if (action === 'CreateService') reached.resolve();
      return null;
    };
    const run = new DevRun(fake, folder, ['dev', 'testadd']);
    await reached.promise;
    assert.equal(await run.stop(), 0);
    assert.equal(run.closes, 1);
  });
});
