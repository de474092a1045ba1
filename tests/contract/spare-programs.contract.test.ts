// Sandboxes that wait for programs of the user's (custom runtimes, go1): what a program can see of it (nothing), what it
// costs when one breaks, and that a program which cannot run is told as ever.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findSandd, probeNetwork, probeSandd } from '../../src/functions/index.ts';
import type { FunctionConfig, ServerProgram } from '../../src/model/function.ts';
import { type Fixture, openFixture, describe as tell } from './functions-fixture.ts';

const native = await findSandd();
const strong = native.ok ? ((await probeSandd(native.path)).get('strong') ?? 'the probe did not end') : native.why;
const network = native.ok ? ((await probeNetwork(native.path)).get('network') ?? 'the probe did not end') : native.why;

/** Gathers what a program can know of itself, but for what differs between any two instances. */
const look = `
import json, os, signal, socket, sys
own = os.environ['FC_INSTANCE_ID']
def text(path):
    with open(path) as file:
        return file.read().replace(own, 'ID')
def status():
    kept = ('Name', 'Umask', 'State', 'Uid', 'Gid', 'Groups', 'NSpid', 'Threads', 'Sig', 'Shd', 'Cap', 'NoNew', 'Seccomp', 'PPid', 'Pid', 'Tgid', 'TracerPid', 'FDSize')
    return sorted(line for line in text('/proc/self/status').split('\\n') if line.startswith(kept))
def mounts():
    return sorted(' '.join(line.split()[4:6] + line.split(' - ')[1].split()[:1]) for line in text('/proc/self/mountinfo').split('\\n') if line and '/yunmen' not in line)
def descriptors():
    seen = []
    for fd in range(64):
        try: seen.append('%d %s' % (fd, os.readlink('/proc/self/fd/%d' % fd).split(':')[0]))
        except OSError: pass
    return seen
def tree(path):
    try: return sorted('%s %o' % (name, os.lstat(os.path.join(path, name)).st_mode) for name in os.listdir(path))
    except OSError as error: return error.errno
facts = {
    'environ': ['%s=%s' % pair for pair in os.environ.items()],
    'raw environ': text('/proc/self/environ').split('\\0'),
    'argv': [sys.argv, text('/proc/self/cmdline'), os.readlink('/proc/self/exe')],
    'cwd': [os.getcwd(), os.readlink('/proc/self/cwd'), os.readlink('/proc/self/root')],
    'ids': [os.getresuid(), os.getresgid(), os.getgroups()],
    'pids': [os.getpid(), os.getppid(), os.getsid(0), os.getpgid(0)],
    'processes': sorted(name for name in os.listdir('/proc') if name.isdigit()),
    'descriptors': descriptors(),
    'limits': text('/proc/self/limits'), 'status': status(), 'mounts': mounts(), 'score': text('/proc/self/oom_score_adj'),
    'roots': [tree(path) for path in ('/', '/code', '/opt', '/tmp', '/dev', '/run', '/run/yunmen', '/etc', '/var')],
    'groups': text('/proc/self/cgroup').replace(own, 'ID'),
    'network': [socket.gethostname(), [line.split()[0] for line in text('/proc/net/dev').split('\\n')[2:] if line and not line.split()[0].startswith('yunmen')]],
    'signals': [str(signal.getsignal(each)) for each in range(1, 32) if each not in (9, 19)],
    'personality': text('/proc/self/personality'), 'filter': text('/proc/self/coredump_filter'), 'slack': os.nice(0),
    'stdin': sys.stdin.read(), 'preload': os.environ.get('PYTHONDONTWRITEBYTECODE'), 'flags': str(sys.flags),
    'zone': __import__('time').tzname, 'scheduler': [os.sched_getscheduler(0), sorted(os.sched_getaffinity(0))],
}
`;
const server = `#!/usr/bin/env python3
${look}
import http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.dumps({'facts': facts, 'seed': hash('x' * 9)}).replace(own, 'ID').encode()
        self.send_response_only(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer(('0.0.0.0', int(os.environ['FC_SERVER_PORT'])), Handler).serve_forever()
`;
const polling = `#!/usr/bin/env python3
${look}
import http.client
host, _, secret = os.environ['FC_RUNTIME_API'].partition('/')
base = ('/' + secret if secret else '') + '/2020-11-11/runtime/'
def call(method, path, body=None):
    connection.request(method, base + path, body)
    answer = connection.getresponse()
    return answer.headers, answer.read()
connection = http.client.HTTPConnection(host)
while True:
    headers, _ = call('GET', 'invocation/next')
    body = json.dumps({'facts': facts, 'seed': hash('x' * 9)}).replace(own, 'ID').replace(host, 'HOST').replace(secret or 'none', 'SECRET')
    call('POST', 'invocation/%s/response' % headers['x-fc-request-id'], body)
`;
const serverOf = (more: Partial<ServerProgram> = {}): ServerProgram => ({
  command: [],
  args: [],
  port: 9000,
  healthCheck: null,
  image: null,
  ...more,
});
/** Read by the loader, the C library or the interpreter before the program's own code runs. */
const early = {
  TZ: 'Asia/Shanghai',
  PYTHONDONTWRITEBYTECODE: '1',
  GLIBC_TUNABLES: 'glibc.malloc.check=1',
  LC_ALL: 'C',
};
const forms: readonly {
  readonly form: string;
  readonly files: Record<string, string>;
  config: Partial<FunctionConfig>;
}[] = [
  { form: 'server', files: { bootstrap: server }, config: { runtime: 'custom.debian12' } },
  {
    form: 'server by a command',
    files: { 'bin/run': server },
    config: {
      runtime: 'custom',
      server: serverOf({ command: ['./bin/run'], args: ['--name', 'a b', ''], port: 8080 }),
    },
  },
  { form: 'polling', files: { main: polling }, config: { runtime: 'go1', handler: 'main' } },
];

