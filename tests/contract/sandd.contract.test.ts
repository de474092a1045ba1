// The launchers' contract on sandd, in each tier that works here; who may talk to it; what is left when it is killed.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { randomHex } from '../../src/base/ids.ts';
import { cleanAfterSandd, connectSandd, findSandd, type IsolationTier, probeSandd } from '../../src/functions/index.ts';
import { testLauncher } from '../../src/functions/launcher/suite.ts';
import { testProcessors } from '../../src/functions/launcher/suite-processors.ts';
import { testSpares } from '../../src/functions/launcher/suite-spares.ts';
import { containerProgram } from '../harness/container.ts';
import { groupsOf } from '../harness/remains.ts';
import { type OpenSandd, openSandd, prepareInstance } from './sandd-open.ts';

const found = await findSandd();
const path = found.ok ? found.path : '';
const results: ReadonlyMap<string, string> = found.ok ? await probeSandd(path) : new Map();

/** Why the tier cannot be had here, or false. */
function missing(tier: IsolationTier): string | false {
  if (!found.ok) return found.why;
  const result = tier === 'none' ? 'ok' : (results.get(tier) ?? 'the probe did not end');
  return result === 'ok' ? false : result;
}

const tiers = ['none', 'restricted', 'user', 'strong'] as const;
for (const tier of tiers) {
  const suite = {
    name: `sandd, tier ${tier}`,
    tier,
    limits: tier !== 'none',
    hasWatches: tier === 'strong' || tier === 'restricted',
    skip: missing(tier),
    open: () => openSandd(path, tier),
  };
  testLauncher(suite);
  testSpares(suite);
  if (tier === 'strong') testProcessors(suite);
}

/** Starts a shell script in it; resolves when the script has written `up`. */
async function startScript(opened: OpenSandd, script: string, isSpare = false) {
  const { launcher } = opened;
  const output = { text: '' };
  const up = Promise.withResolvers<void>();
  const { spec, close } = prepareInstance(opened, ['/bin/sh', '-c', script], (text) => {
    output.text += text;
    if (output.text.includes('up')) up.resolve();
  });
  const { pid } = await (isSpare ? launcher.startSpare : launcher.start)(spec);
  await up.promise;
  return { instanceId: spec.instanceId, pid, output, close };
}

/** Processes with the instance's mark, its first process, control groups and mounts of the server. */
function remains(instanceId: string, pid: number, runDir: string): string[] {
  const marked = globSync('/proc/[0-9]*/environ').filter((file) => {
    try {
      return readFileSync(file).includes(instanceId);
    } catch {
      return false; // it has ended
    }
  });
  const first = existsSync(`/proc/${pid}`) ? [`/proc/${pid}`] : [];
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').includes(runDir) ? ['a mount'] : [];
  return [...marked, ...first, ...mounts, ...groupsOf(runDir)];
}

for (const tier of tiers) {
  const skip = missing(tier);
  const daemons = 'trap "" TERM; (setsid sleep 600 &); echo up; while :; do sleep 0.01; done';

  const isNested = tier === 'user' || tier === 'strong'; // elsewhere nothing ends with an instance's first process
  if (isNested)
    test(`an end while instances are frozen takes no longer than others (tier ${tier})`, { skip }, async () => {
      const opened = await openSandd(path, tier);
      const { instanceId, pid, close } = await startScript(opened, daemons);
      await opened.launcher.setFrozen(instanceId, true);
      process.kill(pid, 'SIGKILL'); // its first process: nobody is left in it who could hear and thaw
      opened.sandd.kill('SIGTERM');
      const late = sleep(6_000).then(() => 'late');
      assert.notEqual(await Promise.race([opened.sandd.exited, late]), 'late');
      const deadline = performance.now() + 2_000;
      while (remains(instanceId, pid, opened.runDir).length > 0 && performance.now() < deadline) await sleep(10);
      assert.deepEqual(remains(instanceId, pid, opened.runDir), []);
      close();
      rmSync(opened.runDir, { recursive: true, force: true });
    });

  test(`killed with -9, sandd leaves nothing of an instance that is frozen (tier ${tier})`, { skip }, async () => {
    const opened = await openSandd(path, tier);
    const { instanceId, pid, close } = await startScript(opened, daemons);
    await opened.launcher.setFrozen(instanceId, true);
    assert.ok(remains(instanceId, pid, opened.runDir).length >= 3);
    opened.sandd.kill('SIGKILL');
    await opened.sandd.exited;
    await cleanAfterSandd(path);
    const deadline = performance.now() + 2_000;
    while (remains(instanceId, pid, opened.runDir).length > 0 && performance.now() < deadline) await sleep(10);
    assert.deepEqual(remains(instanceId, pid, opened.runDir), []);
    close();
    rmSync(opened.runDir, { recursive: true, force: true });
  });

  const hasSpares = tier !== 'restricted';
  if (hasSpares)
    test(`killed with -9, sandd leaves nothing of a process that waits for a function (tier ${tier})`, {
      skip,
    }, async () => {
      const opened = await openSandd(path, tier);
      const waiting = 'trap "" TERM; (setsid sleep 600 &); echo up; read line; sleep 600';
      const { instanceId, pid, close } = await startScript(opened, waiting, true);
      assert.ok(remains(instanceId, pid, opened.runDir).length >= 3);
      opened.sandd.kill('SIGKILL');
      await opened.sandd.exited;
      await cleanAfterSandd(path);
      const deadline = performance.now() + 2_000;
      while (remains(instanceId, pid, opened.runDir).length > 0 && performance.now() < deadline) await sleep(10);
      assert.deepEqual(remains(instanceId, pid, opened.runDir), []);
      close();
      rmSync(opened.runDir, { recursive: true, force: true });
    });

  test(`when its starter goes, sandd ends all and removes the run directory (tier ${tier})`, { skip }, async () => {
    const opened = await openSandd(path, tier);
    const { instanceId, pid, close } = await startScript(opened, daemons);
    opened.sandd.close();
    assert.equal(await opened.sandd.exited, 'exit code 0');
    close();
    assert.deepEqual(remains(instanceId, pid, opened.runDir), []);
    assert.equal(existsSync(`${opened.runDir}/i`) || existsSync(`${opened.runDir}/root`), false);
  });

  test(`a frozen instance stands still, goes on when thawed, and can be stopped (tier ${tier})`, { skip }, async () => {
    const opened = await openSandd(path, tier);
    const { instanceId, output, close } = await startScript(
      opened,
      'trap "exit 0" TERM; while :; do echo up; sleep 0.005; done',
    );
    await opened.launcher.setFrozen(instanceId, true);
    await settled(() => output.text.length);
    const still = output.text.length;
    await sleep(50);
    assert.equal(output.text.length, still);
    await opened.launcher.setFrozen(instanceId, false);
    while (output.text.length === still) await sleep(5);
    await opened.launcher.setFrozen(instanceId, true);
    await opened.launcher.stop(instanceId, 5_000);
    close();
    await opened.close();
  });
}

