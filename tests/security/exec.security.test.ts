// Attacks of commands that are run in an instance (InstanceExec) on what is around it: first in tier none, where they succeed
// (so they are real), then in the tiers that keep instances apart, where they must not.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { randomHex } from '../../src/base/ids.ts';
import { findSandd, type IsolationTier, probeSandd } from '../../src/functions/index.ts';
import { type ExecBench, Session } from '../../src/functions/launcher/suite-exec.ts';
import { type OpenSandd, openSandd, prepareInstance } from '../contract/sandd-open.ts';

const found = await findSandd();
const path = found.ok ? found.path : '';
const probed: ReadonlyMap<string, string> = found.ok ? await probeSandd(path) : new Map();
const isRoot = process.getuid?.() === 0;
const mark = `yunmen-${randomHex(8)}`;

type Running = { readonly bench: ExecBench; readonly pid: number };

/** Starts the script; resolves when it has written `up`. */
async function start(opened: OpenSandd, script: string, environment: Record<string, string> = {}): Promise<Running> {
  const { launcher, runDir, token, tier } = opened;
  const up = Promise.withResolvers<void>();
  const { spec, close } = prepareInstance(opened, ['/bin/sh', '-c', script], (text) => {
    if (text.includes('up')) up.resolve();
  });
  const { instanceId } = spec;
  const whole = { ...spec.environment, PATH: '/usr/bin:/bin', ...environment };
  const { pid } = await launcher.start({ ...spec, environment: whole });
  await up.promise;
  const bench: ExecBench = {
    ...{ launcher, runDir, token, instanceId },
    directory: tier === 'user' || tier === 'strong' ? '/code' : spec.codeDirectory,
    exited: new Promise(() => {}),
    until: async () => {},
    close: async () => close(),
  };
  return { bench, pid };
}

/** Each prints `succeeded` when it has got what it wanted. */
const attacks: readonly {
  readonly title: string;
  readonly tiers: readonly IsolationTier[];
  script(victim: Running): string;
}[] = [
  {
    title: 'reads the environment of another instance',
    tiers: ['restricted', 'user', 'strong'],
    script: () => `grep -qs "SECRET=${mark}" /proc/[0-9]*/environ && echo succeeded`,
  },
  {
    title: 'finds the processes of another instance',
    tiers: ['user', 'strong'],
    script: () => `grep -qs "${mark}-victim" /proc/[0-9]*/cmdline && echo succeeded`,
  },
  {
    title: 'signals another instance',
    tiers: ['restricted', 'user', 'strong'],
    script: ({ pid }) => `kill -0 ${pid} && echo succeeded`,
  },
  {
    title: 'reads what another instance has written',
    tiers: ['user', 'strong'],
    script: () => `cat /tmp/${mark} && echo succeeded`,
  },
  {
    title: 'lists the sockets of other instances',
    tiers: ['restricted', 'user', 'strong'],
    script: ({ bench }) => `ls ${bench.runDir}/i && echo succeeded`,
  },
  ...(isRoot
    ? ([
        {
          title: 'has capabilities',
          tiers: ['restricted', 'user', 'strong'],
          script: () => 'grep -q "CapEff:.*[1-9a-f]" /proc/self/status && echo succeeded',
        },
        {
          title: 'could gain rights by programs',
          tiers: ['restricted', 'user', 'strong'],
          script: () => 'grep -q "NoNewPrivs:.0" /proc/self/status && echo succeeded',
        },
        {
          title: 'makes namespaces',
          tiers: ['restricted', 'user', 'strong'],
          script: () => 'unshare --mount true && echo succeeded',
        },
        {
          title: 'runs without a filter of system calls',
          tiers: ['restricted', 'user', 'strong'],
          script: () => 'grep -q "Seccomp:.0" /proc/self/status && echo succeeded',
        },
        {
          title: 'writes into the system',
          tiers: ['restricted', 'user', 'strong'],
          script: () => `touch /usr/${mark} && rm /usr/${mark} && echo succeeded`,
        },
      ] as const)
    : []),
  {
    title: 'has more memory than its function',
    tiers: ['strong'],
    script: () => `python3 -c "print('succeeded' if len(bytearray(400 << 20)) else '')"`,
  },
];

const script = `echo own > /tmp/${mark}; echo up; sleep 1000; true # ${mark}-victim`;

for (const tier of ['none', 'restricted', 'user', 'strong'] as const) {
  const why = tier === 'none' ? 'ok' : (probed.get(tier) ?? (found.ok ? 'the probe did not end' : found.why));
  describe(`a command in an instance of tier ${tier}`, { skip: why === 'ok' ? false : why }, () => {
    let opened: OpenSandd;
    let victim: Running;
    let attacker: Running;
    before(async () => {
      opened = await openSandd(path, tier);
      // Its cmdline tells what it is.
      victim = await start(opened, tier === 'restricted' ? 'echo up; exec sleep 1000' : script, { SECRET: mark });
      attacker = await start(opened, 'echo up; exec sleep 1000');
    });
    after(async () => {
      await opened.close();
      for (const { bench } of [victim, attacker]) await bench.close();
      rmSync(`/tmp/${mark}`, { force: true });
    });

    for (const attack of attacks) {
      if (tier !== 'none' && !attack.tiers.includes(tier)) continue;
      test(`${attack.title}: ${tier === 'none' ? 'yes, nothing is kept apart' : 'no'}`, async () => {
        const own =
          attack.title === 'finds the processes of another instance'
            ? victimCommand(attack.script(victim))
            : attack.script(victim);
        const { text, end } = await Session.run(attacker.bench, ['sh', '-c', own]);
        assert.notEqual(end?.kind, 'wrong', 'it was tried');
        assert.equal(text.includes('succeeded'), tier === 'none', `${text} ${JSON.stringify(end)}`);
      });
    }

    test('outlives its instance: no, however it was begun', async () => {
      const { bench } = await start(opened, 'echo up; exec sleep 1000');
      const seconds = `${10_000 + Math.floor(Math.random() * 80_000)}.${Date.now() % 1000}`;
      const command = `setsid nohup sleep ${seconds} >/dev/null 2>&1 & sleep 0.1; echo begun`;
      const { text } = await Session.run(bench, ['sh', '-c', command]);
      assert.equal(text, 'begun\n');
      assert.ok(isRunning(seconds), 'it has outlived its session');
      await bench.launcher.stop(bench.instanceId, 0);
      assert.ok(!isRunning(seconds), 'it has outlived its instance');
      await bench.close();
    });
  });
}

/** Does not find itself. */
function victimCommand(text: string): string {
  return text.replace(`${mark}-victim`, `${mark}-vic[t]im`);
}

function isRunning(seconds: string): boolean {
  return readdirSync('/proc').some((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(`sleep\0${seconds}`);
    } catch {
      return false; // it has ended
    }
  });
}
