// What a launcher promises of processors where it has control groups of them. Run by tests/contract/ beside suite.ts.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startLine } from './port.ts';
import { type LauncherSuite, openBench } from './suite.ts';

const ticking = 'while :; do echo tick; done';

/** Path of a process's group of processors, as it sees the hierarchy. */
function pathOf(pid: number | 'self'): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(':'));
  const own = lines.find(([, controllers = '']) => controllers.split(',').includes('cpu'));
  return (own ?? lines.find(([number]) => number === '0'))?.slice(2).join(':') ?? assert.fail('no control group');
}

/** One file of the group of an instance's first process. */
function fileOf(pid: number, name: string): string {
  const places = ['', '/cpu', '/cpu,cpuacct'].map((point) => `/sys/fs/cgroup${point}${pathOf(pid)}/${name}`);
  return places.find((place) => existsSync(place)) ?? assert.fail(`no ${name} among ${places.join(' ')}`);
}

function read(pid: number, name: string): string {
  return readFileSync(fileOf(pid, name), 'utf8').trim();
}

/** In the words of the version: numbers of one version can be compared. */
function weightOf(pid: number): number {
  return Number(read(pid, existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'cpu.weight' : 'cpu.shares'));
}

/**
 * Nanoseconds that an instance's threads run in one go, the same for its first process and for the program that this started.
 * null: this kernel does not tell, or does not let anybody ask for it.
 */
function turnOf(pid: number): number | null {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 12)) return null;
  const [program = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  const [own, ofProgram] = [pid, program].map((each) => {
    const line = /^se\.slice *: *(\d+)$/m.exec(readFileSync(`/proc/${each}/sched`, 'utf8'));
    return line === null ? null : Number(line[1]);
  });
  assert.equal(ofProgram, own);
  return own ?? null;
}

const longTurn = 20_000_000;

/** Thousandths of a processor; null: no limit. */
function limitOf(pid: number): number | null {
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers')) {
    const quota = Number(read(pid, 'cpu.cfs_quota_us'));
    return quota < 0 ? null : (1000 * quota) / Number(read(pid, 'cpu.cfs_period_us'));
  }
  const [most = '', period = ''] = read(pid, 'cpu.max').split(' ');
  return most === 'max' ? null : (1000 * Number(most)) / Number(period);
}

