// Processes that wait for functions: what a function can see of it (nothing), what becomes of one that breaks, and what
// never reaches one.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTorture } from '../../scripts/test/torture.ts';
import { chooseInterpreter } from '../../src/functions/choose-interpreter.ts';
import { findInterpreters, findSandd, probeSandd } from '../../src/functions/index.ts';
import { spareShape } from '../../src/functions/spares/shape.ts';
import { type Code, type Fixture, openFixture } from './functions-fixture.ts';
import { javaFunction, noJava } from './java-function.ts';

const native = await findSandd();
const found = await findInterpreters();
const probed = native.ok ? await probeSandd(native.path) : new Map<string, string>();
/** Where processes wait: with sandd, and in tier none also without. In tier user, which is much like strong, under torture. */
const places = [
  { tier: 'none', skip: false },
  ...(isTorture ? ['user', 'strong'] : ['strong']).map((tier) => ({
    tier,
    skip: probed.get(tier) === 'ok' ? false : `no tier ${tier} here`,
  })),
];

/** Tells what a process can know of itself, but for what differs between any two instances. */
const lookPython = `
import gc, json, os, resource, sys, threading, signal, random, tempfile, logging
own = os.environ['FC_INSTANCE_ID']
def text(path):
    with open(path) as file:
        return file.read().replace(own, 'ID')
def status():
    kept = ('Name', 'Umask', 'Uid', 'Gid', 'Groups', 'NSpid', 'Threads', 'Sig', 'Shd', 'Cap', 'NoNew', 'Seccomp', 'PPid', 'Pid')
    return sorted(line for line in text('/proc/self/status').split('\\n') if line.startswith(kept))
def mounts():
    return sorted(' '.join(line.split()[4:6] + line.split(' - ')[1].split()[:1]) for line in text('/proc/self/mountinfo').split('\\n') if line and '/yunmen' not in line)
def open_descriptors():
    seen = []
    for fd in range(256):
        try: seen.append('%d %s' % (fd, os.readlink('/proc/self/fd/%d' % fd).split(':')[0].replace(str(os.getpid()), 'PID')))
        except OSError: pass
    return seen
facts = {
    'environ': sorted('%s=%s' % pair for pair in os.environ.items()),
    'raw environ': [each for each in text('/proc/self/environ').split('\\0') if each],
    'argv': [sys.argv, sys.orig_argv if hasattr(sys, 'orig_argv') else None, text('/proc/self/cmdline')],
    'cwd': [os.getcwd(), os.readlink('/proc/self/cwd')],
    'path': sys.path, 'modules': sorted(sys.modules), 'flags': str(sys.flags),
    'main': sorted(vars(sys.modules['__main__'])),
    'ids': [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()],
    'pids': [os.getpid(), os.getppid(), os.getsid(0) == os.getpid()] if os.getpid() < 9 else [os.getsid(0) == os.getpid()],
    'descriptors': open_descriptors(), 'kernel': [text('/proc/self/' + name) for name in ('cgroup', 'personality', 'coredump_filter', 'timerslack_ns', 'wchan')],
    'scheduler': [os.sched_getscheduler(0), sorted(os.sched_getaffinity(0)), os.nice(0), os.getpgid(0) == os.getpid()],
    'processes': sorted(text('/proc/%s/cmdline' % pid) for pid in os.listdir('/proc') if pid.isdigit()) if os.getpid() < 9 else [],
    'limits': text('/proc/self/limits'), 'status': status() if os.getpid() < 9 else [], 'mounts': mounts(), 'threads': threading.active_count(),
    'signals': [str(signal.getsignal(each)) [:20] for each in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE)],
    'gc': [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()], 'score': text('/proc/self/oom_score_adj'),
    'tmp': sorted(os.listdir('/tmp')) if os.getpid() < 9 else [], 'opt': os.listdir('/opt') if os.getpid() < 9 else [],
    'handlers': len(logging.getLogger().handlers), 'streams': [sys.stdin.read(), sys.stdout.encoding, sys.stdout.fileno()],
}
def handler(event, context):
    return json.dumps({'facts': facts, 'chance': [random.random(), os.urandom(8).hex()], 'hash': hash('x' * 9)}).replace(own, 'ID')
`;
const lookNode = `
const fs = require('fs');
const own = process.env.FC_INSTANCE_ID;
const text = (path) => fs.readFileSync(path, 'latin1').split(own).join('ID');
const isAlone = process.pid < 9;
const facts = {
  environ: Object.keys(process.env).map((name) => name + '=' + process.env[name]),
  raw: text('/proc/self/environ').split('\\0').filter((each) => each),
  argv: [process.argv, process.execArgv, process.argv0, process.title, text('/proc/self/cmdline')],
  cwd: [process.cwd(), fs.readlinkSync('/proc/self/cwd')],
  cache: Object.keys(require.cache), main: require.main && require.main.filename, paths: [module.paths, require('module').globalPaths],
  found: Object.keys(require('module')._pathCache).map((key) => key.split('\\0')[0]).sort(),
  listeners: process.eventNames().map((name) => process.listenerCount(name)),
  parents: [module.parent === null, require.main.children.length],
  ids: [process.getuid(), process.getgid(), process.getgroups()],
  pids: isAlone ? [process.pid, process.ppid] : [],
  globals: Object.getOwnPropertyNames(globalThis).sort(),
  handlers: process.eventNames().map(String).sort(),
  fd: Array.from({ length: 256 }, (_, fd) => { try { return fd + ' ' + fs.readlinkSync('/proc/self/fd/' + fd).split(':').slice(0, fd < 3 ? 1 : 2).join().replace(/[0-9]+/, 'N'); } catch { return null; } }).filter(Boolean),
  kernel: ['cgroup', 'personality', 'coredump_filter', 'timerslack_ns', 'oom_score_adj'].map((name) => text('/proc/self/' + name)),
  scheduler: [require('os').getPriority(), process.umask()],
  processes: isAlone ? fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).map((pid) => text('/proc/' + pid + '/cmdline')) : [],
  active: process.getActiveResourcesInfo().sort(),
  limits: text('/proc/self/limits'),
  status: isAlone ? text('/proc/self/status').split('\\n').filter((line) => /^(Name|Umask|Uid|Gid|Groups|NSpid|Sig|Shd|Cap|NoNew|Seccomp|Pid|PPid)/.test(line)) : [],
  unix: text('/proc/net/unix').split('\\n').filter((line) => line.includes('fc-spare-ID')),
  tmp: isAlone ? [fs.readdirSync('/tmp'), fs.readdirSync('/opt')] : [],
  zone: [new Date(0).getTimezoneOffset(), Intl.DateTimeFormat().resolvedOptions().timeZone, new Date(0).toString()],
};
exports.handler = (event, context, callback) => callback(null, JSON.stringify({ facts, chance: [Math.random(), require('crypto').randomBytes(8).toString('hex')] }).split(own).join('ID'));
`;
const lookPhp = `<?php
$own = getenv('FC_INSTANCE_ID');
function text($path) { global $own; return str_replace($own, 'ID', file_get_contents($path)); }
function environment() { $all = getenv(); ksort($all); return $all; }
$isAlone = getmypid() < 9;
$ours = array_values(array_filter(get_declared_classes(), function ($name) { return strpos($name, 'Yunmen') === 0; }));
$server = array_diff_key($_SERVER, ['REQUEST_TIME' => 0, 'REQUEST_TIME_FLOAT' => 0]);
ksort($server);
$names = array_keys($GLOBALS);
sort($names);
$facts = [
    'environ' => environment(), 'server' => $server, 'env' => $_ENV, 'shell' => shell_exec('env | sort'),
    'raw' => array_values(array_filter(explode("\0", text('/proc/self/environ')))),
    'argv' => [$argv, $argc, text('/proc/self/cmdline'), PHP_SAPI, PHP_BINARY],
    'cwd' => [getcwd(), readlink('/proc/self/cwd'), get_include_path(), sys_get_temp_dir()],
    'included' => get_included_files(), 'classes' => $ours, 'functions' => get_defined_functions()['user'],
    'constants' => isset(get_defined_constants(true)['user']) ? get_defined_constants(true)['user'] : [], 'extensions' => get_loaded_extensions(),
    'ini' => array_diff_key(ini_get_all(null, false), ['realpath_cache_size' => 0]), 'files' => [php_ini_loaded_file(), php_ini_scanned_files()],
    'globals' => $names, 'streams' => [gettype(STDIN), get_resource_type(STDIN), stream_get_wrappers(), count(get_resources())], 'autoload' => count(spl_autoload_functions()),
    'buffers' => [ob_get_level(), ob_list_handlers()], 'error' => error_get_last(), 'zone' => [date_default_timezone_get(), date('c', 0), setlocale(LC_ALL, 0)],
    'pids' => $isAlone ? [getmypid(), posix_getppid()] : [], 'ids' => [posix_getuid(), posix_getgid(), posix_getgroups()],
    'fd' => array_filter(array_map(function ($fd) { $link = @readlink("/proc/self/fd/$fd"); return $link === false ? null : $fd . ' ' . explode(':', $link)[0]; }, range(0, 255))),
    'kernel' => array_map(function ($name) { return text("/proc/self/$name"); }, ['cgroup', 'personality', 'coredump_filter', 'timerslack_ns', 'oom_score_adj']),
    'processes' => $isAlone ? array_map(function ($path) { return str_replace($GLOBALS['own'], 'ID', file_get_contents($path)); }, glob('/proc/[0-9]*/cmdline')) : [],
    'limits' => text('/proc/self/limits'), 'umask' => umask(),
    'status' => $isAlone ? preg_grep('/^(Name|Umask|Uid|Gid|Groups|NSpid|Threads|Sig|Shd|Cap|NoNew|Seccomp|Pid|PPid)/', explode("\n", text('/proc/self/status'))) : [],
    'tmp' => $isAlone ? [scandir('/tmp'), scandir('/opt')] : [],
    'time' => abs($_SERVER['REQUEST_TIME'] - time()) < 5,
];
$facts = str_replace($own, 'ID', json_encode($facts));
function handler($event, $context) { global $facts; return '{"facts":' . $facts . ',"chance":[' . mt_rand() . ',"' . bin2hex(random_bytes(8)) . '"]}'; }
`;
type Language = {
  readonly language: string;
  readonly runtime: string;
  readonly handler: string;
  /** Without a root of its own a process of Java could not be where its code is. */
  readonly needsRoot: boolean;
  readonly files: Code;
};
const languages: readonly Language[] = [
  {
    language: 'Python',
    runtime: 'python3.10',
    handler: 'index.handler',
    needsRoot: false,
    files: { 'index.py': lookPython },
  },
  {
    language: 'Node',
    runtime: 'nodejs20',
    handler: 'index.handler',
    needsRoot: false,
    files: { 'index.js': lookNode },
  },
  { language: 'PHP', runtime: 'php7.2', handler: 'index.handler', needsRoot: false, files: { 'index.php': lookPhp } },
  ...(noJava
    ? []
    : [
        {
          language: 'Java',
          runtime: 'java11',
          handler: 'example.Looks::handleRequest',
          needsRoot: true,
          files: await javaFunction(),
        },
      ]),
];
const python = { runtime: 'python3.10', files: { 'index.py': lookPython } };
const node = { runtime: 'nodejs20', files: { 'index.js': lookNode } };

