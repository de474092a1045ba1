// How instances rest and end: frozen between requests, hooks, memory, tails, and that nothing is left of many of them.
// Counts are small here and full in torture.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, describe as group, test } from 'node:test';
import { counted } from '../../scripts/test/torture.ts';
import { probeIsolation } from '../../src/functions/index.ts';
import { type Fixture, openFixture } from './functions-fixture.ts';

const isolation = await probeIsolation();
const tails = counted(100, 1_000);
/** Of each tier. */
const instances = counted(100, 10_000);
/** So many functions at once. */
const lanes = ['a', 'b', 'c', 'd'];

const echo = { 'index.py': 'def handler(event, context):\n    return event\n' };
const python = (head: string, body: string) => ({
  'index.py': `import os, sys, threading, time\n${head}\ndef handler(event, context):\n${body}\n`,
});

/** Both languages: something that ticks on by itself, and writes each tick to the log. */
const tickers = {
  python: {
    files: python(
      'def tick():\n    while True:\n        print("tick")\n        time.sleep(0.005)\nthreading.Thread(target=tick, daemon=True).start()',
      '    return event',
    ),
    runtime: 'python3.10',
  },
  node: {
    files: {
      'index.js':
        'setInterval(() => console.log("tick"), 5);\nexports.handler = (event, context, callback) => callback(null, event);\n',
    },
    runtime: 'nodejs16',
  },
};