/** Runs the contract. */
export function testProcessors({ name, tier, skip, open }: LauncherSuite): void {
  describe(`launcher contract, processors: ${name}`, { skip }, () => {
    test('an instance in the background has the idle class, goes on, and comes out of it', async (t) => {
      const bench = await openBench(t, open, tier);
      const { setBackground } = bench.launcher;
      assert.ok(setBackground !== undefined, 'there are classes');
      const spec = bench.spec(['/bin/sh', '-c', `echo up; ${ticking}`]);
      const output = bench.outputOf(spec);
      const { pid } = await bench.launcher.start(spec);
      await output.until('up\n');
      assert.equal(read(pid, 'cpu.idle'), '0');
      const [weight, turn] = [weightOf(pid), turnOf(pid)];
      assert.notEqual(turn, longTurn);
      for (let round = 1; round <= 2; round += 1) {
        await setBackground(spec.instanceId, true);
        assert.equal(read(pid, 'cpu.idle'), '1');
        assert.equal(turnOf(pid), turn === null ? null : longTurn, 'who wakes up is due before it');
        await output.grows();
        await setBackground(spec.instanceId, false);
        assert.equal(read(pid, 'cpu.idle'), '0');
        assert.equal(turnOf(pid), turn);
        assert.equal(weightOf(pid), weight, 'as its memory says');
      }
      t.diagnostic(turn === null ? 'no turns here' : `turns of ${turn} ns, of ${longTurn} in the background`);
      await setBackground(spec.instanceId, true);
      await bench.launcher.stop(spec.instanceId, 0);
      await assert.rejects(setBackground(spec.instanceId, false), /no such instance/);
    });

    test('an instance can begin in the background, and comes out of it with the weight of its memory', async (t) => {
      const bench = await openBench(t, open, tier);
      const begin = async (isBackground: boolean) => {
        const spec = { ...bench.spec(['/bin/sh', '-c', `echo up; ${ticking}`]), isBackground };
        const output = bench.outputOf(spec);
        const { pid } = await bench.launcher.start(spec);
        await output.until('up\n');
        return { pid, id: spec.instanceId };
      };
      const [one, other] = [await begin(true), await begin(false)];
      assert.deepEqual([read(one.pid, 'cpu.idle'), read(other.pid, 'cpu.idle')], ['1', '0']);
      const turn = turnOf(other.pid);
      assert.equal(turnOf(one.pid), turn === null ? null : longTurn);
      assert.notEqual(weightOf(one.pid), weightOf(other.pid));
      await bench.launcher.setBackground?.(one.id, false);
      assert.deepEqual([read(one.pid, 'cpu.idle'), weightOf(one.pid)], ['0', weightOf(other.pid)]);
      assert.equal(turnOf(one.pid), turn);
    });

    test('one that is ended in the background ends there, and is taken out of it when that takes long', async (t) => {
      const bench = await openBench(t, open, tier);
      const spec = { ...bench.spec(['/bin/sh', '-c', `echo up; ${ticking}`]), isBackground: true };
      const output = bench.outputOf(spec);
      const { pid } = await bench.launcher.start(spec);
      await output.until('up\n');
      const group = dirname(fileOf(pid, 'cpu.idle'));
      process.kill(pid, 'SIGSTOP'); // so that it does not hear
      const ended = bench.launcher.stop(spec.instanceId, 0);
      assert.equal(read(pid, 'cpu.idle'), '1');
      while (read(pid, 'cpu.idle') === '1') await delay(10);
      process.kill(pid, 'SIGCONT');
      await ended;
      assert.equal(existsSync(group), false);
    });

    test('an instance is a sibling of whoever calls it here and of the data process, of which that is over with the launcher', async (t) => {
      const before = pathOf('self');
      const bench = await openBench(t, open, tier);
      const spec = bench.spec(['/bin/sh', '-c', 'echo up; sleep 600']);
      const output = bench.outputOf(spec);
      const { pid } = await bench.launcher.start(spec);
      await output.until('up\n');
      const server = pathOf(pid).slice(0, -spec.instanceId.length - 1);
      assert.equal(pathOf(pid), `${server}.${spec.instanceId}`);
      assert.equal(pathOf('self'), `${server}/server`);
      assert.notEqual(before, pathOf('self'));
      const parent = server.slice(0, server.lastIndexOf('/'));
      assert.equal(parent, before.replace(/\/(server-of-yunmen)?$/, ''));
      await bench.close();
      assert.doesNotMatch(pathOf('self'), /yunmen-.*\/server$/);
    });

    test('processors that an owner set are a limit, of a process that waited too; without that there is none', async (t) => {
      const bench = await openBench(t, open, tier);
      const free = bench.spec(['/bin/sh', '-c', 'sleep 600']);
      assert.equal(limitOf((await bench.launcher.start(free)).pid), null);
      const limited = { ...bench.spec(['/bin/sh', '-c', ticking]), cpu: 0.05 };
      const { pid } = await bench.launcher.start(limited);
      assert.equal(limitOf(pid), 50);
      const throttled = () => Number(/^nr_throttled (\d+)$/m.exec(read(pid, 'cpu.stat'))?.[1]);
      while (throttled() === 0) await delay(10);
      const waiting = bench.spec(['/bin/sh', '-c', 'read line; sleep 600']);
      const spare = await bench.launcher.startSpare(waiting);
      assert.equal(limitOf(spare.pid), null);
      const code = `${bench.codeDirectory}/own`;
      mkdirSync(code);
      writeFileSync(`${code}/index.py`, '');
      const { instanceId } = waiting;
      await bench.launcher.assign({
        instanceId,
        codeDirectory: code,
        memoryMb: 256,
        cpu: 1.25,
        startLine: startLine(waiting, {}),
      });
      assert.equal(limitOf(spare.pid), 1250);
    });
  });
}
