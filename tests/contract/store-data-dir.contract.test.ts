// The data directory itself: who may open it, and with which key.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/clock.ts';
import { acquireDataDir, openStore, type StoreOptions } from '../../src/store/index.ts';
import { appRow } from '../../src/store/suite-rows.ts';

function makeDataDir(context: TestContext): string {
  const parent = mkdtempSync(join(tmpdir(), 'yunmen-data-'));
  context.after(() => rmSync(parent, { recursive: true, force: true }));
  return join(parent, 'data');
}

async function openOnce(dataDir: string, options: Partial<StoreOptions> = {}): Promise<void> {
  const store = await openStore({ dataDir, clock: systemClock, ...options });
  await store.close();
}

test('makes the directory for its owner only, and nothing of it is ever committed', (context) => {
  const dataDir = makeDataDir(context);
  const lock = acquireDataDir(dataDir);
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
  assert.equal(readFileSync(join(dataDir, '.gitignore'), 'utf8'), '*\n');
  lock.release();
});

test('lets one server in at a time, and names the other', (context) => {
  const dataDir = makeDataDir(context);
  const lock = acquireDataDir(dataDir);
  const taken = (pid: number | null) => (error: Error & { pid?: unknown }) =>
    error.name === 'DataDirInUse' && error.message.includes(dataDir) && error.pid === pid;
  assert.throws(() => acquireDataDir(dataDir), taken(null));
  writeFileSync(join(dataDir, 'server.json'), '{"pid": 4711}');
  assert.throws(() => acquireDataDir(dataDir), taken(4711));
  writeFileSync(join(dataDir, 'server.json'), '{"pid": 47');
  assert.throws(() => acquireDataDir(dataDir), taken(null));
  lock.release();
  lock.release();
  acquireDataDir(dataDir).release();
});

test('holds against another process that keeps nothing of it, and is free as soon as that was killed', async (context) => {
  const dataDir = makeDataDir(context);
  const face = fileURLToPath(new URL('../../src/store/index.ts', import.meta.url));
  const code = `import { acquireDataDir } from ${JSON.stringify(face)};
    acquireDataDir(${JSON.stringify(dataDir)});
    setImmediate(() => { gc(); gc(); console.log('held'); });
    setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['--expose-gc', '--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  context.after(() => holder.kill('SIGKILL'));
  const exited = once(holder, 'exit');
  await once(holder.stdout, 'data');
  assert.throws(() => acquireDataDir(dataDir), { code: 'DataDirInUse' });
  holder.kill('SIGKILL');
  await exited;
  acquireDataDir(dataDir).release();
});

test('makes its key at the first start, for its owner only, and keeps it', async (context) => {
  const dataDir = makeDataDir(context);
  await openOnce(dataDir);
  const file = join(dataDir, 'secret.key');
  const key = readFileSync(file, 'utf8');
  assert.match(key, /^[0-9a-f]{64}\n$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  await openOnce(dataDir);
  assert.equal(readFileSync(file, 'utf8'), key);
});

test('refuses a key file that others can reach, and says how to mend it', async (context) => {
  const dataDir = makeDataDir(context);
  await openOnce(dataDir);
  const file = join(dataDir, 'secret.key');
  for (const mode of [0o640, 0o604, 0o660, 0o601]) {
    chmodSync(file, mode);
    await assert.rejects(openOnce(dataDir), { code: 'SecretKeyError', message: new RegExp(`chmod 600 ${file}`) });
  }
  chmodSync(file, 0o600);
  await openOnce(dataDir);
});

test('refuses to make a new key over data of a former one', async (context) => {
  const dataDir = makeDataDir(context);
  await openOnce(dataDir);
  rmSync(join(dataDir, 'secret.key'));
  await assert.rejects(openOnce(dataDir), { code: 'SecretKeyError', message: /is missing/ });
});

test('refuses another key at open, by its id and never by itself', async (context) => {
  const dataDir = makeDataDir(context);
  const secretKey = 'ab'.repeat(32);
  await openOnce(dataDir, { secretKey });
  await openOnce(dataDir, { secretKey: Buffer.from(secretKey, 'hex').toString('base64') });
  const other = 'cd'.repeat(32);
  await assert.rejects(
    openOnce(dataDir, { secretKey: other }),
    (error: Error) =>
      error.name === 'SecretKeyError' && /sealed with/.test(error.message) && !error.message.includes(other),
  );
  await assert.rejects(openOnce(dataDir, { secretKey: 'short' }), /YUNMEN_SECRET_KEY must be/);
});

test('takes a key file outside the data directory', async (context) => {
  const dataDir = makeDataDir(context);
  const secretKeyFile = join(dataDir, '..', 'elsewhere.key');
  await openOnce(dataDir, { secretKeyFile });
  assert.match(readFileSync(secretKeyFile, 'utf8'), /^[0-9a-f]{64}\n$/);
  await openOnce(dataDir, { secretKeyFile });
  await assert.rejects(openOnce(dataDir), { code: 'SecretKeyError' });
});

test('keeps the database for its owner, and no secret of an app in the clear in it', async (context) => {
  const dataDir = makeDataDir(context);
  const store = await openStore({ dataDir, clock: systemClock });
  const row = { ...appRow(1), appSecret: 'NEEDLE-IN-ROW' };
  await store.write(async (tx) => {
    await tx.rows.apps.insert(row);
    await tx.publish('app', '1', { appId: 1, appName: 'a', keys: [{ key: 'k', secret: 'NEEDLE-PUBLISHED' }] });
  });
  const files = ['yunmen.db', 'yunmen.db-wal'].map((name) => join(dataDir, name));
  assert.deepEqual(
    files.map((file) => statSync(file).mode & 0o777),
    [0o600, 0o600],
  );
  const bytes = files.map((file) => readFileSync(file, 'latin1')).join('');
  assert.ok(bytes.includes(row.appKey));
  assert.ok(!bytes.includes('NEEDLE'));
  await store.close();
});

test('names the file when the database is none', async (context) => {
  const dataDir = makeDataDir(context);
  await openOnce(dataDir);
  writeFileSync(join(dataDir, 'yunmen.db'), 'this is no database'.repeat(100));
  await assert.rejects(openOnce(dataDir), (error: Error) => error.message.includes(join(dataDir, 'yunmen.db')));
});