async function until(isDone: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!isDone()) {
    assert.ok(performance.now() < deadline, 'it did not come to that');
    await sleep(10);
  }
}

/** Processes of the plane that wait for their program: two below the launcher, by the name that they give themselves. */
function waitingPids({ launcherPid }: Fixture): number[] {
  const parents = new Map<number, number>();
  const waiting: number[] = [];
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]);
      parents.set(Number(name), parent);
      if (stat.includes('(sandd-spare)')) waiting.push(Number(name));
    } catch {
      // it has ended
    }
  }
  return waiting.filter((pid) => parents.get(parents.get(pid) ?? 0) === launcherPid);
}

function instancesOf({ functions }: Fixture): number {
  return Object.values(functions.stats().instances).reduce((sum, count) => sum + count, 0);
}

async function oneWaits(plane: Fixture): Promise<void> {
  await until(() => plane.functions.stats().spares > 0);
}

/** A call of a function that no instance of another still runs beside: they would want the same port. */
async function callAlone(plane: Fixture, name: string, isSpare: boolean) {
  const outcome = await plane.invoke(name);
  assert.ok(outcome.kind === 'success', `${tell(outcome)}\n${plane.reports.join('\n')}`);
  assert.equal(outcome.coldStart?.isSpare, isSpare, plane.reports.join('\n'));
  return outcome;
}

