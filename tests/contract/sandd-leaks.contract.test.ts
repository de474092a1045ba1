// What sandd keeps of instances that have come and gone: nothing, counted before and after many of them, in each tier.
// Small counts here; under torture 10,000 of each tier. (The whole plane over the other launcher: functions-ends.)
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { counted } from '../../scripts/test/torture.ts';
import { findSandd, isolationTiers, probeSandd } from '../../src/functions/index.ts';
import { groupsOf } from '../harness/remains.ts';
import { type OpenSandd, openSandd, prepareInstance } from './sandd-open.ts';

const found = await findSandd();
const path = found.ok ? found.path : '';
const results: ReadonlyMap<string, string> = found.ok ? await probeSandd(path) : new Map();
const count = counted(60, 10_000);
const lanes = 4;
/** How an instance ends, in turn: by itself, a daemon left behind; by a stop; frozen, by a stop; never having run. */
const ways = ['(sleep 600 &) ; exit 0', 'sleep 600', 'trap "" TERM; echo up; sleep 600', null] as const;

async function comeAndGo(opened: OpenSandd, round: number, ended: Map<string, () => void>): Promise<void> {
  const { launcher } = opened;
  const script = ways[round % ways.length] ?? null;
  const argv = script === null ? ['/no/such/program'] : ['/bin/sh', '-c', script];
  const { spec, close } = prepareInstance(opened, argv);
  const { instanceId, socketDirectory } = spec;
  const gone = new Promise<void>((resolve) => ended.set(instanceId, resolve));
  const started = await launcher.start(spec).then(
    () => true,
    () => false,
  );
  assert.equal(started, script !== null);
  if (round % ways.length === 2) await launcher.setFrozen(instanceId, true);
  if (round % ways.length !== 0) await launcher.stop(instanceId, 0);
  if (started) await gone;
  ended.delete(instanceId);
  close();
  rmSync(socketDirectory, { recursive: true, force: true });
}

/** Namespaces that the process or its descriptors hold, processes below it, its descriptors by kind, what lies about. */
function holdings({ sandd, runDir }: OpenSandd) {
  const { pid } = sandd;
  const links = readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`));
  const name = runDir.slice(runDir.lastIndexOf('/') + 1);
  return {
    processes: readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).length,
    sockets: links.filter((link) => link.startsWith('socket:')).length,
    namespaces: links.filter((link) => /^(mnt|user|pid|net|ipc|uts|cgroup):/.test(link)).length,
    descriptors: links.length,
    // Those of its own: it shares the machine's, which others change meanwhile.
    mounts: readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split(name).length - 1,
    groups: groupsOf(runDir).length,
    slots: ['i', 't'].flatMap((each) => (existsSync(`${runDir}/${each}`) ? readdirSync(`${runDir}/${each}`) : []))
      .length,
  };
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

for (const tier of isolationTiers) {
  const result = tier === 'none' ? 'ok' : (results.get(tier) ?? 'the probe did not end');
  const skip = !found.ok ? found.why : result === 'ok' ? false : result;
  test(`${count} instances come and go in tier ${tier}, and sandd holds what it held before`, { skip }, async (t) => {
    const opened = await openSandd(path, tier);
    const ended = new Map<string, () => void>();
    opened.launcher.onExited(({ instanceId }) => ended.get(instanceId)?.());
    const many = (rounds: number) =>
      Promise.all(
        Array.from({ length: lanes }, async (_, lane) => {
          for (let round = lane; round < rounds; round += lanes) await comeAndGo(opened, round, ended);
        }),
      );
    await many(2 * lanes);
    const [before, beforeMb] = [holdings(opened), residentMb(opened.sandd.pid)];
    await many(count);
    let after = holdings(opened);
    for (let tries = 0; tries < 50 && after.processes > before.processes; tries += 1) {
      await sleep(20);
      after = holdings(opened);
    }
    assert.deepEqual(after, before);
    const grown = residentMb(opened.sandd.pid) - beforeMb;
    assert.ok(grown < 2, `sandd grew by ${grown} MB`);
    t.diagnostic(JSON.stringify({ ...after, grownMb: grown }));
    await opened.close();
    assert.equal(existsSync(opened.runDir), false);
  });
}
