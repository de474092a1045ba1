// Every way in which an instance ends, by name, on a real server: what the failed call is answered, that the whole tree of
// processes is gone within two seconds, that the next call works, and that nothing is left. Run by the tests of ends, in each
// place.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isTorture } from '../../scripts/test/torture.ts';
import { Project } from '../harness/project.ts';
import { holdings, instanceTrees, remainsOf } from '../harness/remains.ts';
import { functionCompute, zipped } from '../harness/sdk.ts';
import {
  alive,
  Cleanup,
  leftovers,
  processTree,
  root,
  type StartOptions,
  startServer,
  type TestServer,
  temporaryDirectory,
} from '../harness/server.ts';

const run = promisify(execFile);
const goneWithinMs = 2_000;
/** The program, the daemon that its first call leaves, and what the launcher has for each instance. */
const leastProcesses = { sandd: 3, node: 2 };

const exited = /^Process exited unexpectedly before completing request \(duration: \d+ms, maxMemoryUsage: [\d.]+MB\)$/;
const outOfMemory = /^Process exited unexpectedly .* maxMemoryUsage: [1-9]\d\d\.\d+MB\)$/;
const timedOut = /^Function timed out after 1 seconds \(duration: [1-9]\d{3}ms, maxMemoryUsage: [\d.]+MB\)$/;

const hungUp = /socket hang up|ECONNRESET/;
const internalError = /failed with 500\. .* an internal error has occurred/;

type End = {
  readonly name: string;
  /** What the function does when it is told to end; Python, one line each. */
  readonly does: readonly string[];
  readonly says: RegExp;
  readonly timeout?: number;
  /** Places that promise no such end: there the call is answered. */
  readonly notIn?: Pick<Place, 'tier' | 'launcher'>;
  /** Looks at the end of the log that came with the answer. */
  readonly log?: (tail: string) => void;
};

const ends: readonly End[] = [
  { name: 'time-out', does: ['time.sleep(600)'], says: timedOut, timeout: 1 },
  {
    name: 'memory',
    // Held for as long as tiers take that measure four times a second.
    does: ['kept = [b"x" * 1000000 for _ in range(300)]', 'time.sleep(2)'],
    says: outOfMemory,
    notIn: { tier: 'none', launcher: 'sandd' },
  },
  { name: 'crash', does: ['os.kill(os.getpid(), signal.SIGSEGV)', 'time.sleep(600)'], says: exited },
  { name: 'exit', does: ['os._exit(0)'], says: exited },
  {
    name: 'endless output',
    does: ['while True: print("x" * 1000)'],
    says: timedOut,
    timeout: 1,
    log: (tail) => assert.ok(tail.length > 0 && tail.length <= 4096, `${tail.length} bytes of log`),
  },
  { name: 'endless loop', does: ['while True: pass'], says: timedOut, timeout: 1 },
  {
    name: 'SIGTERM ignored',
    does: ['signal.signal(signal.SIGTERM, signal.SIG_IGN)', 'while True: time.sleep(600)'],
    says: timedOut,
    timeout: 1,
  },
  {
    name: 'daemonised grandchildren',
    does: ['for _ in range(20): leave_daemon()', 'os._exit(1)'],
    says: exited,
  },
];

const sourceOf = (does: readonly string[]) => `
import os, signal, time

def leave_daemon():
    """Has left its session and its parent, hears no SIGTERM, and holds the output open."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(writer, b'x')
            while True: time.sleep(600)
        os._exit(0)
    os.wait()
    os.read(reader, 1)

def handler(event, context):
    if event == b'begin':
        leave_daemon()
    elif event != b'next':
        ${does.join('\n        ')}
    return event
`;

const waiting = ['time.sleep(600)'];

/** Waits, for ten seconds at most, until they are equal. */
async function becomesEqual<T>(read: () => T, wanted: T): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (JSON.stringify(read()) !== JSON.stringify(wanted) && performance.now() < deadline) await sleep(20);
  assert.deepEqual(read(), wanted);
}

/** Where functions run. */
export type Place = {
  readonly title: string;
  readonly tier: string;
  readonly launcher: 'sandd' | 'node';
  /** What carries packets out, where that is promised of the place. */
  readonly carrier?: string | null;
  readonly options?: StartOptions;
  /** Who ends what runs when control, data and launcher are killed at once; the kernel unless said. */
  readonly lastEnd?: 'the next start';
  /** Whether processes wait for a function there; that is not looked at unless said. */
  readonly hasSpares?: boolean;
  /** All ends only under torture, else those that differ most between places. */
  readonly isBrief?: boolean;
  readonly skip: string | false;
};

