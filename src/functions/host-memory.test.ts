import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSystemReader, readMemory, SystemMemory } from './host-memory.ts';
import { fakeClock } from './instances/fake-clock.ts';

const meminfo = (availableKb: number) =>
  `MemTotal:       1000000 kB\nMemFree: 1 kB\nMemAvailable:    ${availableKb} kB\n`;
const kb = 1024;

test('what is free is what the kernel says can be had', () => {
  const files = new Map([['/proc/meminfo', meminfo(400_000)]]);
  assert.deepEqual(
    readMemory((path) => files.get(path) ?? null),
    { totalBytes: 1_000_000 * kb, freeBytes: 400_000 * kb },
  );
});

test('a container has what its control group leaves, of either generation', () => {
  const [limit, used] = [String(100_000 * kb), String(90_000 * kb)];
  const second = new Map([
    ['/proc/meminfo', meminfo(400_000)],
    ['/sys/fs/cgroup/memory.max', `${limit}\n`],
    ['/sys/fs/cgroup/memory.current', used],
    ['/sys/fs/cgroup/memory.stat', `anon 1\ninactive_file ${30_000 * kb}\n`],
  ]);
  const first = new Map([
    ['/proc/meminfo', meminfo(400_000)],
    ['/sys/fs/cgroup/memory/memory.limit_in_bytes', limit],
    ['/sys/fs/cgroup/memory/memory.usage_in_bytes', used],
    ['/sys/fs/cgroup/memory/memory.stat', `total_inactive_file ${30_000 * kb}\n`],
  ]);
  for (const files of [first, second]) {
    assert.equal(readMemory((path) => files.get(path) ?? null)?.freeBytes, 40_000 * kb);
  }
});

test('a file that stays open is read as it is now', () => {
  const read = createSystemReader();
  const loads = () => read('/proc/self/stat')?.split(' ')[9] ?? '';
  const before = loads();
  Buffer.alloc(32 * 1024 * 1024, 1); // faults of pages are counted there
  assert.ok(before !== '' && Number(loads()) > Number(before), before);
  assert.deepEqual([read('/proc/none-of-this-name'), read('/proc/none-of-this-name')], [null, null]);
});

test('no limit, and a limit above the machine, are none', () => {
  for (const limit of ['max', '9223372036854771712']) {
    const files = new Map([
      ['/proc/meminfo', meminfo(400_000)],
      ['/sys/fs/cgroup/memory.max', limit],
      ['/sys/fs/cgroup/memory.current', '1'],
    ]);
    assert.equal(readMemory((path) => files.get(path) ?? null)?.freeBytes, 400_000 * kb);
  }
  assert.equal(
    readMemory(() => null),
    null,
  );
});

test('a lack is told with its figures, believed for a moment, and looked at again when something has ended', () => {
  const clock = fakeClock();
  let available = 10_000;
  const memory = new SystemMemory(clock, (path) => (path === '/proc/meminfo' ? meminfo(available) : null));
  assert.match(memory.lack() ?? '', /no memory for another instance: 10 MB of 977 MB are free/);
  available = 400_000;
  assert.notEqual(memory.lack(), null);
  clock.advance(200);
  assert.equal(memory.lack(), null);
  available = 10_000;
  assert.equal(memory.lack(), null);
  memory.changed();
  assert.notEqual(memory.lack(), null);
});
