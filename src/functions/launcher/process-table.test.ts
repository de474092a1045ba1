import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { findMark, findMembers, markName, parseStat, readProcessTable } from './process-table.ts';

const row = (pid: number, parent: number, instanceId: string | null = null) => ({
  pid,
  parent,
  instanceId,
  isStopped: false,
  isHeld: false,
});

test('the mark is read from an environment, and only as a whole name', () => {
  assert.equal(findMark(Buffer.from('A=1\0FC_INSTANCE_ID=c-1\0B=2\0')), 'c-1');
  assert.equal(findMark(Buffer.from('FC_INSTANCE_ID=c-1')), 'c-1');
  assert.equal(findMark(Buffer.from('XFC_INSTANCE_ID=c-1\0FC_INSTANCE_ID=c-2\0')), 'c-2');
  assert.equal(findMark(Buffer.from('A=FC_INSTANCE_ID=c-1\0')), null);
  assert.equal(findMark(Buffer.alloc(0)), null);
  assert.equal(findMark(null), null);
});

test('members are the marked, the roots and all their descendants, in whatever order the table is', () => {
  const table = [row(30, 20), row(20, 10), row(10, 1), row(40, 1, 'c-1'), row(50, 1, 'c-2'), row(60, 1), row(41, 40)];
  const members = findMembers(table, new Set(['c-1']), new Set([10])).map(({ pid }) => pid);
  assert.deepEqual(members.sort(), [10, 20, 30, 40, 41]);
});

test('the caller itself is never a member', () => {
  const table = [row(process.pid, 1, 'c-1'), row(2, process.pid)];
  assert.deepEqual(
    findMembers(table, new Set(['c-1']), new Set()).map(({ pid }) => pid),
    [2],
  );
});

test('the state is read after the last parenthesis; a zombie counts while threads of it run', () => {
  const stat = (state: string, threads: number) =>
    `42 (a) b) (${state}) ${state} 7 42 42 0 -1 4194304 100 0 0 0 1 1 0 0 20 0 ${threads} 0 5`;
  assert.deepEqual(parseStat(stat('S', 1)), { parent: 7, isStopped: false, isHeld: false });
  assert.deepEqual(parseStat(stat('T', 3)), { parent: 7, isStopped: true, isHeld: false });
  assert.deepEqual(parseStat(stat('D', 1)), { parent: 7, isStopped: false, isHeld: true });
  assert.equal(parseStat(stat('Z', 1)), null);
  assert.deepEqual(parseStat(stat('Z', 2)), { parent: 7, isStopped: false, isHeld: false });
});

test('in another namespace of processes no environment is read', async (t) => {
  const script = 'echo up; exec sleep 60';
  const env = { ...process.env, [markName]: 'c-table' };
  const beginIn = async (namespace: readonly string[]) => {
    const [command = 'sh', ...args] = [...namespace, 'sh', '-c', script];
    const child = spawn(command, args, { env, stdio: 'pipe' });
    const gone = once(child, 'close');
    t.after(() => void child.kill('SIGKILL'));
    const isUp = await Promise.race([once(child.stdout, 'data').then(() => true), gone.then(() => false)]);
    return { pid: child.pid ?? 0, isUp };
  };
  const here = await beginIn([]);
  const there = await beginIn(['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child']);
  const table = readProcessTable();
  assert.equal(table.find(({ pid }) => pid === here.pid)?.instanceId, 'c-table');
  if (!there.isUp) return t.skip('this machine gives nobody a namespace of processes');
  const inside = table.find(({ parent }) => parent === there.pid);
  assert.equal(inside?.instanceId, null);
  assert.ok(findMembers(table, new Set(), new Set([there.pid])).some(({ pid }) => pid === inside?.pid));
});
