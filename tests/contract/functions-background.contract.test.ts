// Real functions under a real launcher in tier strong: which class the kernel has an instance in while its request computes,
// waits, ends, or breaks; and that processors which an owner set are the instance's limit.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { findSandd, probeSandd } from '../../src/functions/index.ts';
import { openFixture } from './functions-fixture.ts';

const found = await findSandd();
const strong = found.ok ? ((await probeSandd(found.path)).get('strong') ?? 'the probe did not end') : found.why;
const skip = strong === 'ok' ? false : strong;

const handler = (body: string) => `import os, time\ndef handler(event, context):\n    ${body}\n    return b'done'\n`;
const compute = (seconds: number) =>
  `end = time.process_time() + ${seconds}\n    while time.process_time() < end: pass`;

/** Of the groups of processors of a server's instances, one file each. */
function inGroups(runDir: string, file: string): string[] {
  const group = `yunmen-${basename(runDir)}/c-*/${file}`;
  const places = ['', '*/', '*/*/', '*/*/*/'].map((depth) => `/sys/fs/cgroup/${depth}${group}`);
  return globSync(places).flatMap((path) => {
    try {
      return [readFileSync(path, 'utf8').trim()];
    } catch {
      return []; // the instance ends
    }
  });
}

const inBackground = (runDir: string) => inGroups(runDir, 'cpu.idle').filter((value) => value === '1').length;

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(5);
}

test('an instance that computes is in the background until its request ends, and the next request begins there', {
  skip,
}, async () => {
  const fixture = await openFixture('strong', { spareMemoryMb: 0 });
  const { runDir } = fixture;
  fixture.publish('long', { 'index.py': handler(compute(0.6)) }, { timeoutMs: 30_000 });
  for (let round = 1; round <= 2; round += 1) {
    const answer = fixture.succeed('long');
    await Promise.race([until(() => inBackground(runDir) === 1), answer.then(() => assert.fail('it never was there'))]);
    assert.equal((await answer).body.toString(), 'done', 'it went on there to its end');
    await until(() => inBackground(runDir) === 0);
  }
  await fixture.close();
});

test('one that waits stays in the foreground, and one that is ended while it computes leaves nothing', {
  skip,
}, async () => {
  const fixture = await openFixture('strong', { spareMemoryMb: 0 });
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
});

test('processors that the owner set are the limit of its instances', { skip }, async () => {
  const fixture = await openFixture('strong', { spareMemoryMb: 0 });
  fixture.publish('limited', { 'index.py': handler('pass') }, { cpu: 0.25, cpuLimit: 0.25 });
  await fixture.succeed('limited');
  const [quota] = [...inGroups(fixture.runDir, 'cpu.cfs_quota_us'), ...inGroups(fixture.runDir, 'cpu.max')];
  assert.equal(quota?.split(' ')[0], '5000');
  await fixture.close();
});