for (const place of ['host', 'open'] as const) {
  const lack = strong !== 'ok' ? strong : place === 'open' && network !== 'ok' ? network : null;
  describe(`sandboxes that wait for programs, network ${place}`, { skip: lack ?? false }, () => {
    const open = (t: { after(end: () => Promise<void>): void }, limits = {}) =>
      openFixture('strong', limits, { network: place }).then((plane) => {
        t.after(() => plane.close());
        return plane;
      });

    for (const { form, files, config } of forms) {
      test(`a ${form} program cannot tell that its sandbox waited, whatever it has read at its start`, async (t) => {
        const plane = await open(t);
        const settings = { ...config, environment: { ...early, A: 'é', EMPTY: '' }, memoryMb: 256 };
        plane.credentials = { accessKeyId: 'id', accessKeySecret: 'secret', securityToken: 'token', expiresAt: 0 };
        plane.publish('first', files, { ...settings, role: 'acs:ram::1:role/x' });
        const fresh = await callAlone(plane, 'first', false);
        plane.publish('first', files, settings); // its instance goes, and with it its port
        await oneWaits(plane);
        await until(() => instancesOf(plane) === 0);
        plane.publish('second', files, { ...settings, role: 'acs:ram::1:role/x' });
        const waited = await callAlone(plane, 'second', true);
        const [left, right] = [fresh, waited].map(({ body }) =>
          JSON.parse(body.toString().replaceAll('first', 'second')),
        );
        assert.deepEqual(right.facts, left.facts);
        assert.equal(right.facts.environ.includes('TZ=Asia/Shanghai'), true);
        assert.notEqual(right.seed, left.seed, 'the seed of hashes');
        plane.publish('second', files, settings);
        await until(() => instancesOf(plane) === 0);
      });
    }

    test('one that dies while it waits is replaced, and one that hangs costs the call some time, no more', async (t) => {
      const plane = await open(t, { assignMs: 200 });
      plane.publish('first', { bootstrap: server }, { runtime: 'custom' });
      await callAlone(plane, 'first', false);
      await oneWaits(plane);
      const pids = waitingPids(plane);
      assert.ok(pids.length > 0);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      await until(() => {
        const now = waitingPids(plane);
        return (
          now.length > 0 && now.length === plane.functions.stats().spares && !now.some((pid) => pids.includes(pid))
        );
      });
      const hanging = waitingPids(plane);
      for (const pid of hanging) process.kill(pid, 'SIGSTOP');
      plane.publish('second', { bootstrap: server }, { runtime: 'custom' });
      const { coldStart } = await plane.succeed('second');
      assert.equal(coldStart?.isSpare, false);
      assert.match(plane.reports.join('\n'), /a process that waited could not be given it: expired/);
      assert.deepEqual(
        waitingPids(plane).filter((pid) => hanging.includes(pid)),
        [],
      );
    });

    test('a program that cannot be run is refused as without one that waited', async (t) => {
      const plane = await open(t);
      plane.publish('first', { bootstrap: server }, { runtime: 'custom' });
      await callAlone(plane, 'first', false);
      await oneWaits(plane);
      const files = { bootstrap: '#!/no/such/interpreter\n' };
      plane.publish('second', files, { runtime: 'custom' });
      const waited = await plane.invoke('second');
      assert.match(
        plane.reports.join('\n'),
        /that waited could not be given it: cannot run \/code\/bootstrap: No such file/,
      );
      assert.ok(waited.kind === 'refused' && waited.code === 'InternalServerError', tell(waited));
      assert.match(plane.reports.join('\n'), /could not be started: cannot run \/code\/bootstrap: No such file/);
      await oneWaits(plane);
      plane.publish('third', { server }, { runtime: 'custom' });
      const missing = await plane.invoke('third');
      assert.ok(missing.kind === 'refused' && missing.code === 'CAFileNotFound', tell(missing));
    });

    test('one that waits takes no more memory than it is counted as, and no time of the processors', async (t) => {
      const plane = await open(t);
      plane.publish('first', { bootstrap: server }, { runtime: 'custom' });
      await callAlone(plane, 'first', false);
      await oneWaits(plane);
      const [pid = 0] = waitingPids(plane);
      const parent = /^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      const all = readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1').trim().split(' ');
      const facts = [parent, ...all].map((each) => ({
        kb: Number(/^Private_Dirty: +(\d+)/m.exec(readFileSync(`/proc/${each}/smaps_rollup`, 'utf8'))?.[1]),
        ticks: () => readFileSync(`/proc/${each}/stat`, 'latin1').split(') ')[1]?.split(' ').slice(11, 13).join(),
        waits: Number(/^voluntary_ctxt_switches:\t(\d+)/m.exec(readFileSync(`/proc/${each}/status`, 'utf8'))?.[1]),
        each,
      }));
      assert.equal(all.length, place === 'open' ? 2 : 1, 'the program, and its relay');
      assert.ok(facts.reduce((sum, { kb }) => sum + kb, 0) < 2 * 1024, JSON.stringify(facts));
      await sleep(300);
      for (const { each, waits } of facts) {
        const now = Number(/^voluntary_ctxt_switches:\t(\d+)/m.exec(readFileSync(`/proc/${each}/status`, 'utf8'))?.[1]);
        assert.equal(now, waits, 'it wakes up for nothing');
      }
    });
  });
}
