// Real functions under a real launcher in tier strong: which class the kernel has an instance in while its request computes,
// waits, ends, or breaks; and that processors which an owner set are the instance's limit.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { findSandd, type LauncherClient, probeSandd } from '../../src/functions/index.ts';
import { OutsideLoad } from '../../src/functions/instances/outside-load.ts';
import { openFixture } from './functions-fixture.ts';

const found = await findSandd();
const strong = found.ok ? ((await probeSandd(found.path)).get('strong') ?? 'the probe did not end') : found.why;
const skip = strong === 'ok' ? false : strong;
/** What computes for a second takes as much longer as there are others that compute on the machine. */
const options = { skip, timeout: 180_000 };

const handler = (body: string) => `import os, time\ndef handler(event, context):\n    ${body}\n    return b'done'\n`;
const compute = (seconds: number) =>
  `end = time.process_time() + ${seconds}\n    while time.process_time() < end: pass`;

/** Of the groups of processors of a server's instances, one file each. */
function inGroups(runDir: string, file: string): string[] {
  const group = `yunmen-${basename(runDir)}.c-*/${file}`;
  const places = ['', '*/', '*/*/', '*/*/*/'].map((depth) => `/sys/fs/cgroup/${depth}${group}`);
  return globSync(places).flatMap((path) => {
    try {
      return [readFileSync(path, 'utf8').trim()];
    } catch {
      return []; // the instance ends
    }
  });
}

/** Whatever else this machine does. */
const alone = { outside: { watch: () => false, verdict: () => 'free' as const, isFull: false } };

const inBackground = (runDir: string) => inGroups(runDir, 'cpu.idle').filter((value) => value === '1').length;

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(5);
}

test(
  'an instance whose requests compute stays in the background between them, and comes out after one that does not',
  options,
  async () => {
    const asked: boolean[] = [];
    const seen: number[] = [];
    let runDir = '';
    // Beside what else this machine does it would come to no end there.
    const wrap = (launcher: LauncherClient): LauncherClient => ({
      ...launcher,
      setBackground: async (id, isBackground) => {
        asked.push(isBackground);
        await launcher.setBackground?.(id, isBackground);
        seen.push(inBackground(runDir));
        if (isBackground) await launcher.setBackground?.(id, false);
      },
    });
    const fixture = await openFixture('strong', { spareMemoryMb: 0 }, alone, wrap);
    ({ runDir } = fixture);
    const code = handler(`if event == b'little': return b'done'\n    ${compute(0.3)}`);
    fixture.publish('long', { 'index.py': code }, { timeoutMs: 30_000 });
    await fixture.succeed('long', 'little');
    await until(() => seen.length === asked.length); // its start may have computed
    for (const list of [asked, seen]) list.length = 0;
    // On a busy machine a request may end before it was looked at twice.
    while (asked.length === 0) await fixture.succeed('long');
    for (let round = 1; round <= 2; round += 1) {
      const answer = await fixture.succeed('long');
      assert.equal(answer.body.toString(), 'done');
      await until(() => seen.length === 1);
      assert.deepEqual([asked, seen], [[true], [1]], `round ${round}`);
    }
    await fixture.succeed('long', 'little');
    await until(() => seen.length === 2);
    assert.deepEqual(
      [asked, seen],
      [
        [true, false],
        [1, 0],
      ],
    );
    await fixture.close();
  },
);

test(
  'one that waits stays in the foreground, and one that is ended while it computes leaves nothing',
  options,
  async () => {
    const fixture = await openFixture('strong', { spareMemoryMb: 0 }, alone);
    const { runDir } = fixture;
    fixture.publish('waits', { 'index.py': handler('time.sleep(0.4)') });
    await fixture.succeed('waits');
    let seen = 0;
    const answer = fixture.succeed('waits').then(() => 'over');
    for (;;) {
      seen = Math.max(seen, inBackground(runDir));
      if ((await Promise.race([answer, delay(5)])) === 'over') break;
    }
    assert.equal(seen, 0);
    fixture.publish('endless', { 'index.py': handler(compute(600)) }, { timeoutMs: 1_000 });
    fixture.publish('dies', { 'index.py': handler(`${compute(0.3)}\n    os._exit(3)`) });
    await Promise.all([fixture.fail('endless'), fixture.fail('dies')]);
    await until(() => inBackground(runDir) === 0);
    await fixture.close();
  },
);

test('processors that the owner set are the limit of its instances', options, async () => {
  const fixture = await openFixture('strong', { spareMemoryMb: 0 }, alone);
  fixture.publish('limited', { 'index.py': handler('pass') }, { cpu: 0.25, cpuLimit: 0.25 });
  await fixture.succeed('limited');
  const [quota] = [...inGroups(fixture.runDir, 'cpu.cfs_quota_us'), ...inGroups(fixture.runDir, 'cpu.max')];
  assert.equal(quota?.split(' ')[0], '5000');
  await fixture.close();
});