for (const tier of ['none', 'user'] as const) {
  const missing = isolation.missing.find((each) => each.tier === tier);
  const skip = missing === undefined ? false : `${missing.why}; ${missing.install}`;

  group(`instances at rest and at their end in tier ${tier}`, { skip }, () => {
    let plane: Fixture;
    before(async () => {
      plane = await openFixture(tier, { idleMs: 60_000, freezeMs: 100 });
    });
    after(async () => {
      await plane.close();
    });

    for (const [language, { files, runtime }] of Object.entries(tickers)) {
      test(`${language}: no thread and no timer runs between requests, and the next call works`, async () => {
        const name = `ticks-${language}`;
        plane.publish(name, files, { runtime });
        const first = await plane.succeed(name, 'first');
        for (let round = 1; round <= 3; round += 1) {
          const { pids } = await standsStill(first.instanceId);
          const ticks = await settled(() => plane.lines.length);
          // Forty ticks long: what still ran would show.
          await new Promise((resolve) => setTimeout(resolve, 200));
          assert.equal(plane.lines.length, ticks);
          assert.ok(pids.length > 0);
          const next = await plane.succeed(name, `round ${round}`);
          assert.equal(next.body.toString(), `round ${round}`);
          assert.equal(next.instanceId, first.instanceId);
          await waitUntil(() => plane.lines.length > ticks);
        }
      });
    }

    test('with no time to wait an instance stands still as soon as it has answered', async () => {
      const strict = await openFixture(tier, { freezeMs: 0 });
      try {
        strict.publish('strict', echo);
        const { instanceId } = await strict.succeed('strict', 'x');
        await standsStill(instanceId);
        for (let call = 0; call < 20; call += 1) {
          const outcome = await strict.succeed('strict', `call ${call}`);
          assert.equal(outcome.body.toString(), `call ${call}`);
          assert.equal(outcome.instanceId, instanceId);
        }
      } finally {
        await strict.close();
      }
    });

    test('the hook before a freeze runs before each, the hook before the end once, both in the log', async () => {
      const hooked = await openFixture(tier, { freezeMs: 50 });
      const hooks =
        'calls = []\ndef pre_freeze(context):\n    calls.append("freeze " + context.request_id)\ndef pre_stop(context):\n    print("stopping after %d freezes" % len(calls))';
      hooked.publish('hooked', python(hooks, '    return str(len(calls))'), {
        preFreeze: { handler: 'index.pre_freeze', timeoutMs: 5_000 },
        preStop: { handler: 'index.pre_stop', timeoutMs: 5_000 },
      });
      for (let freezes = 0; freezes < 3; freezes += 1) {
        const { body, instanceId } = await hooked.succeed('hooked');
        assert.equal(body.toString(), String(freezes));
        await standsStill(instanceId);
      }
      await hooked.close();
      const texts = hooked.lines.map(({ text }) => text);
      assert.ok(texts.includes('stopping after 3 freezes'), texts.join('\n'));
      assert.ok(texts.some((text) => text.startsWith('FC PreStop End RequestId: ')));
    });

    test('hooks that fail or hang keep nobody from the function, and the end from nothing', async () => {
      const hooked = await openFixture(tier, { freezeMs: 20, closingHookMs: 200 });
      const hooks = 'def fails(context):\n    raise ValueError("no")\ndef hangs(context):\n    time.sleep(600)';
      hooked.publish('fails', python(hooks, '    return event'), {
        preFreeze: { handler: 'index.fails', timeoutMs: 5_000 },
        preStop: { handler: 'index.hangs', timeoutMs: 90_000 },
      });
      hooked.publish('hangs', python(hooks, '    return event'), {
        preFreeze: { handler: 'index.hangs', timeoutMs: 200 },
      });
      const first = await hooked.succeed('fails', 'x');
      await standsStill(first.instanceId);
      assert.equal((await hooked.succeed('fails', 'y')).instanceId, first.instanceId);
      const hanging = await hooked.succeed('hangs', 'x');
      await waitUntil(() => hooked.functions.stats().instances.freezing === 1);
      assert.equal((await hooked.succeed('hangs', 'y')).body.toString(), 'y', 'who comes meanwhile gets another');
      await waitUntil(() => membersOf(hanging.instanceId).length === 0);
      await hooked.close();
    });

    test('who uses more memory than the function has is ended, the answer says so, and the next call works', async () => {
      plane.publish(
        'hoards',
        python('', '    if event == b"x":\n        kept = [b"x" * 1000000 for _ in range(100000)]\n    return event'),
        {
          memoryMb: 128,
        },
      );
      await plane.succeed('hoards', 'warm');
      const { body, maxMemoryMb, errorType } = await plane.fail('hoards', 'x');
      assert.equal(errorType, 'UnhandledInvocationError');
      const said =
        /^\{"errorMessage":"Process exited unexpectedly before completing request \(duration: \d+ms, maxMemoryUsage: (\d+\.\d\d)MB\)"\}$/.exec(
          body.toString(),
        );
      assert.ok(said !== null, body.toString());
      const saidMb = Number(said[1]);
      assert.ok(saidMb > 128 && saidMb < 4_096, `${saidMb} MB`);
      assert.equal(maxMemoryMb, saidMb);
      assert.equal((await plane.succeed('hoards', 'y')).body.toString(), 'y');
    });

    test('who takes more than that before its first request is told how much it had, too', async () => {
      const hoard = 'kept = [b"x" * 1000000 for _ in range(100000)]';
      plane.publish('hoards-at-load', python(hoard, '    return event'), { memoryMb: 128 });
      const initializer = { handler: 'index.initialize', timeoutMs: 20_000 };
      const initialize = `def initialize(context):\n    ${hoard}`;
      plane.publish('hoards-at-first', python(initialize, '    return event'), { memoryMb: 128, initializer });
      for (const [name, type] of [
        ['hoards-at-load', 'UnhandledInvocationError'],
        ['hoards-at-first', 'InitializationError'],
      ] as const) {
        const { body, maxMemoryMb, errorType } = await plane.fail(name);
        assert.equal(errorType, type);
        assert.match(body.toString(), /^\{"errorMessage":"Process exited unexpectedly before completing request \(/);
        assert.ok(maxMemoryMb > 128, `${maxMemoryMb} MB`);
      }
    });

    test('memory of children counts', async () => {
      const hoarding =
        '    import subprocess\n    subprocess.call([sys.executable, "-c", "kept = [b\'x\' * 1000000 for _ in range(100000)]"])\n    return "alive"';
      plane.publish('parent', python('', hoarding), { memoryMb: 128 });
      assert.match((await plane.fail('parent')).body.toString(), /Process exited unexpectedly/);
    });

    test('callers that leave, again and again, leave no instance behind', async () => {
      plane.publish('left', python('', '    if event == b"hang":\n        time.sleep(60)\n    return event'));
      const before = plane.functions.stats();
      for (let round = 0; round < 10; round += 1) {
        const controller = new AbortController();
        const pending = plane.invoke('left', 'hang', { signal: controller.signal });
        // At every stage of a call: while it waits, starts, loads and runs.
        setTimeout(() => controller.abort(), round * 15);
        const outcome = await pending;
        assert.equal(outcome.kind === 'refused' && outcome.code, 'ClientClosedRequest');
        assert.equal((await plane.succeed('left', 'next')).body.toString(), 'next');
      }
      assert.equal(plane.functions.stats().inFlight, before.inFlight);
      await waitUntil(() => plane.functions.stats().instances.stopping === 0);
    });

    for (const [language, files, runtime] of [
      ['Python', python('', '    print("last line of " + event.decode())\n    return event'), 'python3.10'],
      [
        'Node',
        {
          'index.js':
            'exports.handler = (event, context, callback) => { console.log("last line of " + event); callback(null, event); };\n',
        },
        'nodejs16',
      ],
    ] as const) {
      test(`${language}: ${tails} tails hold the last line`, async () => {
        plane.publish('tails', files, { runtime });
        for (let call = 0; call < tails; call += 1) {
          const { logTail } = await plane.succeed('tails', `call ${call}`, { tail: true });
          assert.match(logTail?.toString() ?? '', new RegExp(`last line of call ${call}\\nFC Invoke End RequestId: `));
        }
      });
    }

    test(`${instances} instances come and go and leave nothing`, async () => {
      const many = await openFixture(tier, { idleMs: 60_000, spareMemoryMb: 0 });
      try {
        for (const lane of lanes) many.publish(lane, echo);
        const startAndEnd = (rounds: number) =>
          Promise.all(
            lanes.map(async (lane) => {
              for (let round = 0; round < rounds / lanes.length; round += 1) {
                assert.ok((await many.succeed(lane, 'x')).coldStart !== null);
                // A new configuration takes the place of the former, whose instance ends.
                many.functions.changed(lane);
              }
            }),
          );
        // The first ones open what is kept open.
        await startAndEnd(20);
        const former = await count(many);
        await startAndEnd(instances);
        const latter = await count(many);
        const { memoryMb: formerMb, ...formerCounts } = former;
        const { memoryMb: latterMb, ...latterCounts } = latter;
        assert.deepEqual(latterCounts, formerCounts);
        for (const [index, mb] of latterMb.entries()) {
          const grown = mb - (formerMb[index] ?? 0);
          assert.ok(grown < 40, `process ${index} grew by ${grown} MB over ${instances} instances`);
        }
      } finally {
        await many.close();
      }
    });
  });
}

/** What there is of a plane when nothing runs: of this process (the data process's part) and of the launcher. */
async function count(plane: Fixture) {
  await waitUntil(() => Object.values(plane.functions.stats().instances).every((each) => each === 0));
  global.gc?.();
  const pids = [process.pid, plane.launcherPid];
  return {
    processes: await settled(() => childrenOf(plane.launcherPid)),
    directories: readdirSync(`${plane.runDir}/i`).length,
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    descriptors: await Promise.all(pids.map((pid) => settled(() => readdirSync(`/proc/${pid}/fd`).length))),
    sockets: pids.map((pid) => descriptorsOf(pid).filter((each) => each.startsWith('socket:')).length),
    memoryMb: pids.map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024),
  };
}

function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      return ''; // the one by which we read
    }
  });
}

function childrenOf(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return tasks
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' '))
    .filter((child) => child !== '').length;
}

/** Processes of an instance by the mark in their environment, with their state. */
function membersOf(instanceId: string): { readonly pid: number; readonly state: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      if (!/^\d+$/.test(name) || !readFileSync(`/proc/${name}/environ`).includes(instanceId)) return [];
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      return [{ pid: Number(name), state: stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) }];
    } catch {
      return []; // it has ended
    }
  });
}

/** Waits until every process of the instance is stopped. */
async function standsStill(instanceId: string): Promise<{ readonly pids: readonly number[] }> {
  let members = membersOf(instanceId);
  await waitUntil(() => {
    members = membersOf(instanceId);
    return members.length > 0 && members.every(({ state }) => state === 'T');
  });
  return { pids: members.map(({ pid }) => pid) };
}

/** What was on its way has come. */
async function settled(read: () => number): Promise<number> {
  for (let value = -1; value !== read(); await new Promise((resolve) => setTimeout(resolve, 30))) value = read();
  return read();
}

async function waitUntil(isTrue: () => boolean): Promise<void> {
  const until = Date.now() + 10_000;
  while (!isTrue()) {
    assert.ok(Date.now() < until, 'it did not come true within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
