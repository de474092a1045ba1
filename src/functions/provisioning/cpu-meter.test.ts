import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CpuMeter, readCpuMs } from './cpu-meter.ts';

test('the time of a process, its children and what they waited for is added up', () => {
  const stat = (name: string, ...times: number[]) =>
    `7 (${name}) S 1 7 7 0 -1 4194304 100 0 0 0 ${times.join(' ')} 20 0 1 0 5`;
  const files = new Map([
    ['/proc/7/stat', stat('no) de (x', 100, 50, 7, 3)],
    ['/proc/7/task/7/children', '8 9 '],
    ['/proc/8/stat', stat('sh', 10, 0, 0, 0)],
  ]);
  assert.equal(
    readCpuMs(7, (path) => files.get(path) ?? ''),
    1700,
  );
});

test('use is what was added since the last look; a new instance begins at nothing', () => {
  const times = new Map([
    [1, 500],
    [2, 100],
  ]);
  const meter = new CpuMeter((pid) => times.get(pid) ?? 0);
  const instances = [
    { id: 'a', pid: 1 },
    { id: 'b', pid: 2 },
    { id: 'starting', pid: 0 },
  ];
  assert.equal(meter.coresUsed(instances, 1000), 0);
  times.set(1, 1500).set(2, 600).set(3, 9000);
  assert.equal(meter.coresUsed([...instances, { id: 'c', pid: 3 }], 2000), 1.5);
  assert.equal(meter.coresUsed(instances, 3000), 0);
});