test(
  'a function whose instances keep dying gets new ones that begin in the background, and none that wait for others',
  options,
  async () => {
    const begun: boolean[] = [];
    const cameOut: string[] = [];
    // What beginning there does is the launcher's contract; beside what else this machine does it takes its time.
    const wrap = (launcher: LauncherClient): LauncherClient => ({
      ...launcher,
      start: (spec) => {
        begun.push(spec.isBackground === true);
        return launcher.start({ ...spec, isBackground: false });
      },
      setBackground: async (id, isBackground) => {
        if (!isBackground) cameOut.push(id);
      },
    });
    const fixture = await openFixture('strong', { spareMemoryMb: 8 }, alone, wrap);
    fixture.publish('dies', { 'index.py': handler("os._exit(3) if event == b'die' else None") });
    const isSpare = async () => (await fixture.fail('dies', 'die')).coldStart?.isSpare;
    const oneWaits = () => until(() => fixture.functions.stats().spares > 0);
    await fixture.succeed('dies');
    await fixture.fail('dies', 'die');
    await oneWaits();
    assert.equal(await isSpare(), true);
    // So many in a row are not forgotten, however long each takes.
    for (let deaths = 0; deaths < 6; deaths += 1) await isSpare();
    await oneWaits();
    assert.equal(await isSpare(), false);
    const { instanceId } = await fixture.succeed('dies');
    assert.equal(begun.at(-1), true);
    await until(() => cameOut.includes(instanceId));
    assert.deepEqual(fixture.reports, [], 'each had said hello');
    await fixture.close();
  },
);

test('who waits for a start waits for no background, however long it computes within a second', options, async () => {
  const asked: string[] = [];
  const wrap = (launcher: LauncherClient): LauncherClient => ({
    ...launcher,
    setBackground: async (id, isBackground) => void asked.push(`${isBackground} ${id}`),
  });
  const fixture = await openFixture('strong', { spareMemoryMb: 0 }, alone, wrap);
  const heavyImport = `import time\nwhile time.process_time() < 0.3: pass\n${handler('pass')}`;
  fixture.publish('slow', { 'index.py': heavyImport });
  const { instanceId } = await fixture.succeed('slow');
  assert.equal(asked.length, 0, asked.join());
  fixture.publish('slower', { 'index.py': heavyImport.replace('0.3', '1.3') });
  const slower = await fixture.succeed('slower');
  assert.notEqual(slower.instanceId, instanceId);
  assert.ok(asked.includes(`true ${slower.instanceId}`), 'beyond that it is one that computes');
  await fixture.close();
});

test(
  'while other programs keep all processors busy nobody is in the background, or begins there',
  options,
  async (t) => {
    const asked: boolean[] = [];
    const wrap = (launcher: LauncherClient): LauncherClient => ({
      ...launcher,
      setBackground: async (id, isBackground) => {
        asked.push(isBackground);
        await launcher.setBackground?.(id, isBackground);
      },
    });
    const real = new OutsideLoad();
    let isMeasured = false;
    const outside = {
      watch: (...facts: Parameters<OutsideLoad['watch']>) => isMeasured && real.watch(...facts),
      verdict: (now: number) => (isMeasured ? real.verdict(now) : ('free' as const)),
      get isFull() {
        return isMeasured && real.isFull;
      },
    };
    const fixture = await openFixture('strong', { spareMemoryMb: 0 }, { outside }, wrap);
    const { runDir } = fixture;
    fixture.publish('long', { 'index.py': handler(compute(0.1)) }, { timeoutMs: 120_000 });
    while (inBackground(runDir) === 0) await fixture.succeed('long');
    assert.equal(asked.at(-1), true, 'it rests there');
    const others = Array.from({ length: 2 * availableParallelism() }, () =>
      spawn('timeout', ['120', 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' }),
    );
    t.after(() => others.map((other) => other.kill()));
    const ends = Promise.race(others.map((other) => once(other, 'exit')));
    isMeasured = true;
    const cameOut = (async () => {
      while (inBackground(runDir) > 0 || real.verdict(performance.now()) !== 'taken') await fixture.succeed('long');
      return 'out';
    })();
    assert.equal(await Promise.race([cameOut, ends]), 'out');
    asked.length = 0;
    for (let call = 0; call < 3; call += 1) await fixture.succeed('long');
    assert.deepEqual(asked, [], 'from beginning to end');
    await fixture.close();
  },
);
