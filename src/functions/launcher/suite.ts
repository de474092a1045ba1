// What every launcher promises, whatever the tier and whatever it is made of. Run by tests/contract/launcher*.ts.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { randomHex } from '../../base/ids.ts';
import { frameSocketName, logSocketName } from '../instances/endpoint.ts';
import { placeInstance } from './placement.ts';
import type { Exit, IsolationTier, Launcher, LaunchSpec } from './port.ts';

export type OpenLauncher = {
  readonly launcher: Launcher;
  readonly runDir: string;
  /** Ends the launcher in order; resolves when its process has ended. */
  close(): Promise<void>;
};

export type LauncherSuite = {
  readonly name: string;
  readonly tier: IsolationTier;
  /** Whether it bounds what one instance takes. */
  readonly limits: boolean;
  /** Why it cannot be run here, or false. */
  readonly skip: string | false;
  /** It ends who uses too much memory, and its freezing reaches daemons, in this tier too. */
  readonly hasWatches?: boolean;
  open(): Promise<OpenLauncher>;
};

/** Runs the contract. */
export function testLauncher({ name, tier, limits, skip, hasWatches = false, open }: LauncherSuite): void {
  describe(`launcher contract: ${name}`, { skip }, () => {
    test('starts a program that gets the start line, the given environment and the log socket', async (t) => {
      const bench = await openBench(t, open, tier);
      const { output, exit } = await bench.run('read line; echo "$line"; env; echo "to stderr" >&2; pwd', {
        FC_MARK: 'seen',
      });
      assert.equal(exit.code, 0);
      const [startLine = '', ...rest] = output.split('\n');
      const { socket, token } = JSON.parse(startLine) as { socket: string; token: string };
      assert.equal(socket, bench.last?.socketPath);
      assert.equal(token, bench.last?.token);
      assert.ok(rest.includes('FC_MARK=seen') && rest.includes('to stderr'));
      assert.ok(rest.includes(tier === 'none' || tier === 'restricted' ? bench.codeDirectory : '/code'));
      // What shells set by themselves; busybox's sets a path, too.
      const known = /^(FC_MARK|FC_INSTANCE_ID|PWD|SHLVL|_|OLDPWD)=|^PATH=\/sbin:\/usr\/sbin:\/bin:\/usr\/bin$/;
      const inherited = rest.filter((line) => /^[A-Za-z_]+=/.test(line) && !known.test(line));
      assert.deepEqual(inherited, [], 'nothing is inherited');
    });

    test('gives no descriptor but the first three', async (t) => {
      const bench = await openBench(t, open, tier);
      const { output } = await bench.run(
        'for fd in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && echo "open $fd"; done; echo done',
      );
      // The shell itself may hold its script's descriptor at 10 and above.
      assert.equal(output, 'done\n');
    });

    test('tells how a program ended', async (t) => {
      const bench = await openBench(t, open, tier);
      assert.equal((await bench.run('exit 3')).exit.code, 3);
      const { exit } = await bench.run('kill -9 $$');
      assert.ok(exit.signal === 'SIGKILL' || exit.code === 137);
    });

    test('rejects a program that is not there, and leaves nothing of it', async (t) => {
      const bench = await openBench(t, open, tier);
      const spec = bench.spec(['/no/such/program']);
      const ended = bench.exitOf(spec.instanceId);
      // With bubblewrap it is bubblewrap that cannot find it: it exits instead.
      const isStarted = await bench.launcher.start(spec).then(
        () => true,
        () => false,
      );
      if (isStarted) assert.notEqual((await ended).code, 0);
      else assert.deepEqual(bench.exits, [], 'what never ran does not exit');
      await bench.launcher.stop(spec.instanceId, 0);
    });

    test('rejects a malformed instance id and an id in use', async (t) => {
      const bench = await openBench(t, open, tier);
      const spec = bench.spec(['/bin/sh', '-c', 'sleep 600']);
      await assert.rejects(bench.launcher.start({ ...spec, instanceId: '../../x' }), /instanceId/);
      await bench.launcher.start(spec);
      await assert.rejects(bench.launcher.start(spec), /already/);
      await bench.launcher.stop(spec.instanceId, 0);
    });

    test('stop sends SIGTERM first and waits for the grace', async (t) => {
      const bench = await openBench(t, open, tier);
      const spec = bench.spec([
        '/bin/sh',
        '-c',
        'trap "echo terminated; exit 5" TERM; echo up; while :; do sleep 0.05; done',
      ]);
      const output = bench.outputOf(spec);
      await bench.launcher.start(spec);
      await output.until('up\n');
      await bench.launcher.stop(spec.instanceId, 10_000);
      assert.match(await output.all, /terminated/);
    });

    test('stop ends the whole tree, daemons included, and then the exit is told once', async (t) => {
      const bench = await openBench(t, open, tier);
      const mark = `mark-${randomHex(8)}`;
      const daemons = `setsid sh -c 'sleep 600 & sleep 600' & (setsid sleep 600 &) ; trap "" TERM; echo up; while :; do sleep 1; done`;
      const spec = bench.spec(['/bin/sh', '-c', daemons], { FC_MARK: mark });
      const output = bench.outputOf(spec);
      await bench.launcher.start(spec);
      await output.until('up\n');
      // Who has forked them need not wait for what they execute; while a process does that it has no environment to read.
      while (countMarked(mark) < 3) await new Promise((resolve) => setTimeout(resolve, 10));
      const ended = bench.exitOf(spec.instanceId);
      await bench.launcher.stop(spec.instanceId, 20);
      assert.equal(countMarked(mark), 0);
      await ended;
      assert.equal(bench.exits.filter((exit) => exit.instanceId === spec.instanceId).length, 1);
    });

    test('a program that ends leaves no daemon behind when its exit is told', async (t) => {
      const bench = await openBench(t, open, tier);
      const mark = `mark-${randomHex(8)}`;
      await bench.run('(setsid sleep 600 >/dev/null 2>&1 &); exit 0', { FC_MARK: mark });
      assert.equal(countMarked(mark), 0);
    });

    if (hasWatches) {
      test('a frozen instance does nothing, whatever threads, children and daemons it has, and goes on when it is thawed', async (t) => {
        const bench = await openBench(t, open, tier);
        const ticking =
          '(setsid sh -c "while :; do echo daemon; sleep 0.01; done" &); while :; do echo tick; sleep 0.01; done';
        const spec = bench.spec(['/bin/sh', '-c', ticking]);
        const output = bench.outputOf(spec);
        await bench.launcher.start(spec);
        await output.until('daemon\n');
        for (let round = 1; round <= 3; round += 1) {
          await bench.launcher.setFrozen(spec.instanceId, true);
          const before = await output.settled();
          // Twenty ticks long: what still ran would show.
          await new Promise((resolve) => setTimeout(resolve, 200));
          assert.equal(await output.settled(), before);
          await bench.launcher.setFrozen(spec.instanceId, false);
          await output.beyond(before);
        }
        await bench.launcher.setFrozen(spec.instanceId, true);
        await bench.launcher.stop(spec.instanceId, 0);
        await assert.rejects(bench.launcher.setFrozen(spec.instanceId, true));
      });

      test('an instance that uses more memory than it may is ended, which its exit says', async (t) => {
        const bench = await openBench(t, open, tier);
        const hoarding = 'a=x; while :; do a=$a$a; done';
        const spec = bench.spec(['/bin/sh', '-c', hoarding]);
        const exit = bench.exitOf(spec.instanceId);
        await bench.launcher.start(spec);
        const { isOutOfMemory, peakMemoryKb } = await exit;
        assert.equal(isOutOfMemory, true);
        assert.ok(peakMemoryKb > 100 * 1024, `${peakMemoryKb} KB`);
      });
    }

    test('children that share the memory of their parent are not taken for more of it', async (t) => {
      const bench = await openBench(t, open, tier);
      // 16 MB twice, by sixteen who have not changed it; for longer than between two looks.
      const wait = 'i=0; while [ $i -lt 100 ]; do sleep 0.01; i=$((i + 1)); done';
      const doubling = 'a=x; i=0; while [ $i -lt 24 ]; do a=$a$a; i=$((i + 1)); done; echo ${#a}';
      const { output, exit } = await bench.run(
        `${doubling}; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do (${wait}) & done; wait`,
      );
      assert.deepEqual([output, exit.code, exit.isOutOfMemory], ['16777216\n', 0, false]);
    });

    test('stop with a grace lets a frozen instance hear its SIGTERM', async (t) => {
      const bench = await openBench(t, open, tier);
      const spec = bench.spec([
        '/bin/sh',
        '-c',
        'trap "echo heard; exit 0" TERM; echo up; while :; do sleep 0.05; done',
      ]);
      const output = bench.outputOf(spec);
      await bench.launcher.start(spec);
      await output.until('up\n');
      await bench.launcher.setFrozen(spec.instanceId, true);
      await bench.launcher.stop(spec.instanceId, 10_000);
      assert.match(await output.all, /heard/);
    });

    test('stopping what is not there is done at once', async (t) => {
      const bench = await openBench(t, open, tier);
      await bench.launcher.stop(`c-${randomHex(4)}-${randomHex(10)}`, 1000);
    });

    test('when the launcher is closed every instance ends and the directories go', async (t) => {
      const bench = await openBench(t, open, tier);
      const mark = `mark-${randomHex(8)}`;
      for (let count = 0; count < 3; count += 1) {
        const spec = bench.spec(['/bin/sh', '-c', 'trap "" TERM; (setsid sleep 600 &); echo up; sleep 600'], {
          FC_MARK: mark,
        });
        const output = bench.outputOf(spec);
        await bench.launcher.start(spec);
        await output.until('up\n');
      }
      await bench.close();
      assert.equal(countMarked(mark), 0);
      assert.equal(existsSync(`${bench.runDir}/i`), false);
    });

    test('finds the Node that runs it', async (t) => {
      const bench = await openBench(t, open, tier);
      const found = await bench.launcher.interpreters();
      assert.ok(found.some(({ language, version }) => language === 'node' && version === process.versions.node));
    });

    test('a program that is killed, and one that overflows its stack, end like any other', async (t) => {
      const bench = await openBench(t, open, tier);
      for (const script of ['sleep 600 & kill -SEGV $$', 'f() { f; }; f']) {
        const { exit } = await bench.run(`(setsid sleep 600 &); ${script}`, { FC_MARK: bench.mark });
        assert.ok(exit.code !== 0 && !exit.isOutOfMemory);
        assert.equal(countMarked(bench.mark), 0);
      }
    });

    if (limits) {
      test('a memory bomb is ended, and its exit says why', async (t) => {
        const bench = await openBench(t, open, tier);
        const { exit } = await bench.run('(setsid sleep 600 &); tail /dev/zero; exit 9', { FC_MARK: bench.mark });
        assert.equal(exit.isOutOfMemory, true);
        assert.ok(exit.peakMemoryKb > 100 * 1024, `${exit.peakMemoryKb} KB`);
        assert.equal(countMarked(bench.mark), 0);
      });

      test('a fork bomb stops at a thousand processes and ends with its instance', async (t) => {
        const bench = await openBench(t, open, tier);
        const bomb = 'i=0; while [ $i -lt 1500 ]; do sleep 600 & i=$((i+1)); done; echo unbounded';
        const { output } = await bench.run(bomb, { FC_MARK: bench.mark }, 2048);
        assert.match(output, /fork/);
        assert.doesNotMatch(output, /unbounded/);
        assert.equal(countMarked(bench.mark), 0);
      });
    }

    if (tier === 'restricted') testRestrictedView(open);
    if (tier === 'user' || tier === 'strong') {
      test('an instance sees neither host files nor host processes, and can write only /tmp', async (t) => {
        const bench = await openBench(t, open, tier);
        const hostFile = `${bench.codeDirectory}/index.py`;
        const { output } = await bench.run(
          `[ -e ${hostFile} ] && echo "host file"; [ -e /code/index.py ] && echo "code"
           for p in /proc/[0-9]*; do echo process; done
           for d in / /code /usr /etc /run/yunmen /var; do (: > $d/x) 2>/dev/null && echo "wrote $d"; done
           (: > /tmp/x) && echo "wrote tmp"; id -u; ls /home /root /work 2>/dev/null; grep CapEff /proc/self/status`,
        );
        const lines = output.trim().split('\n');
        assert.ok(lines.filter((line) => line === 'process').length <= 4, output);
        assert.deepEqual(
          lines.filter((line) => line !== 'process'),
          ['code', 'wrote tmp', '10003', 'CapEff:\t0000000000000000'],
        );
      });
    }
  });
}