/** Of a look's answer: JSON, or a fact a line. */
function factsOf(text: string): { facts: unknown; chance?: unknown; hash?: unknown } {
  return text.startsWith('{') ? JSON.parse(text) : { facts: text.split('\n') };
}

/** Processes of the plane that wait, by the mark in the environment that they were started with. */
function waitingPids({ runDir }: Fixture): number[] {
  const ids = readdirSync(`${runDir}/i`);
  return readdirSync('/proc').flatMap((name) => {
    try {
      const environment = /^\d+$/.test(name) ? readFileSync(`/proc/${name}/environ`, 'latin1') : '';
      return environment.includes('FC_SPARE=') && ids.some((id) => environment.includes(id)) ? [Number(name)] : [];
    } catch {
      return []; // it has ended
    }
  });
}

/** What a process shares with no other and has written to. */
function privateKb(pid: number): number {
  return Number(/^Private_Dirty: +(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
}

async function until(isDone: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!isDone()) {
    assert.ok(performance.now() < deadline, 'it did not come to that');
    await sleep(10);
  }
}

/** A call that is served by a process that waited. */
async function callWaiting(plane: Fixture, name: string) {
  await until(() => plane.functions.stats().spares > 0);
  const outcome = await plane.succeed(name);
  assert.equal(outcome.coldStart?.isSpare, true);
  return outcome;
}

// A Java process waits only where it has a root of its own.
const languagesIn = (tier: string) => languages.filter(({ needsRoot }) => tier !== 'none' || !needsRoot);

for (const { tier, skip } of places) {
  describe(`processes that wait for functions in tier ${tier}, seen from inside`, { skip }, () => {
    for (const { language, runtime, handler, files } of languagesIn(tier)) {
      test(`a ${language} function cannot tell that its process waited`, async (t) => {
        const plane = await openFixture(tier, {}, { isNative: tier !== 'none' });
        t.after(() => plane.close());
        const config = { runtime, handler, environment: { A: 'é', B: '2' } };
        const { code } = plane.publish('first', files, config);
        const fresh = await plane.succeed('first');
        assert.equal(fresh.coldStart?.isSpare, false);
        plane.publish('second', files, { ...config, code });
        const waited = await callWaiting(plane, 'second');
        const [left, right] = [fresh, waited].map(({ body }) => factsOf(body.toString().replaceAll('first', 'second')));
        assert.deepEqual(right?.facts, left?.facts);
        if (language !== 'Java') assert.notDeepEqual(right?.chance, left?.chance);
        if (language === 'Python') assert.notEqual(right?.hash, left?.hash, 'the seed of hashes');
      });
    }
  });
}

for (const { tier, skip } of places.filter((place) => place.tier !== 'user')) {
  describe(`processes that wait for functions in tier ${tier}`, { skip }, () => {
    for (const { language, runtime, handler, files } of languagesIn(tier)) {
      test(`a ${language} process that waits takes no more memory than it is counted as`, async (t) => {
        const plane = await openFixture(tier);
        t.after(() => plane.close());
        const config = plane.publish('first', files, { runtime, handler });
        await plane.succeed('first');
        await until(() => plane.functions.stats().spares > 0);
        const choice = chooseInterpreter(runtime, found, true);
        assert.ok(choice.ok);
        const countedKb = (spareShape(config, choice)?.memoryMb ?? 0) * 1024;
        const ownKb = waitingPids(plane).map(privateKb);
        assert.ok(
          ownKb.length > 0 && ownKb.every((each) => each > 0 && each <= countedKb),
          `${ownKb} of ${countedKb} KB`,
        );
      });

      test(`a ${language} process that dies while it waits is replaced, and calls do not notice`, async (t) => {
        const plane = await openFixture(tier);
        t.after(() => plane.close());
        plane.publish('first', files, { runtime, handler });
        await plane.succeed('first');
        await until(() => plane.functions.stats().spares > 0);
        const pids = waitingPids(plane);
        assert.ok(pids.length > 0);
        for (const pid of pids) process.kill(pid, 'SIGKILL');
        plane.publish('second', files, { runtime, handler });
        await plane.succeed('second');
        await until(() => plane.functions.stats().spares > 0 && !waitingPids(plane).some((pid) => pids.includes(pid)));
        plane.publish('third', files, { runtime, handler });
        await callWaiting(plane, 'third');
      });

      test(`a ${language} process that hangs when it is given a function costs the call some time, no more`, async (t) => {
        const plane = await openFixture(tier, { assignMs: 100 });
        t.after(() => plane.close());
        plane.publish('first', files, { runtime, handler });
        await plane.succeed('first');
        await until(() => plane.functions.stats().spares > 0);
        for (const pid of waitingPids(plane)) process.kill(pid, 'SIGSTOP');
        plane.publish('second', files, { runtime, handler });
        const { coldStart } = await plane.succeed('second');
        assert.equal(coldStart?.isSpare, false);
        assert.match(plane.reports.join('\n'), /a process that waited could not be given it: expired/);
      });
    }

    test('what a function has the loader and interpreter read at their start never meets a process that waits', async (t) => {
      const plane = await openFixture(tier);
      t.after(() => plane.close());
      const files = { 'index.py': 'def handler(event, context):\n    return "ok"\n' };
      plane.publish('first', files);
      await plane.succeed('first');
      await until(() => plane.functions.stats().spares > 0);
      for (const environment of [
        { LD_PRELOAD: '/code/evil.so' },
        { PYTHONPATH: '/code' },
        { PYTHONSTARTUP: '/code/evil.py' },
        { NODE_OPTIONS: '--require /code/evil.js' },
      ]) {
        plane.publish('other', files, { environment });
        assert.equal((await plane.succeed('other')).coldStart?.isSpare, false, JSON.stringify(environment));
      }
      assert.ok(plane.functions.stats().spares > 0);
    });

    test('a PHP package that brings settings of the interpreter gets a process that reads them', async (t) => {
      const plane = await openFixture(tier);
      t.after(() => plane.close());
      const runtime = 'php7.2';
      const files = { 'index.php': '<?php function handler($event, $context) { return ini_get("precision"); }' };
      plane.publish('first', files, { runtime });
      await plane.succeed('first');
      await until(() => plane.functions.stats().spares > 0);
      plane.publish('other', { ...files, 'extension/own.ini': 'precision=7\n' }, { runtime });
      const { body, coldStart } = await plane.succeed('other');
      assert.deepEqual([body.toString(), coldStart?.isSpare], ['7', false]);
    });

    test('code runs where a relative path, a library and a module of its own are found', async (t) => {
      const plane = await openFixture(tier);
      t.after(() => plane.close());
      const files = {
        'index.py':
          'import helper, os\ndef handler(event, context):\n    return helper.word + open("word.txt").read() + os.environ["FC_FUNC_CODE_PATH"]\n',
        'helper.py': 'word = "helped "\n',
        'word.txt': 'read ',
      };
      plane.publish('first', files);
      await plane.succeed('first');
      const { code } = plane.publish('second', files);
      const place = tier === 'none' ? code.directory : '/code';
      assert.equal((await callWaiting(plane, 'second')).body.toString(), `helped read ${place}/`);
    });

    test('what was used longer ago gives way when memory is short', async (t) => {
      const plane = await openFixture(tier, { spareMemoryMb: 24 });
      t.after(() => plane.close());
      for (const { runtime, files } of [python, node]) {
        plane.publish(runtime, files, { runtime });
        await plane.succeed(runtime);
        await until(() => plane.functions.stats().spares > 0);
      }
      await until(() => waitingPids(plane).every((pid) => readFileSync(`/proc/${pid}/cmdline`).includes('node')));
      plane.publish('next', node.files, { runtime: node.runtime });
      await callWaiting(plane, 'next');
    });

    test('with no memory for it none waits', async (t) => {
      const plane = await openFixture(tier, { spareMemoryMb: 0 });
      t.after(() => plane.close());
      plane.publish('first', { 'index.py': 'def handler(event, context):\n    return "ok"\n' });
      await plane.succeed('first');
      await sleep(100);
      assert.deepEqual([plane.functions.stats().spares, waitingPids(plane)], [0, []]);
    });
  });
}
