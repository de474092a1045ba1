// What functions reach in networks of their own: the internet (a host that stands for it), the doorway, and nothing else;
// and that the host is afterwards as it was.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findSandd, probeSandd } from '../../src/functions/index.ts';
import { dropForwarded } from '../harness/firewall.ts';
import { zippedWith } from '../harness/npm-package.ts';
import { OpenApi } from '../harness/openapi.ts';
import { ordinaryNetworksLack } from '../harness/ordinary.ts';
import { type Outside, openOutside, outsideLacks } from '../harness/outside.ts';
import { remainsOf } from '../harness/remains.ts';
import { functionCompute, zipped } from '../harness/sdk.ts';
import {
  Cleanup,
  leftovers,
  type ProcessMark,
  processTree,
  root,
  startServer,
  type TestServer,
  temporaryDirectory,
} from '../harness/server.ts';

/** Fetches, resolves, or calls Function Compute as the classic SDK does, with its own credentials or given ones. */
const code = `
import base64, email.utils, hashlib, hmac, json, socket, urllib.request, urllib.error
def signed(asked, context):
    c = context.credentials
    key, secret, token = asked.get("as") or [c.access_key_id, c.access_key_secret, c.security_token]
    host = "%s.%s-internal.fc.aliyuncs.com" % (context.account_id, context.region)
    date = email.utils.formatdate(usegmt=True)
    named = "x-fc-security-token:" + token if token else None
    text = "\\n".join([line for line in [asked["method"], "", "application/json", date, named, asked["path"]] if line is not None])
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    headers = {"Date": date, "Content-Type": "application/json", **asked.get("more", {}),
        "Authorization": "FC " + key + ":" + base64.b64encode(digest).decode()}
    if token:
        headers["x-fc-security-token"] = token
    return urllib.request.Request("http://" + host + asked["path"], b"hello", headers, method=asked["method"])
def handler(event, context):
    asked = json.loads(event)
    c = context.credentials
    if "resolve" in asked:
        try:
            return json.dumps({"addresses": socket.gethostbyname_ex(asked["resolve"])[2]})
        except OSError as error:
            return json.dumps({"error": str(error)})
    if asked.get("tell"):
        return json.dumps({"as": [c.access_key_id, c.access_key_secret, c.security_token]})
    call = asked["fetch"] if "fetch" in asked else signed(asked, context)
    try:
        with urllib.request.urlopen(call, timeout=3) as answer:
            return json.dumps({"status": answer.status, "body": answer.read().decode()})
    except urllib.error.HTTPError as error:
        return json.dumps({"status": error.code, "body": error.read().decode()})
    except OSError as error:
        return json.dumps({"error": str(error)})
`;

/** As its documentation shows it, for calls within the cloud. */
const withSdk = `
const FC = require('@alicloud/fc2');
exports.handler = (event, context, callback) => {
  const { accessKeyId, accessKeySecret, securityToken } = context.credentials;
  const { accountId, region } = context;
  const keys = { accessKeyID: accessKeyId, accessKeySecret, securityToken };
  const client = new FC(accountId, { ...keys, region, internal: true, timeout: 5000 });
  client.invokeFunction('shop', 'echo', event).then(({ data }) => callback(null, data), callback);
};
`;

/** Made once for all tiers. */
let sdkPackage: Promise<string> | null = null;

const doorway = '100.100.2.136';
const sandd = await findSandd();
const probed = sandd.ok ? await probeSandd(sandd.path) : new Map<string, string>();
const lacks = outsideLacks();
const tiers = ['user', 'strong'].filter((tier) => probed.get(tier) === 'ok');
const hasOrdinary = lacks === null && sandd.ok && ordinaryNetworksLack(sandd.path) === null;
const places = [
  ...tiers.map((tier) => ({ title: `in tier ${tier}`, tier, isOrdinary: false })),
  ...(hasOrdinary ? [{ title: 'in tier user of an ordinary user', tier: 'user', isOrdinary: true }] : []),
];

