// What an invocation promises, on a real launcher with real Pythons and Nodes, in every isolation tier that works here.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe as group, test } from 'node:test';
import { endInstances, findSandd, probeIsolation, probeSandd } from '../../src/functions/index.ts';
import { describe, type Fixture, openFixture } from './functions-fixture.ts';

const isolation = await probeIsolation();
const native = await findSandd();
const strong = native.ok ? ((await probeSandd(native.path)).get('strong') ?? 'the probe did not end') : native.why;

const echoPython = { 'index.py': 'def handler(event, context):\n    return event\n' };
const echoNode = { 'index.js': 'exports.handler = (event, context, callback) => callback(null, event);\n' };
const python = (body: string) => ({ 'index.py': `import os, sys, time\ndef handler(event, context):\n${body}\n` });

for (const tier of ['none', 'user', 'strong']) {
  const missing = isolation.missing.find((each) => each.tier === tier);
  const lacking = missing === undefined ? false : `${missing.why}; ${missing.install}`;
  const skip = tier === 'strong' ? strong !== 'ok' && strong : lacking;

  group(`invocations in tier ${tier}`, { skip }, () => {
    let plane: Fixture;
    before(async () => {
      plane = await openFixture(tier, { idleMs: 60_000 });
    });
    after(async () => {
      await plane.close();
    });

    test('a Python and a Node function get the event and answer with it', async () => {
      plane.publish('python', echoPython);
      plane.publish('node', echoNode, { runtime: 'nodejs16' });
      for (const name of ['python', 'node']) {
        const cold = await plane.succeed(name, 'first');
        assert.equal(cold.body.toString(), 'first');
        assert.ok(cold.coldStart !== null && cold.coldStart.startMs > 0);
        assert.ok(cold.maxMemoryMb > 1);
        assert.equal(cold.logTail, null);
        const warm = await plane.succeed(name, 'second');
        assert.equal(warm.coldStart, null);
        assert.equal(warm.instanceId, cold.instanceId);
      }
    });

    test('6 MB go in and come back unchanged', async () => {
      plane.publish('python', echoPython);
      plane.publish('node', echoNode, { runtime: 'nodejs16' });
      const event = Buffer.alloc(6 * 1024 * 1024, 'abcdefghijklmnopqrstuvwxyz0123456789!');
      for (const name of ['python', 'node']) {
        const { body } = await plane.succeed(name, event);
        assert.ok(body.equals(event));
      }
    });

    test('a function sees the environment of the cloud, its own variables and nothing of ours', async () => {
      process.env['YUNMEN_TEST_LEAK'] = 'leaked';
      plane.credentials = { accessKeyId: 'id', accessKeySecret: 'secret', securityToken: 'token', expiresAt: 0 };
      plane.publish(
        'environment',
        python('    import json\n    return json.dumps(dict(os.environ, cwd=os.getcwd(), path=sys.argv[0]))'),
        {
          environment: { MODE: 'test', FC_REGION: 'forged', accessKeyID: 'forged' },
          role: 'acs:ram::1:role/r',
        },
      );
      const { body } = await plane.succeed('environment');
      delete process.env['YUNMEN_TEST_LEAK'];
      const seen = JSON.parse(body.toString()) as Record<string, string>;
      assert.equal(seen['MODE'], 'test');
      assert.equal(seen['FC_REGION'], 'cn-hangzhou');
      assert.equal(seen['LANG'], 'C.UTF-8');
      assert.equal(seen['ALIBABA_CLOUD_ACCESS_KEY_SECRET'], 'secret');
      assert.equal(seen['accessKeyID'], undefined);
      assert.equal(seen['YUNMEN_TEST_LEAK'], undefined);
      assert.equal(seen['FC_FUNC_CODE_PATH'], `${seen['cwd']}/`);
      if (tier !== 'none') assert.equal(seen['cwd'], '/code');
    });

    test('the context object has the credentials of now, the environment those of the start', async () => {
      const credentials = (n: number) => ({
        accessKeyId: `STS.${n}`,
        accessKeySecret: `secret-${n}`,
        securityToken: `token-${n}`,
        expiresAt: 0,
      });
      const role = 'acs:ram::1:role/r';
      plane.publish(
        'python',
        python(
          '    import json\n    c = context.credentials\n    return json.dumps([c.access_key_id, c.access_key_secret, c.securityToken, os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"]])',
        ),
        { role },
      );
      const node = `exports.handler = (event, context, callback) => {
        const c = context.credentials;
        callback(null, [c.accessKeyId, c.accessKeySecret, c.securityToken, process.env.ALIBABA_CLOUD_ACCESS_KEY_ID]);
      };`;
      plane.publish('node', { 'index.js': node }, { role, runtime: 'nodejs16' });
      for (const name of ['python', 'node']) {
        for (const n of [1, 1, 2, 2, 3]) {
          plane.credentials = credentials(n);
          const { body } = await plane.succeed(name);
          assert.deepEqual(JSON.parse(body.toString()), [`STS.${n}`, `secret-${n}`, `token-${n}`, 'STS.1']);
        }
      }
      plane.credentials = null;
    });

    test('a request beyond its time-out is answered with the time-out, and the next one works', async () => {
      plane.publish('slow', python('    if event == b"hang":\n        time.sleep(60)\n    return event'), {
        timeoutMs: 1000,
      });
      const outcome = await plane.fail('slow', 'hang');
      assert.equal(outcome.errorType, 'UnhandledInvocationError');
      assert.match(
        outcome.body.toString(),
        /^\{"errorMessage":"Function timed out after 1 seconds \(duration: \d+ms, maxMemoryUsage: \d+\.\d\dMB\)"\}$/,
      );
      assert.ok(outcome.maxMemoryMb > 1);
      assert.match(outcome.logTail?.toString() ?? '', /, Error: Function timed out after 1 seconds \(duration: /);
      assert.equal((await plane.succeed('slow', 'quick')).body.toString(), 'quick');
    });

    test('a process that ends in a request is answered with the exit, with what it wrote last', async () => {
      plane.publish('exit', python('    sys.stderr.write("last words\\n")\n    sys.stderr.flush()\n    os._exit(7)'));
      const outcome = await plane.fail('exit');
      assert.match(
        outcome.body.toString(),
        /^\{"errorMessage":"Process exited unexpectedly before completing request \(duration: \d+ms, maxMemoryUsage: \d+\.\d\dMB\)"\}$/,
      );
      assert.match(outcome.logTail?.toString() ?? '', /last words\n/);
    });

    test('a process that crashes in a request is answered with the exit', async () => {
      plane.publish('crash', python('    os.kill(os.getpid(), 11)'));
      assert.match((await plane.fail('crash')).body.toString(), /Process exited unexpectedly/);
    });

    test('errors of the function keep the instance; their document and log come back', async () => {
      plane.publish('raises', python('    raise KeyError("x")'));
      const first = await plane.fail('raises');
      assert.equal((JSON.parse(first.body.toString()) as { errorType: string }).errorType, 'KeyError');
      const log = first.logTail?.toString() ?? '';
      assert.match(log, /^FC Invoke Start RequestId: request-/);
      assert.match(log, /KeyError/);
      assert.match(log, /, Error: Unhandled function error\n$/);
      assert.equal((await plane.fail('raises')).instanceId, first.instanceId);
    });

    for (const [what, files, pattern] of [
      ['a handler that is not there', { 'index.py': 'other = 1\n' }, /handler/i],
      ['a module that is not there', { 'main.py': '' }, /ImportModuleError/],
      ['a module with a syntax error', { 'index.py': 'def handler(:\n' }, /[Ss]yntax/],
      ['a module that imports what is missing', { 'index.py': 'import no_such_module\n' }, /no_such_module/],
    ] as const) {
      test(`${what} is answered with its error, again on the next call, and leaves no instance`, async () => {
        plane.publish('broken', files);
        for (let attempt = 0; attempt < 2; attempt += 1) {
          const outcome = await plane.fail('broken');
          assert.equal(outcome.errorType, 'UnhandledInvocationError');
          assert.match(outcome.body.toString(), pattern);
          assert.ok(outcome.logTail !== null);
        }
      });
    }

    test('an initializer that fails or takes too long is answered as InitializationError', async () => {
      const code = 'import time\ndef initialize(context):\n    WHAT\ndef handler(event, context):\n    return "ok"\n';
      const initializer = { handler: 'index.initialize', timeoutMs: 1000 };
      plane.publish('initializes', { 'index.py': code.replace('WHAT', 'pass') }, { initializer });
      assert.equal((await plane.succeed('initializes')).body.toString(), 'ok');
      plane.publish('initializes', { 'index.py': code.replace('WHAT', 'raise ValueError("no")') }, { initializer });
      const failed = await plane.fail('initializes');
      assert.equal(failed.errorType, 'InitializationError');
      assert.match(failed.body.toString(), /ValueError/);
      plane.publish('initializes', { 'index.py': code.replace('WHAT', 'time.sleep(60)') }, { initializer });
      const late = await plane.fail('initializes');
      assert.equal(late.errorType, 'InitializationError');
      assert.match(late.body.toString(), /initialization timed out after 1 seconds/);
    });

    test('a flood of output neither stops the request nor fills the memory', async () => {
      plane.publish(
        'flood',
        python('    for i in range(20000):\n        print("x" * 1000)\n    print("the end")\n    return "done"'),
      );
      const before = plane.lines.length;
      const outcome = await plane.succeed('flood', '', { tail: true });
      assert.equal(outcome.body.toString(), 'done');
      assert.equal(outcome.logTail?.length, 4096);
      assert.match(outcome.logTail?.toString() ?? '', /the end\nFC Invoke End RequestId: request-\w+\n$/);
      const kept = plane.lines.slice(before).reduce((sum, line) => sum + line.text.length, 0);
      assert.ok(kept < 2 * 1024 * 1024, `${kept} bytes were forwarded`);
    });

    test('100 tails hold the last line, and only their own request', async () => {
      plane.publish('prints', python('    print("last line of " + event.decode())\n    return event'));
      for (let index = 0; index < 100; index += 1) {
        const requestId = `request-${index}-x`;
        const { logTail } = await plane.succeed('prints', `call ${index}`, { tail: true, requestId });
        assert.equal(
          logTail?.toString(),
          `FC Invoke Start RequestId: ${requestId}\nlast line of call ${index}\nFC Invoke End RequestId: ${requestId}\n`,
        );
      }
    });

    test('a caller that leaves ends its instance and is answered ClientClosedRequest', async () => {
      plane.publish('left', python('    if event == b"hang":\n        time.sleep(60)\n    return event'));
      const warm = await plane.succeed('left', 'x');
      const controller = new AbortController();
      const pending = plane.invoke('left', 'hang', { signal: controller.signal });
      setImmediate(() => controller.abort());
      const outcome = await pending;
      assert.equal(outcome.kind === 'refused' && outcome.code, 'ClientClosedRequest', describe(outcome));
      assert.notEqual((await plane.succeed('left', 'y')).instanceId, warm.instanceId);
    });

    test('a second connection to the socket is refused and reported, whatever token it says', async () => {
      const connecting = `
    import glob, json, socket, struct
    path = [p for p in ['/run/yunmen/f.sock'] + glob.glob('${plane.runDir}/i/' + os.environ['FC_INSTANCE_ID'] + '/f.sock') if os.path.exists(p)][0]
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    head = json.dumps({'token': 'f' * 64, 'protocol': 1, 'language': 'python', 'version': '3', 'pid': 1}).encode()
    try:
        s.sendall(struct.pack('>IBBHI', 8 + len(head), 1, 0, len(head), 0) + head)
        return repr(s.recv(10))
    except (BrokenPipeError, ConnectionResetError):
        return repr(b'')`;
      plane.publish('intruder', python(connecting));
      assert.equal((await plane.succeed('intruder')).body.toString(), "b''");
      assert.ok(
        plane.reports.some((text) => text.includes('a second connection was closed')),
        plane.reports.join('\n'),
      );
      assert.equal((await plane.succeed('intruder')).body.toString(), "b''", 'the instance goes on');
    });

    test('after a change no call runs the old code', async () => {
      for (let version = 1; version <= 5; version += 1) {
        plane.publish('changing', { 'index.py': `def handler(event, context):\n    return "version ${version}"\n` });
        const bodies = await Promise.all([1, 2, 3].map(async () => (await plane.succeed('changing')).body.toString()));
        assert.deepEqual(bodies, Array(3).fill(`version ${version}`));
      }
    });

    test('30 calls at once are all answered, each with its own', async () => {
      plane.publish('together', python('    time.sleep(0.05)\n    return event'));
      const calls = Array.from({ length: 30 }, (_, index) => plane.succeed('together', `call ${index}`));
      const bodies = (await Promise.all(calls)).map(({ body }) => body.toString());
      assert.deepEqual(
        bodies,
        Array.from({ length: 30 }, (_, index) => `call ${index}`),
      );
    });

    test('a function that crashes at start answers each caller once and is not started without end', async () => {
      plane.publish('looping', { 'index.py': 'import os\nos._exit(3)\n' });
      const outcomes = await Promise.all(Array.from({ length: 6 }, () => plane.fail('looping')));
      const started = new Set(outcomes.map(({ instanceId }) => instanceId)).size;
      assert.ok(started >= 5 && started <= 6, `${started} were started`);
      for (const { body } of outcomes) assert.match(body.toString(), /Process exited unexpectedly/);
    });

    test('a runtime that nothing here can run is refused by name', async () => {
      plane.publish('dotnet', {}, { runtime: 'dotnetcore3.1' });
      const outcome = await plane.invoke('dotnet');
      assert.ok(outcome.kind === 'refused' && outcome.code === 'InvalidArgument', describe(outcome));
      assert.match(outcome.message, /dotnetcore3\.1/);
    });

    test('an older runtime runs on the nearest newer interpreter, which the answer says', async () => {
      plane.publish('old', echoNode, { runtime: 'nodejs4.4' });
      const { runtimeNote } = await plane.succeed('old');
      assert.match(runtimeNote ?? '', /^nodejs4\.4 ran on Node \d+/);
    });

    test('a result over the limit is an error of the function', async () => {
      const small = await openFixture(tier, { invocationBytes: 100_000 });
      try {
        small.publish('large', python('    return "x" * int(event)'));
        assert.equal((await small.succeed('large', '100000')).body.length, 100_000);
        for (const size of ['100001', '10000000']) {
          assert.match(
            (await small.fail('large', size)).body.toString(),
            /exceeds maximum allowed size \(100000 bytes\)/,
          );
        }
        const outcome = await small.invoke('large', Buffer.alloc(100_001));
        assert.equal(outcome.kind === 'refused' && outcome.code, 'EntityTooLarge');
      } finally {
        await small.close();
      }
    });

    test('a function, and all functions together, at their limit of instances are refused with ResourceExhausted; others are served', async () => {
      const tight = await openFixture(tier, { instancesPerFunction: 2, instancesInAll: 3 });
      try {
        const waits = python('    while not os.path.exists("go"): time.sleep(0.02)\n    return event');
        const full = tight.publish('full', waits);
        const slow = tight.publish('slow', waits);
        tight.publish('other', echoPython);
        const running = [tight.succeed('full', 'a'), tight.succeed('full', 'b')];
        await tight.succeed('other');
        const outcome = await tight.invoke('full', 'c');
        assert.equal(outcome.kind === 'refused' && outcome.code, 'ResourceExhausted', describe(outcome));
        running.push(tight.succeed('slow', 'd'));
        await waitUntil(() => tight.functions.stats().instances.busy === 3);
        const beyond = await tight.invoke('other', 'e');
        assert.ok(beyond.kind === 'refused' && beyond.code === 'ResourceExhausted', describe(beyond));
        assert.equal(beyond.message, '3 requests are under way, the limit is 3 instances');
        for (const { code } of [full, slow]) writeFileSync(join(code.directory, 'go'), '');
        await Promise.all(running);
        // Both places of `full` are idle now: a fourth instance takes the place of the one idle longest.
        tight.publish('third', echoPython);
        await Promise.all([tight.succeed('other', 'x'), tight.succeed('third', 'y')]);
      } finally {
        await tight.close();
      }
    });

    test('an instance that is not used ends', async () => {
      const brief = await openFixture(tier, { idleMs: 50, spareMemoryMb: 0 });
      try {
        brief.publish('idle', echoPython);
        await brief.succeed('idle', 'x');
        await waitUntil(() => brief.functions.stats().pools === 0);
        assert.deepEqual(readdirSync(`${brief.runDir}/i`), []);
        assert.ok((await brief.succeed('idle', 'y')).coldStart !== null);
      } finally {
        await brief.close();
      }
    });

    for (const when of ['close', 'kill -9 of the launcher'] as const) {
      test(`after ${when} no process of an instance is left, daemons included`, async () => {
        const ending = await openFixture(tier);
        const mark = `FC_TEST_${Math.random()}`;
        try {
          const daemon = `
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    return os.environ['FC_INSTANCE_ID']`;
          ending.publish('daemon', python(daemon), { environment: { MARK: mark } });
          await ending.succeed('daemon');
          // Its parent may still be on its way out: the daemon is what init has taken over.
          await waitUntil(() => marked(mark).length === 2);
        } finally {
          if (when === 'close') await ending.close();
          else {
            process.kill(ending.launcherPid, 'SIGKILL');
            await endInstances(ending.runDir);
            await ending.abandon();
          }
        }
        await waitUntil(() => marked(mark).length === 0);
      });
    }

    test('a request that ignores SIGTERM is gone after the grace', async () => {
      const mark = `FC_TEST_${Math.random()}`;
      plane.publish(
        'stubborn',
        python('    import signal\n    signal.signal(15, signal.SIG_IGN)\n    while True: time.sleep(1)'),
        {
          timeoutMs: 1000,
          environment: { MARK: mark },
        },
      );
      await plane.fail('stubborn');
      assert.equal(marked(mark).length, 1, 'it is there while the grace lasts');
      await waitUntil(() => marked(mark).length === 0);
    });

    test('layers are seen by Python and Node where the cloud shows them, and cannot be changed', async () => {
      // Beside the code, where directories may be shown.
      const layersDirectory = mkdtempSync(`${dirname(plane.publish('any', echoPython).code.directory)}/layers-`);
      chmodSync(layersDirectory, 0o755);
      const put = (path: string, text: string) => {
        mkdirSync(dirname(`${layersDirectory}/${path}`), { recursive: true });
        writeFileSync(`${layersDirectory}/${path}`, text);
      };
      put('python/pylayer.py', "WORD = 'from python'\n");
      put('nodejs/node_modules/jslayer.js', "module.exports = 'from node';\n");
      put('bin/tool', '#!/bin/sh\necho from bin\n');
      chmodSync(`${layersDirectory}/bin/tool`, 0o755);
      const reading = `
    import pylayer, subprocess
    place = os.path.dirname(os.path.dirname(pylayer.__file__))
    try:
        open(place + '/python/new', 'w')
        written = 'written'
    except OSError:
        written = 'refused'
    return ','.join([pylayer.WORD, subprocess.check_output(['tool']).decode().strip(), place, written])`;
      plane.publish('python-layers', python(reading), { layersDirectory });
      const source = { 'index.js': "exports.handler = (e, c, callback) => callback(null, require('jslayer'));\n" };
      plane.publish('node-layers', source, { runtime: 'nodejs16', layersDirectory });
      const isolated = 'from python,from bin,/opt,refused';
      const seen = (await plane.succeed('python-layers')).body.toString();
      // Without a root of its own an instance has the real path, and nothing but file modes keeps it from writing.
      if (tier === 'none') assert.ok(seen.startsWith(`from python,from bin,${layersDirectory},`), seen);
      else assert.equal(seen, isolated);
      assert.equal((await plane.succeed('node-layers')).body.toString(), 'from node');
      rmSync(layersDirectory, { recursive: true });
    });

    test('what a request leaves running does not outlive its instance', async () => {
      const mark = `FC_TEST_${Math.random()}`;
      const leaving = `
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
        os._exit(0)
    os._exit(1)`;
      plane.publish('leaving', python(leaving), { environment: { MARK: mark } });
      await plane.fail('leaving');
      await waitUntil(() => marked(mark).length === 0);
    });
  });
}

/** Processes that have `mark` in their environment. */
function marked(mark: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/environ`).includes(mark);
    } catch {
      return false; // it has ended
    }
  });
}

async function waitUntil(isTrue: () => boolean): Promise<void> {
  const until = Date.now() + 10_000;
  while (!isTrue()) {
    assert.ok(Date.now() < until, 'it did not come true within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