const brief = new Set(['memory', 'SIGTERM ignored', 'daemonised grandchildren']);

export function describeEndsSuite(place: Place): void {
  const { title, tier, launcher, options = {}, hasSpares, skip } = place;
  const isBrief = place.isBrief === true && !isTorture;
  describe(`how instances end in ${title}`, { skip, concurrency: 1 }, () => {
    const cleanup = new Cleanup();
    let dataDir: string;
    let server: TestServer;
    let project: Project;
    let fc: ReturnType<typeof functionCompute>;
    /** `spareMemoryMb` 0: without processes that wait for a function, so that whatever there is of instances is of the test's. */
    const open = async (spareMemoryMb = 0) => {
      const spare = ['--spare-memory', String(spareMemoryMb)];
      const command = ['start', '--runtime-fallback', '--isolation', tier, ...spare];
      server = await startServer(cleanup, command, dataDir, options);
      fc = functionCompute(server.ready, server.credentials);
    };
    const addFunction = async (functionName: string, does: readonly string[], timeout = 30) => {
      const code = { zipFile: await zipped({ 'index.py': sourceOf(does) }) };
      const settings = { runtime: 'python3.10', handler: 'index.handler', memorySize: 128, timeout };
      await fc.createFunction('ends', { functionName, code, ...settings });
    };
    before(async () => {
      dataDir = temporaryDirectory(cleanup);
      await open();
      assert.deepEqual([server.ready.isolation, server.ready.launcher], [tier, launcher]);
      if (place.carrier !== undefined) assert.equal(server.ready.carrier, place.carrier);
      project = await Project.create(server, 'ends');
      // The first instance opens what is kept open.
      await addFunction('first', waiting);
      await fc.invokeFunction('ends', 'first', 'next');
      await fc.deleteFunction('ends', 'first');
      await becomesEqual(() => holdings(server).slots, 0);
    });
    after(() => cleanup.run());

    async function untilMetrics(line: RegExp): Promise<void> {
      while (!line.test(await (await fetch(`${server.ready.api}/metrics`)).text())) await sleep(10);
    }
    /** Waits until a call runs. */
    const isBusy = () => untilMetrics(/^yunmen_instances\{state="busy"\} 1$/m);

    /** Makes the function and calls it, has `end` end its instance, and looks at what becomes of that. */
    async function goesThrough(
      name: string,
      { does, timeout = 30 }: Pick<End, 'does' | 'timeout'>,
      end: (functionName: string) => Promise<void>,
    ): Promise<void> {
      const functionName = name.replaceAll(' ', '-');
      const before = holdings(server);
      await addFunction(functionName, does, timeout);
      assert.equal(String((await fc.invokeFunction('ends', functionName, 'begin')).data), 'begin');
      const [tree = [], ...others] = instanceTrees(server);
      assert.equal(others.length, 0, 'one instance');
      assert.ok(alive(tree).length >= leastProcesses[launcher], `${tree.length} processes of the instance`);
      await end(functionName);
      assert.deepEqual(await leftovers(tree, [], goneWithinMs), []);
      assert.equal(String((await fc.invokeFunction('ends', functionName, 'next')).data), 'next');
      await fc.deleteFunction('ends', functionName);
      await becomesEqual(() => holdings(server), before);
    }

    for (const { name, does, says, timeout, notIn, log } of ends) {
      if (isBrief && !brief.has(name)) continue;
      const isPromised = notIn?.tier !== tier || notIn.launcher !== launcher;
      test(isPromised ? name : `${name}: not in this tier, the call is answered`, async () => {
        const limit = timeout === undefined ? {} : { timeout };
        await goesThrough(name, { does, ...limit }, async (functionName) => {
          const answer = await fc.invokeFunction('ends', functionName, 'end', { 'x-fc-log-type': 'Tail' });
          const tail = Buffer.from(answer.headers['x-fc-log-result'] ?? '', 'base64').toString();
          if (!isPromised) {
            assert.equal(answer.headers['x-fc-error-type'], undefined);
            assert.equal(String(answer.data), 'end');
            await fc.updateFunction('ends', functionName, { memorySize: 256 }); // its instance ends by that
            return;
          }
          assert.equal(answer.headers['x-fc-error-type'], 'UnhandledInvocationError');
          assert.match((answer.data as { errorMessage: string }).errorMessage, says);
          log?.(tail);
        });
      });
    }

    test('cancelled by the client', async () => {
      await goesThrough('cancelled', { does: waiting }, async (functionName) => {
        const api = await project.addApi({ service: 'ends', functionName, path: '/cancelled', auth: 'ANONYMOUS' });
        const call = request(`${server.ready.gateway}${api.path}`, {
          method: 'POST',
          headers: { host: project.host, 'content-type': 'application/x-www-form-urlencoded' },
        }).on('error', () => {}); // it is we who end it
        call.end('a=end');
        await isBusy();
        call.destroy();
        const logs = ['logs', '--api', api.apiId, '--data-dir', server.dataDir, '--json'];
        let told = '';
        while (told === '') told = (await run(join(root, 'bin/yunmen'), logs)).stdout;
        assert.equal((JSON.parse(told) as { status: number }).status, 499);
      });
    });

    for (const victim of isBrief ? (['launcher'] as const) : (['data', 'control', 'launcher'] as const)) {
      test(`${victim} process killed`, async () => {
        const { runDir, pid, pids } = server.facts;
        const functionName = `${victim}-killed`;
        await addFunction(functionName, waiting);
        assert.equal(String((await fc.invokeFunction('ends', functionName, 'begin')).data), 'begin');
        const all = [...processTree(pid), ...instanceTrees(server).flat()];
        assert.ok(
          alive(all).length >= 3 + leastProcesses[launcher],
          'three processes of ours, an instance and its daemon',
        );
        const failed = fc.invokeFunction('ends', functionName, 'end').then(
          ({ data }) => `answered: ${JSON.stringify(data)}`,
          (error: Error) => error.message,
        );
        await isBusy();
        process.kill(pids[victim], 'SIGKILL');
        assert.deepEqual(await leftovers(all, [runDir], goneWithinMs), []);
        // Control says so where it is told before it ends with the others.
        const answers = victim === 'control' ? hungUp : new RegExp(`${hungUp.source}|${internalError.source}`);
        assert.match(await failed, answers);

        const { credentials } = server;
        await open();
        assert.deepEqual(server.credentials, credentials);
        assert.deepEqual(remainsOf(runDir), [], 'a start removes what a killed server could not');
        assert.equal(String((await fc.invokeFunction('ends', functionName, 'next')).data), 'next');
      });
    }

    test('all three killed at once: what is left goes with the next start', async () => {
      const { runDir, pid, pids } = server.facts;
      await addFunction('all-killed', waiting);
      await fc.invokeFunction('ends', 'all-killed', 'begin');
      const all = [...processTree(pid), ...instanceTrees(server).flat()];
      assert.ok(
        alive(all).length >= 3 + leastProcesses[launcher],
        'three processes of ours, an instance and its daemon',
      );
      for (const each of Object.values(pids)) process.kill(each, 'SIGKILL');
      if (place.lastEnd === undefined) assert.deepEqual(await leftovers(all, [], goneWithinMs), []);
      await open();
      assert.deepEqual(alive(all), []);
      assert.deepEqual(remainsOf(runDir), []);
      assert.equal(String((await fc.invokeFunction('ends', 'all-killed', 'next')).data), 'next');
    });

    const waits = 'data, control and launcher killed while processes wait for a function';
    if (hasSpares !== undefined && !isBrief)
      test(hasSpares ? waits : `${waits}: none waits here`, async () => {
        await addFunction('waited-for', waiting);
        assert.equal(await server.stop(), 0);
        await open(96);
        for (const victim of ['data', 'control', 'launcher'] as const) {
          await fc.invokeFunction('ends', 'waited-for', 'next');
          if (!hasSpares) return assert.equal(instanceTrees(server).length, 1);
          await untilMetrics(/^yunmen_spares [1-9]/m);
          const { runDir, pid, pids } = server.facts;
          const trees = instanceTrees(server);
          assert.ok(trees.length > 1, 'an instance, and what waits');
          process.kill(pids[victim], 'SIGKILL');
          assert.deepEqual(await leftovers([...processTree(pid), ...trees.flat()], [runDir], goneWithinMs), [], victim);
          await open(96);
          assert.deepEqual(remainsOf(runDir), [], victim);
        }
        await fc.invokeFunction('ends', 'waited-for', 'next');
      });

    test('an end in order, with an instance that runs', async () => {
      const all = [...processTree(server.facts.pid), ...instanceTrees(server).flat()];
      assert.equal(await server.stop(), 0);
      assert.deepEqual(alive(all), []);
      assert.deepEqual(remainsOf(server.facts.runDir), []);
    });
  });
}
