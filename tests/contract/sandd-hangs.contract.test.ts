// What hangs holds nothing up: an instance that never gets as far as to run, a first process that hears nothing, a kernel
// that gives no more namespaces, too few descriptors. sandd ends what it should in time, and does not turn in circles meanwhile.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, existsSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findSandd, isolationTiers, probeSandd } from '../../src/functions/index.ts';
import { hasOwnRoot } from '../../src/functions/launcher/placement.ts';
import { Cleanup, processTree, temporaryDirectory } from '../harness/server.ts';
import { type OpenSandd, openSandd, prepareInstance } from './sandd-open.ts';

const found = await findSandd();
const path = found.ok ? found.path : '';
const skip = found.ok ? false : found.why;
const results: ReadonlyMap<string, string> = found.ok ? await probeSandd(path) : new Map();
const isRoot = process.getuid?.() === 0;

/** Takes a lease on a file and keeps it: who opens the file waits for 45 s (fs.lease-break-time). */
const lease = `
import fcntl, os, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(file, 1024, fcntl.F_WRLCK)
print('held', flush=True)
time.sleep(60)
`;

/** Never runs: its program cannot be opened. */
async function slowProgram(cleanup: Cleanup): Promise<string> {
  const program = `${temporaryDirectory(cleanup)}/program`;
  copyFileSync('/bin/true', program);
  const holder = spawn('python3', ['-c', lease, program], { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanup.after(() => void holder.kill('SIGKILL'));
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  return program;
}

function start(opened: OpenSandd, cleanup: Cleanup, argv: readonly string[]) {
  const { spec, close } = prepareInstance(opened, argv);
  cleanup.after(close);
  return { instanceId: spec.instanceId, started: opened.launcher.start(spec) };
}

/** Seconds of the processor that a process has taken. */
function processorSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

test('an instance that never gets as far as to run is ended by a stop, within three seconds', { skip }, async (t) => {
  const cleanup = new Cleanup();
  t.after(() => cleanup.run());
  const opened = await openSandd(path, 'none');
  const { instanceId, started } = start(opened, cleanup, [await slowProgram(cleanup)]);
  const failed = assert.rejects(started, /ended before its program ran/);
  const from = performance.now();
  await opened.launcher.stop(instanceId, 0);
  await failed;
  assert.ok(performance.now() - from < 3_000, `${performance.now() - from} ms`);
  await opened.close();
});

test('an instance that never gets as far as to run does not outlive sandd', { skip }, async (t) => {
  const cleanup = new Cleanup();
  t.after(() => cleanup.run());
  const opened = await openSandd(path, 'none');
  const { instanceId, started } = start(opened, cleanup, [await slowProgram(cleanup)]);
  const failed = assert.rejects(started);
  const from = performance.now();
  await opened.close();
  await failed;
  assert.ok(performance.now() - from < 3_500, `${performance.now() - from} ms`);
  assert.equal(existsSync(opened.runDir), false);
  assert.ok(instanceId.length > 0);
});

test('while it waits for the end of what does not hear, sandd takes no processor time', { skip }, async (t) => {
  const cleanup = new Cleanup();
  t.after(() => cleanup.run());
  const opened = await openSandd(path, 'none');
  const running = await start(opened, cleanup, ['/bin/sleep', '60']).started;
  process.kill(running.pid, 'SIGSTOP');
  const { pid } = opened.sandd;
  let taken = 0;
  let isOver = false;
  const over = opened.close().then(() => (isOver = true));
  const from = performance.now();
  while (!isOver) {
    try {
      taken = processorSeconds(pid);
    } catch {
      break; // it has ended
    }
    await sleep(20);
  }
  await over;
  assert.ok(performance.now() - from > 1_500, 'it had to wait');
  assert.ok(taken < 0.5, `${taken} s of the processor`);
});

test('while it may open no more files, sandd refuses starts by name, lets connections wait in peace, and takes them afterwards', {
  skip,
}, async (t) => {
  const cleanup = new Cleanup();
  t.after(() => cleanup.run());
  const wrapper = `${temporaryDirectory(cleanup)}/few`;
  writeFileSync(wrapper, `#!/bin/sh\nulimit -n 48\nexec ${path} "$@"\n`, { mode: 0o755 });
  const opened = await openSandd(wrapper, 'none');
  const running: string[] = [];
  for (let refused = ''; refused === ''; ) {
    const { instanceId, started } = start(opened, cleanup, ['/bin/sleep', '60']);
    refused = await started.then(
      () => {
        running.push(instanceId);
        return '';
      },
      (error: Error) => error.message,
    );
    if (refused !== '') assert.match(refused, /Too many open files/);
    assert.ok(running.length < 48);
  }
  // More than it has descriptors left for. The first ones may be silent for five seconds.
  const sockets = Array.from({ length: 8 }, () => {
    const socket = connect(`${opened.runDir}/launcher.sock`).on('error', () => {});
    cleanup.after(() => void socket.destroy());
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const from = processorSeconds(opened.sandd.pid);
  await sleep(1_500);
  const taken = processorSeconds(opened.sandd.pid) - from;
  assert.ok(taken < 0.15, `${taken} s of the processor`);
  assert.match(opened.reports.join('\n'), /connections to the launcher wait: Too many open files/);
  for (const instanceId of running) await opened.launcher.stop(instanceId, 0);
  const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  for (const socket of sockets) socket.write(Buffer.alloc(300));
  await Promise.all(closed);
  await start(opened, cleanup, ['/bin/sleep', '60']).started;
  await opened.close();
});

test('programs hear the signals that whoever started the server ignored', { skip }, async (t) => {
  const cleanup = new Cleanup();
  t.after(() => cleanup.run());
  const wrapper = `${temporaryDirectory(cleanup)}/deaf`;
  writeFileSync(wrapper, `#!/bin/sh\ntrap '' HUP INT QUIT USR1\nexec ${path} "$@"\n`, { mode: 0o755 });
  const opened = await openSandd(wrapper, 'none');
  const said = Promise.withResolvers<string>();
  const { spec, close } = prepareInstance(opened, ['/bin/grep', 'SigIgn', '/proc/self/status'], said.resolve);
  cleanup.after(close);
  await opened.launcher.start(spec);
  assert.match(await said.promise, /SigIgn:\s+0+\n/);
  await opened.close();
});

test('processes of ours that are made for an instance hold neither a token nor a password', {
  skip: skip || (isRoot ? false : 'it takes root to look into them'),
}, async (t) => {
  const cleanup = new Cleanup();
  t.after(() => cleanup.run());
  for (const tier of isolationTiers.filter((each) => each === 'none' || results.get(each) === 'ok')) {
    const opened = await openSandd(path, tier);
    const said: string[] = [];
    const instances = [];
    for (let count = 0; count < 2; count += 1) {
      const { spec, close } = prepareInstance(opened, ['/bin/sleep', '60']);
      cleanup.after(close);
      const environment = { ...spec.environment, PASSWORD: `of-${spec.token}` };
      const relay = hasOwnRoot(tier) ? ({ relay: { kind: 'in', port: 9000 } } as const) : {};
      const { pid } = await opened.launcher.start({ ...spec, ...relay, environment });
      said.push(spec.token, environment.PASSWORD);
      instances.push(pid);
    }
    for (const first of instances) {
      const ours = await processesOfOurs(first, hasOwnRoot(tier) ? 2 : 1); // its first process, and its relay
      for (const pid of ours) {
        const held = [opened.token, ...said].filter((text) => holds(pid, text));
        assert.deepEqual(held, [], `${tier}: ${readFileSync(`/proc/${pid}/comm`, 'latin1')}`);
      }
    }
    // What is there is found.
    const programs = processTree(instances[0] ?? 0).filter(({ pid }) => holds(pid, said[1] ?? ''));
    assert.deepEqual(
      programs.map(({ pid }) => readFileSync(`/proc/${pid}/comm`, 'latin1')),
      ['sleep\n'],
    );
    const kept = [opened.token, ...said].filter((text) => holds(opened.sandd.pid, text));
    assert.deepEqual(kept, [opened.token]);
    await opened.close();
  }
});

/** Those of an instance that run our code, once there are so many. */
async function processesOfOurs(first: number, count: number): Promise<number[]> {
  for (const until = performance.now() + 5_000; performance.now() < until; await sleep(10)) {
    const pids = processTree(first).map(({ pid }) => pid);
    const ours = pids.filter((pid) => readFileSync(`/proc/${pid}/comm`, 'latin1').startsWith('sandd-'));
    if (ours.length === count) return ours;
  }
  assert.fail(`not ${count} of ours`);
}

/** Whether the text is anywhere in the memory that the process may write. */
function holds(pid: number, text: string): boolean {
  const file = openSync(`/proc/${pid}/mem`, 'r');
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8')
      .split('\n')
      .some((line) => {
        const [, from = '', to = ''] = /^(\w+)-(\w+) rw/.exec(line) ?? [];
        if (from === '') return false;
        const bytes = Buffer.alloc(Number.parseInt(to, 16) - Number.parseInt(from, 16));
        readSync(file, bytes, 0, bytes.length, Number.parseInt(from, 16));
        return bytes.includes(text);
      });
  } finally {
    closeSync(file);
  }
}

test('when the kernel gives no more namespaces, sandd goes on, and rests before it asks again', {
  skip: skip || (isRoot ? false : 'only root makes networks'),
}, async (t) => {
  const cleanup = new Cleanup();
  t.after(() => cleanup.run());
  // A namespace of users has a number of its own of how many of networks it may have: one for the router, one ahead.
  const wrapper = `${temporaryDirectory(cleanup)}/few`;
  const limited = `echo 3 > /proc/sys/user/max_net_namespaces; exec ${path} "$@"`;
  writeFileSync(wrapper, `#!/bin/sh\nexec unshare --user --map-root-user --net sh -c '${limited}' sandd "$@"\n`, {
    mode: 0o755,
  });
  const opened = await openSandd(wrapper, 'none', { allowed: [], refused: [] });
  assert.equal(opened.sandd.noNetwork, null);
  const from = performance.now();
  await sleep(600);
  const taken = processorSeconds(opened.sandd.pid);
  assert.ok(taken < 0.3, `${taken} s of the processor in ${performance.now() - from} ms`);
  await opened.close();
});