/** Without a root of its own it is where the host's files are, and may reach hardly any. */
function testRestrictedView(open: () => Promise<OpenLauncher>): void {
  const own = (runDir: string) => (id: string) => ({ TMPDIR: `${runDir}/t/${id}`, PATH: '/usr/bin:/bin' });

  test('what an instance hides in its directory goes with it: far below, and where it may not look itself', async (t) => {
    const bench = await openBench(t, open, 'restricted');
    const script = `cd "$TMPDIR" && mkdir -p ${'d/'.repeat(200)} && : > ${'d/'.repeat(200)}file; (umask 477; mkdir h); : > h/file; echo made`;
    const { output } = await bench.run(script, own(bench.runDir));
    assert.equal(output, 'made\n');
    assert.deepEqual(readdirSync(`${bench.runDir}/t`), []);
  });

  test('an instance that keeps files far below, or more threads than processes, is ended', async (t) => {
    const bench = await openBench(t, open, 'restricted');
    const deep = `mkdir -p "$TMPDIR"/${'d/'.repeat(200)}; sleep 4; echo unbounded`;
    const many = `python3 -c 'import threading, time
threading.stack_size(65536)
for _ in range(1500): threading.Thread(target=time.sleep, args=(4,), daemon=True).start()
time.sleep(2); print("unbounded")'`;
    for (const script of [deep, many]) {
      const { output } = await bench.run(script, own(bench.runDir), 2048);
      assert.doesNotMatch(output, /unbounded/);
    }
  });

  test('an instance reaches neither host files nor host processes, and can write only its own directory, which goes with it', async (t) => {
    const bench = await openBench(t, open, 'restricted');
    const spec = bench.spec(['/bin/sh', '-c', '']);
    const own = placeInstance('restricted', { ...spec, runtimeDirectory: '/', language: 'python' }).temporaryPath;
    const script = `
      cat ${bench.runDir}/launcher.sock /etc/hostname /etc/shadow && echo "host file"; ls /tmp ${bench.runDir}/i && echo "listed"
      [ -r index.py ] && cat index.py && echo "code"; cat /proc/$PPID/status && echo "process"; ls /proc && echo "processes"
      for d in / . /usr /etc /var /tmp /dev/shm ${bench.runDir}/i/*; do (: > $d/x) && echo "wrote $d"; done
      kill -0 $PPID && echo "signalled"; (: > $TMPDIR/x) && echo "wrote its own"
      read line < /proc/self/status && echo "$line"; echo end`;
    const { output } = await bench.run(`exec 2>/dev/null; ${script}`, (id) => ({ TMPDIR: `${bench.runDir}/t/${id}` }));
    assert.deepEqual(output.trim().split('\n'), ['code', 'wrote its own', 'Name:\tsh', 'end']);
    assert.ok(own?.startsWith(`${bench.runDir}/t/c-`));
    assert.deepEqual(readdirSync(`${bench.runDir}/t`), []);
  });
}