test('an instance that takes the place of one that ends starts', { skip: missing('none') }, async () => {
  const opened = await openSandd(path, 'none');
  const waits = 'echo up; exec sleep 600';
  const first = await startScript(opened, waits);
  const second = await startScript(opened, waits);
  // While it stands still things happen in this order: a child ends, a start is asked for, the child of place 0 ends. Its
  // loop reaps both before the start takes place 0, and only then comes to what place 0 had said.
  opened.sandd.kill('SIGSTOP');
  process.kill(second.pid, 'SIGKILL');
  while (!isZombie(second.pid)) await sleep(1);
  const third = startScript(opened, waits);
  await new Promise(setImmediate);
  process.kill(first.pid, 'SIGKILL');
  while (!isZombie(first.pid)) await sleep(1);
  opened.sandd.kill('SIGCONT');
  const late = sleep(5_000, 'late', { ref: false });
  assert.notEqual(await Promise.race([third, late]), 'late');
  for (const { close } of [first, second, await third]) close();
  await opened.close();
});

function isZombie(pid: number): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('Z') === true;
}

/** What was on its way has come. */
async function settled(read: () => number): Promise<void> {
  for (let before = -1; before !== read(); await sleep(30)) before = read();
}

test('who does not know the token cannot use sandd, and nobody can take it over', {
  skip: missing('none'),
}, async () => {
  const opened = await openSandd(path, 'none');
  const { runDir, token } = opened;
  const access = { runDir, interpreters: async () => [], onGone: () => {} };
  for (const wrong of ['', randomHex(32), `${token}0`, token.slice(1), token]) {
    await assert.rejects(connectSandd({ ...access, token: wrong }), /gone/);
  }
  await opened.launcher.stop(`c-${randomHex(4)}-${randomHex(10)}`, 0);
  assert.equal(opened.reports.length, 5);
  await opened.close();
});

const isRoot = process.getuid?.() === 0;
const ordinary = 65_534;

/** Runs the contract in another process, as `wrap` has it. */
async function contractElsewhere(t: TestContext, tiers: string, wrap: readonly string[]): Promise<void> {
  const directory = mkdtempSync('/tmp/yunmen-ordinary-');
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  await promisify(execFile)('chmod', ['755', directory]);
  copyFileSync(path, `${directory}/sandd`);
  const entry = new URL('./sandd-ordinary.ts', import.meta.url).pathname;
  const env = { SANDD: `${directory}/sandd`, SANDD_TIERS: tiers, HOME: '/tmp', PATH: '/usr/bin:/bin' };
  const [file = process.execPath, ...args] = [...wrap, process.execPath, '--test', entry];
  const run = promisify(execFile)(file, args, { env, cwd: '/', maxBuffer: 1 << 20 });
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  assert.match(stdout, /# fail 0|ℹ fail 0/, stdout);
  assert.doesNotMatch(stdout, /(#|ℹ) pass 0/, stdout);
}

test('an ordinary user has the contract, too', { skip: isRoot ? missing('user') : false }, async (t) => {
  if (!isRoot) return t.diagnostic('this is an ordinary user already');
  const wrap = ['setpriv', `--reuid=${ordinary}`, `--regid=${ordinary}`, '--clear-groups'];
  await contractElsewhere(t, 'none,user,restricted', wrap);
});

test('who may not become another user is told so', { skip: found.ok ? false : found.why }, () => {
  const user = isRoot ? { uid: ordinary, gid: ordinary } : {};
  const { status, stderr } = spawnSync(path, ['become', '1', '1', '0', '/bin/true'], { encoding: 'utf8', ...user });
  assert.equal(status, 1);
  assert.match(stderr, /^cannot drop a capability: Operation not permitted\n$/);
});

for (const who of ['root', String(ordinary)]) {
  const skip = isRoot ? missing('restricted') : 'it takes root to make a container';
  test(`in a container without privileges, as ${who}, only restricted holds, and has the contract`, {
    skip,
  }, async (t) => {
    const container = await containerProgram();
    const { stdout } = await promisify(execFile)(container, [who, path, 'probe']);
    assert.match(stdout, /^restricted=ok$/m);
    assert.match(stdout, /^user=cannot make a process with namespaces: /m);
    assert.doesNotMatch(stdout, /^strong=ok$/m);
    await contractElsewhere(t, 'restricted', [container, who === 'root' ? 'tracer' : who]);
  });
}
