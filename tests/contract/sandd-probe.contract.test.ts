// What `sandd probe` finds out has to be the same on a busy machine: a server that starts there would do with a weaker tier.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { findSandd, probeSandd } from '../../src/functions/index.ts';

const found = await findSandd();
const path = found.ok ? found.path : '';
const results: ReadonlyMap<string, string> = found.ok ? await probeSandd(path) : new Map();
const version = results.get('cgroups') ?? '0';
const skip = !found.ok ? found.why : version === '0' ? 'no control groups' : false;
const file = version === '1' ? 'cpu.shares' : 'cpu.weight';
/** What an ordinary process of the host has beside them, or an ordinary group; the trials get many times as much. */
const ordinary = version === '1' ? 1024 : 100;

/** Where groups are made: in this process's own, or beside it. */
function parents(): string[] {
  const own = /^(\d+):(?:|.*\bcpu(?:,.*)?):(\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[2] ?? '/';
  const mounts = version === '1' ? ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct'] : ['/sys/fs/cgroup'];
  return mounts.flatMap((mount) => [`${mount}${own}`, dirname(`${mount}${own}`)]).filter((each) => existsSync(each));
}

function weightsNow(places: readonly string[]): number[] {
  const trials = places.flatMap((place) => readdirSync(place).map((name) => `${place}/${name}`));
  return trials.flatMap((trial) => {
    if (!/yunmen-.*probe-.*\.c-/.test(trial)) return [];
    try {
      return [Number(readFileSync(`${trial}/${file}`, 'latin1'))];
    } catch {
      return []; // it has ended
    }
  });
}

test('its trials have processor time before all that computes beside them', { skip }, async () => {
  const places = parents();
  let isOver = false;
  const probing = probeSandd(path).finally(() => {
    isOver = true;
  });
  let most = 0;
  while (!isOver) {
    most = Math.max(most, ...weightsNow(places));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await probing).get('strong'), results.get('strong'));
  assert.ok(most >= 30 * ordinary, `the weight was ${most}`);
});