/** What leads an ordinary user's functions out; undefined where it is not. */
function wayOut({ facts }: TestServer): { keeper: ProcessMark | undefined; pasta: ProcessMark | undefined } {
  const tree = processTree(facts.pids.control);
  const called = (form: RegExp) => tree.find(({ pid }) => form.test(readFileSync(`/proc/${pid}/comm`, 'utf8')));
  return { keeper: called(/^sandd-pasta/), pasta: called(/^pass?ta?/) };
}

/** A server's link is named after its launcher; other servers may run on this machine. */
const linkOf = ({ facts }: TestServer) => `yunmen${facts.pids.launcher % 4096}`;
const links = () => readdirSync('/sys/class/net').filter((name) => /^yunmen\d/.test(name));
const forwards = ({ link }: Outside) =>
  readFileSync(`/proc/sys/net/ipv4/conf/${link}/forwarding`, 'utf8').trim() === '1';

describe('networks of functions', { skip: lacks ?? (tiers.length === 0 ? 'no tier has networks here' : false) }, () => {
  for (const { title, tier, isOrdinary } of places) {
    describe(title, () => {
      const cleanup = new Cleanup();
      let outside: Outside;
      let server: TestServer;
      let api: OpenApi;

      before(async () => {
        outside = await openOutside(cleanup);
        const flags = ['start', '--runtime-fallback', '--isolation', tier, '--network', 'open'];
        server = await startServer(cleanup, flags, temporaryDirectory(cleanup), { isOrdinary });
        api = new OpenApi(server.ready, server.credentials);
        cleanup.after(() => api.close());
        const made = { runtime: 'python3.10', handler: 'index.handler', timeout: 20 };
        const zipFile = await zipped({ 'index.py': code });
        const echo = 'def handler(event, context):\n    return b"echo " + event\n';
        for (const body of [
          { functionName: 'free', code: { zipFile } },
          { functionName: 'shut', code: { zipFile }, internetAccess: false },
          { functionName: 'echo', code: { zipFile: await zipped({ 'index.py': echo }) } },
        ]) {
          assert.equal((await api.fc('POST', '/functions', { ...made, ...body })).status, 200);
        }
      });
      after(() => cleanup.run());

      async function ask(name: string, event: object): Promise<Readonly<Record<string, unknown>>> {
        const { status, body } = await api.fc('POST', `/functions/${name}/invocations`, event);
        assert.equal(status, 200, JSON.stringify(body));
        return body;
      }
      const invocation = { method: 'POST', path: '/2023-03-30/functions/echo/invocations' };

      test('the ready line says so, and what carries packets out', () =>
        assert.deepEqual([server.ready.network, server.ready.carrier], ['open', isOrdinary ? 'pasta' : 'kernel']));

      test('a function reaches the internet, where it is seen as this machine', async () => {
        assert.deepEqual(await ask('free', { fetch: outside.url }), { status: 200, body: outside.hostAddress });
      });

      test('a function without internetAccess reaches the doorway only, and resolves its names only', async () => {
        const { error } = await ask('shut', { fetch: outside.url });
        assert.match(String(error), /No route to host/);
        assert.deepEqual(await ask('shut', invocation), { status: 200, body: 'echo hello' });
        assert.match(String((await ask('shut', { resolve: 'example.com' }))['error']), /Errno/);
      });

      test("the names of its account's Function Compute lead to the doorway, those of others do not", async () => {
        const { accountId, region } = server.ready;
        for (const kind of ['', '-internal', '-vpc']) {
          const own = await ask('shut', { resolve: `${accountId}.${region}${kind}.fc.aliyuncs.com` });
          assert.deepEqual(own, { addresses: [doorway] });
        }
        const other = await ask('shut', { resolve: `1${accountId}.${region}-internal.fc.aliyuncs.com` });
        assert.match(String(other['error']), /Errno/);
      });

      test('a function invokes another there with its own credentials, and gets nothing else done', async () => {
        assert.deepEqual(await ask('free', invocation), { status: 200, body: 'echo hello' });
        for (const [method, path] of [
          ['GET', '/2023-03-30/functions'],
          ['DELETE', '/2023-03-30/functions/echo'],
          ['GET', '/metrics'],
          ['GET', '/healthz'],
          ['GET', '/console/'],
          ['GET', '/yunmen/keys'],
          ['POST', '/2016-08-15/proxy/a/b/'],
        ] as const) {
          const { status, body } = await ask('free', { method, path });
          assert.equal(status, 403, path);
          assert.match(String(body), /AccessDenied/);
        }
      });

      test('the official SDK in a function invokes another there, unchanged', async () => {
        const fc = functionCompute(server.ready, server.credentials);
        await fc.createService('shop');
        const echo = { functionName: 'echo', runtime: 'python3.10', handler: 'index.handler' };
        const text = 'def handler(event, context):\n    return b"echo " + event\n';
        await fc.createFunction('shop', { ...echo, code: { zipFile: await zipped({ 'index.py': text }) } });
        sdkPackage ??= zippedWith('@alicloud/fc2', { 'index.js': withSdk });
        const zipFile = await sdkPackage;
        const caller = { functionName: 'caller', runtime: 'nodejs20', handler: 'index.handler', timeout: 20 };
        await fc.createFunction('shop', { ...caller, memorySize: 256, code: { zipFile } });
        assert.equal((await fc.invokeFunction('shop', 'caller', 'hello')).data, 'echo hello');
      });

      test("another function's credentials are refused there, the account's key too, and no header helps", async () => {
        const { as } = await ask('shut', { tell: true });
        const { accessKeyId, accessKeySecret } = server.credentials;
        const key = [accessKeyId, accessKeySecret, ''];
        for (const stolen of [as, key]) {
          for (const more of [{}, { 'X-Yunmen-Doorway': 'shut' }, { Connection: 'X-Yunmen-Doorway' }]) {
            const { status, body } = await ask('free', { ...invocation, as: stolen, more });
            assert.equal(status, 403, String(body));
            assert.match(String(body), /own temporary credentials/);
          }
        }
        assert.equal((await ask('shut', { ...invocation, as }))['status'], 200, 'they are good where they belong');
      });

      if (isOrdinary) {
        /** Why a function cannot fetch it; the launcher has heard of the change within seconds, however busy the machine is. */
        const refusal = async (url: string): Promise<string> => {
          for (const until = Date.now() + 5_000; ; ) {
            const { error } = await ask('free', { fetch: url });
            if (error !== undefined || Date.now() > until) return String(error);
          }
        };

        test('an address that the host gets later is refused as those before', async () => {
          const later = '192.88.97.7';
          const listener = createServer((_call, answer) => answer.end('the host'));
          await once(listener.listen(0, '0.0.0.0'), 'listening');
          cleanup.after(() => void listener.close());
          const { port } = listener.address() as AddressInfo;
          execFileSync('ip', ['addr', 'add', `${later}/32`, 'dev', outside.link]);
          const seen = await fetch(`http://${later}:${port}/`);
          assert.equal(await seen.text(), 'the host', 'it is there for the host itself');
          assert.match(await refusal(`http://${later}:${port}/`), /No route to host/);
        });

        test('a block that the host takes for itself without an address is refused, too', async () => {
          const listener = createServer((_call, answer) => answer.end('the host'));
          await once(listener.listen(0, '0.0.0.0'), 'listening');
          cleanup.after(() => void listener.close());
          const url = `http://192.88.96.7:${(listener.address() as AddressInfo).port}/`;
          const ip = (what: string) => execFileSync('ip', ['route', what, 'local', '192.88.96.0/24', 'dev', 'lo']);
          ip('add');
          cleanup.after(() => void ip('del'));
          assert.equal(await (await fetch(url)).text(), 'the host', 'it is there for the host itself');
          assert.match(await refusal(url), /No route to host/);
        });

        test('network none leaves the doorway alone, and network host is the host: neither takes a program for it', async (t) => {
          const listener = createServer((_call, answer) => answer.end('the host'));
          await once(listener.listen(0, '127.0.0.1'), 'listening');
          t.after(() => listener.close());
          const here = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`;
          for (const network of ['none', 'host']) {
            const flags = ['start', '--runtime-fallback', '--isolation', tier, '--network', network];
            const other = await startServer(t, flags, temporaryDirectory(t), { isOrdinary });
            const its = new OpenApi(other.ready, other.credentials);
            t.after(() => its.close());
            const zipFile = await zipped({ 'index.py': code });
            const made = { functionName: 'f', runtime: 'python3.10', handler: 'index.handler', code: { zipFile } };
            assert.equal((await its.fc('POST', '/functions', made)).status, 200);
            const fetched = async (url: string) =>
              (await its.fc('POST', '/functions/f/invocations', { fetch: url })).body;
            if (network === 'none') {
              assert.match(String((await fetched(outside.url))['error']), /Network is unreachable/);
              assert.equal(typeof (await fetched('http://100.100.2.136/'))['status'], 'number', 'it answers');
            } else {
              assert.equal((await fetched(here))['body'], 'the host');
            }
            assert.deepEqual([other.ready.network, other.ready.carrier], [network, null]);
            const ways = wayOut(other);
            assert.deepEqual([ways.pasta, ways.keeper], [undefined, undefined]);
          }
        });

        /** Until a function reaches the internet again. */
        const isLedOut = async (): Promise<void> => {
          const until = Date.now() + 10_000;
          for (let status: unknown = 0; status !== 200; ) {
            assert.ok(Date.now() < until, server.log());
            ({ status } = await ask('free', { fetch: outside.url }));
          }
        };

        test('the program that leads out is started again when it ends', async () => {
          const first = wayOut(server).pasta;
          assert.ok(first !== undefined);
          process.kill(first.pid, 'SIGKILL');
          await isLedOut();
          assert.match(server.log(), /pasta ended.*started again/);
          assert.notEqual(wayOut(server).pasta?.pid, first.pid);
        });

        test('so is the process that keeps it, as often as it is killed', async () => {
          for (let times = 1; times <= 3; times++) {
            const { keeper, pasta } = wayOut(server);
            assert.ok(keeper !== undefined && pasta !== undefined);
            process.kill(keeper.pid, 'SIGKILL');
            assert.deepEqual(await leftovers([keeper, pasta], [], 2_000), [], 'pasta ends with its keeper');
            await isLedOut();
            assert.equal(server.log().split('keeps pasta has gone; another is started').length, times + 1);
          }
          assert.match(server.log(), /way out again, after \d+ ms/);
        });

        test('while it does not come up nothing else waits, and it is stopped and tried again', async () => {
          const program = `${temporaryDirectory(cleanup)}/pasta`;
          writeFileSync(program, '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
          // Where this server's processes see files, and nobody else's.
          const at = (line: string) =>
            execFileSync('nsenter', ['-t', String(server.facts.pids.launcher), '-m', ...line.split(' ')]);
          at(`mount --bind ${program} /usr/bin/pasta`);
          const zipFile = await zipped({ 'index.py': code });
          const made = { functionName: 'cold', runtime: 'python3.10', handler: 'index.handler', code: { zipFile } };
          assert.equal((await api.fc('POST', '/functions', made)).status, 200);
          const { keeper, pasta } = wayOut(server);
          assert.ok(keeper !== undefined && pasta !== undefined);
          const seen = server.log().length;
          const isLogged = async (text: string): Promise<void> => {
            for (const until = Date.now() + 20_000; !server.log().slice(seen).includes(text); await sleep(20))
              assert.ok(Date.now() < until, server.log());
          };
          process.kill(pasta.pid, 'SIGKILL');
          await isLogged('pasta ended');
          assert.ok((await ask('cold', { tell: true }))['as'], 'its launcher starts instances');
          assert.ok(!server.log().includes('pasta does not come up'), 'while it could still have come');
          await isLogged('pasta does not come up');
          at('umount /usr/bin/pasta');
          await isLedOut();
          assert.equal(wayOut(server).keeper?.pid, keeper.pid, 'who keeps it has not been replaced');
        });

        test('both end with the launcher', async () => {
          const { keeper, pasta } = wayOut(server);
          assert.ok(keeper !== undefined && pasta !== undefined);
          const all = [...processTree(server.facts.pids.launcher), keeper, pasta];
          process.kill(server.facts.pids.launcher, 'SIGKILL');
          assert.deepEqual(await leftovers(all, [], 2_000), []);
        });
        return;
      }

      test('the address of the doorway means nothing outside of functions', async () => {
        await assert.rejects(fetch(`http://${outside.hostAddress}:53/`, { signal: AbortSignal.timeout(1_000) }));
      });
    });
  }

  const flags = ['start', '--isolation', tiers.at(-1) ?? '', '--network', 'open'];

  test('a server that stops leaves the host as it was, and takes nothing from another', async (t) => {
    const outside = await openOutside(t);
    const first = await startServer(t, flags, temporaryDirectory(t));
    const second = await startServer(t, flags, temporaryDirectory(t));
    assert.ok(links().includes(linkOf(first)) && links().includes(linkOf(second)) && forwards(outside));
    await first.stop();
    assert.ok(!links().includes(linkOf(first)) && links().includes(linkOf(second)) && forwards(outside));
    await second.stop();
    await isPutBack(second, outside);
  });

  test('with network none the host is left alone: no link, no forwarding; nothing carries', async (t) => {
    const outside = await openOutside(t);
    const closed = [...flags.slice(0, -1), 'none'];
    const server = await startServer(t, closed, temporaryDirectory(t));
    assert.deepEqual([server.ready.network, server.ready.carrier], ['none', null]);
    assert.ok(!links().includes(linkOf(server)) && (!forwards(outside) || links().length > 0), links().join());
  });

  test('so does one whose launcher is killed, and one of which everything is killed, at the next start', async (t) => {
    const outside = await openOutside(t);
    const first = await startServer(t, flags, temporaryDirectory(t));
    process.kill(first.facts.pids.launcher, 'SIGKILL');
    await first.exited;
    await isPutBack(first, outside);
    const second = await startServer(t, flags, temporaryDirectory(t));
    for (const pid of Object.values(second.facts.pids)) process.kill(pid, 'SIGKILL');
    await second.exited;
    // In a tier that needs nothing of it itself.
    const third = await startServer(t, ['start', '--isolation', 'none'], temporaryDirectory(t));
    assert.deepEqual(
      remainsOf(second.facts.runDir).filter((what) => what.includes('cgroup')),
      [],
    );
    await isPutBack(second, outside);
    await third.stop();
  });

  for (const [firewall, prepare, says] of [
    ['drops', 'python3 -c "$drop"', 'so once, and how to mend it'],
    ['lets pass', 'true', 'nothing'],
  ] as const) {
    test(`a server whose firewall ${firewall} what functions send says ${says}`, async (t) => {
      const program = `${temporaryDirectory(t)}/start`;
      // In a network of its own, where nobody else is harmed.
      const inside = `ip link set lo up && ${prepare} && exec ${root}bin/yunmen "$@"`;
      writeFileSync(program, '#!/bin/sh\nexec unshare --net sh -c "$inside" start "$@"\n', { mode: 0o755 });
      const two = [...flags, '--data-processes', '2'];
      const server = await startServer(t, two, temporaryDirectory(t), {
        program,
        env: { inside, drop: dropForwarded },
      });
      const warning = /reach nothing beyond this machine.*iptables -I FORWARD -i yunmen\+/g;
      for (const { launcher } of server.facts.dataProcesses) await hasEndedOne(launcher);
      await server.stop();
      assert.equal(server.log().match(warning)?.length ?? 0, firewall === 'drops' ? 1 : 0, server.log());
    });
  }
});

/** Until a process that the launcher started has ended: page faults of those are counted when they are waited for. */
async function hasEndedOne(launcher: number): Promise<void> {
  const faults = () => readFileSync(`/proc/${launcher}/stat`, 'utf8').split(') ')[1]?.split(' ')[8];
  for (const until = Date.now() + 60_000; faults() === '0'; await sleep(20)) assert.ok(Date.now() < until);
}

/** The kernel takes a namespace apart after the last process in it has gone; what another server needs stays on. */
async function isPutBack(server: TestServer, outside: Outside): Promise<void> {
  const isDone = () => !links().includes(linkOf(server)) && (!forwards(outside) || links().length > 0);
  for (let rounds = 0; rounds < 50 && !isDone(); rounds++) await sleep(100);
  assert.ok(isDone(), `${links().join()}; forwards: ${forwards(outside)}`);
}