type Output = {
  readonly all: Promise<string>;
  until(text: string): Promise<void>;
  /** Until there is more than there is now. */
  grows(): Promise<void>;
  /** Until there is more than so many bytes. */
  beyond(length: number): Promise<void>;
  /** How much there is when what is on its way has come. */
  settled(): Promise<number>;
};

/** A launcher with a code directory, and a double of the data process that listens where it should. It is closed with its test at the latest. */
export async function openBench(t: TestContext, open: () => Promise<OpenLauncher>, tier: IsolationTier) {
  const { launcher, runDir, close } = await open();
  let closing: Promise<void> | null = null;
  const codeDirectory = mkdtempSync('/tmp/yunmen-code-');
  chmodSync(codeDirectory, 0o755);
  writeFileSync(`${codeDirectory}/index.py`, '');
  const servers: Server[] = [];
  const exits: Exit[] = [];
  const waiting = new Map<string, (exit: Exit) => void>();
  launcher.onExited((exit) => {
    exits.push(exit);
    waiting.get(exit.instanceId)?.(exit);
  });
  const bench = {
    mark: `mark-${randomHex(8)}`,
    launcher,
    runDir,
    codeDirectory,
    exits,
    last: null as LaunchSpec | null,
    spec(argv: readonly string[], environment: Record<string, string> = {}, memoryMb = 128): LaunchSpec {
      const instanceId = `c-${randomHex(4)}-${randomHex(10)}`;
      const socketDirectory = `${runDir}/i/${instanceId}`;
      const host = { codeDirectory, socketDirectory, runtimeDirectory: codeDirectory, language: 'python' };
      const { socketPath } = placeInstance(tier, host);
      mkdirSync(socketDirectory, { mode: 0o700 });
      const frames = createServer().listen(`${socketDirectory}/${frameSocketName}`);
      const log = createServer().listen(`${socketDirectory}/${logSocketName}`);
      servers.push(frames, log);
      logs.set(instanceId, log);
      const spec: LaunchSpec = {
        instanceId,
        argv,
        environment: { FC_INSTANCE_ID: instanceId, ...environment },
        codeDirectory,
        socketDirectory,
        socketPath,
        readOnly: [],
        token: randomHex(32),
        memoryMb,
      };
      bench.last = spec;
      return spec;
    },
    exitOf(instanceId: string): Promise<Exit> {
      return new Promise((resolve) => waiting.set(instanceId, resolve));
    },
    outputOf({ instanceId }: LaunchSpec): Output {
      let text = '';
      let wake = () => {};
      let hasEnded = false;
      const all = once(logs.get(instanceId) ?? assert.fail(), 'connection').then(async ([socket]) => {
        socket.on('data', (chunk: Buffer) => {
          text += chunk.toString();
          wake();
        });
        await once(socket, 'close');
        hasEnded = true;
        wake();
        return text;
      });
      const until = async (wanted: string) => {
        while (!text.includes(wanted)) {
          assert.ok(!hasEnded, `the output ended without '${wanted}': ${text}`);
          await new Promise<void>((resolve) => (wake = resolve));
        }
      };
      const beyond = async (length: number) => {
        while (text.length <= length) await new Promise<void>((resolve) => (wake = resolve));
      };
      const settled = async () => {
        for (let length = -1; length !== text.length; ) {
          length = text.length;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return text.length;
      };
      return { all, until, beyond, grows: () => beyond(text.length), settled };
    },
    /** Runs a shell script to its end. */
    async run(
      script: string,
      environment: Record<string, string> | ((instanceId: string) => Record<string, string>) = {},
      memoryMb = 128,
    ): Promise<{ output: string; exit: Exit }> {
      const made = bench.spec(['/bin/sh', '-c', script], {}, memoryMb);
      const more = typeof environment === 'function' ? environment(made.instanceId) : environment;
      const spec = { ...made, environment: { ...made.environment, ...more } };
      bench.last = spec;
      const output = bench.outputOf(spec);
      const exit = bench.exitOf(spec.instanceId);
      await launcher.start(spec);
      const result = { exit: await exit, output: await output.all };
      rmSync(spec.socketDirectory, { recursive: true, force: true });
      return result;
    },
    close(): Promise<void> {
      closing ??= end();
      return closing;
    },
  };
  const logs = new Map<string, Server>();
  const end = async () => {
    for (const server of servers) server.close();
    await close();
    rmSync(codeDirectory, { recursive: true, force: true });
  };
  t.after(() => bench.close());
  return bench;
}

function countMarked(mark: string): number {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/environ`).includes(mark);
    } catch {
      return false; // it has ended
    }
  }).length;
}
