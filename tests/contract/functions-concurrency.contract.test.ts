// Several requests in one instance at a time, on a real launcher: a server of the user's that lets requests wait for each other.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { randomHex } from '../../src/base/ids.ts';
import type { FunctionConfig } from '../../src/model/function.ts';
import type { InvocationOutcome } from '../../src/model/invocation.ts';
import { describe, type Fixture, openFixture } from './functions-fixture.ts';
import { javaFunction, noJava } from './java-function.ts';

/** `meet 3` is answered when three of them are there at once, `until <path>` when there is such a file, `hang` never. */
const server = `#!/usr/bin/env python3
import os, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
barriers, lock = {}, threading.Lock()
class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *_): pass
    def do_POST(self):
        event = self.rfile.read(int(self.headers.get('Content-Length') or 0)).decode()
        request_id = self.headers.get('x-fc-request-id')
        print('FC Invoke Start RequestId: ' + request_id, flush=True)
        if event.startswith('meet'):
            with lock:
                barrier = barriers.setdefault(event, threading.Barrier(int(event.split()[1])))
            barrier.wait(30)
        while event.startswith('until') and not os.path.exists(event.split()[1]):
            time.sleep(0.01)
        if event == 'hang':
            time.sleep(60)
        print('FC Invoke End RequestId: ' + request_id, flush=True)
        body = event.encode()
        self.send_response_only(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = ThreadingHTTPServer(('0.0.0.0', int(os.environ['FC_SERVER_PORT'])), Handler)
server.daemon_threads = True
server.serve_forever()
`;
const custom = (more: Partial<FunctionConfig> = {}): Partial<FunctionConfig> => ({
  runtime: 'custom.debian10',
  server: { command: [], args: [], port: 9000, healthCheck: null, image: null },
  instanceConcurrency: 3,
  ...more,
});

const directory = mkdtempSync('/tmp/yunmen-concurrency-');
let plane: Fixture;
before(async () => {
  plane = await openFixture('none', { idleMs: 60_000 });
});
after(async () => {
  await plane.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Of a file that is not there yet. */
const freshPath = () => `${directory}/${randomHex(8)}`;

const publish = (name: string, more: Partial<FunctionConfig> = {}) =>
  plane.publish(name, { bootstrap: server }, custom(more));

function instanceOf(outcome: InvocationOutcome): string {
  assert.equal(outcome.kind, 'success', describe(outcome));
  return outcome.kind === 'success' ? outcome.instanceId : '';
}

async function waitUntil(isTrue: () => boolean): Promise<void> {
  const until = Date.now() + 20_000;
  while (!isTrue()) {
    assert.ok(Date.now() < until, 'it did not come true within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('as many requests as are allowed meet in one instance, and more of them in further ones', async () => {
  publish('meeting');
  const three = await Promise.all([1, 2, 3].map(() => plane.invoke('meeting', 'meet 3')));
  const [only, ...others] = new Set(three.map(instanceOf));
  assert.deepEqual(others, []);
  const path = freshPath();
  const before = plane.functions.stats().instances.busy;
  const six = [1, 2, 3, 4, 5, 6].map(() => plane.invoke('meeting', `until ${path}`));
  await waitUntil(() => plane.functions.stats().instances.busy === before + 2);
  writeFileSync(path, '');
  const instances = (await Promise.all(six)).map(instanceOf);
  assert.equal(new Set(instances).size, 2);
  assert.equal(instances.filter((each) => each === only).length, 3);
});

test('each has its own part of the log', async () => {
  publish('logging');
  const outcomes = await Promise.all(
    ['first', 'second'].map((requestId) => plane.succeed('logging', 'meet 2', { requestId, tail: true })),
  );
  for (const [at, id] of ['first', 'second'].entries()) {
    const tail = outcomes[at]?.logTail?.toString() ?? '';
    assert.ok(tail.startsWith(`FC Invoke Start RequestId: ${id}\n`), tail);
    assert.ok(tail.endsWith(`FC Invoke End RequestId: ${id}\n`), tail);
  }
});

test('from the soft limit on a further instance is started before it is needed', async () => {
  publish('soft', { softConcurrency: 1 });
  const before = plane.functions.stats().instances.idle;
  const both = [plane.invoke('soft', 'meet 2'), plane.invoke('soft', 'meet 2')];
  await Promise.all(both);
  await waitUntil(() => plane.functions.stats().instances.idle >= before + 2);
});

test('a caller that leaves takes nothing from the others', async () => {
  publish('left');
  const leaving = new AbortController();
  const gone = plane.invoke('left', 'hang', { signal: leaving.signal });
  const [first] = await Promise.all([1, 2].map(() => plane.succeed('left', 'meet 2')));
  leaving.abort();
  const refused = await gone;
  assert.ok(refused.kind === 'refused' && refused.code === 'ClientClosedRequest');
  const next = await Promise.all([1, 2, 3].map(() => plane.succeed('left', 'meet 3')));
  assert.deepEqual([...new Set(next.map(({ instanceId }) => instanceId))], [first?.instanceId]);
});

test('a request that takes too long fails alone; its instance takes no more and ends with its last', async () => {
  publish('late', { timeoutMs: 1500 });
  const hanging = plane.fail('late', 'hang');
  const beside = await plane.succeed('late', 'at once');
  const late = await hanging;
  assert.match(late.body.toString(), /timed out after 1.5 seconds/);
  assert.equal(late.instanceId, beside.instanceId);
  const next = await plane.succeed('late', 'at once');
  assert.notEqual(next.instanceId, beside.instanceId);
});

test('a built-in runtime of FC 3 serves one request at a time, whatever is asked for', async () => {
  const source = `const fs = require('fs');
exports.handler = (event, context, callback) => {
  const timer = setInterval(() => { if (fs.existsSync(event.toString())) { clearInterval(timer); callback(null, 'x'); } }, 5);
};`;
  plane.publish('single', { 'index.js': source }, { runtime: 'nodejs16', instanceConcurrency: 5 });
  const path = freshPath();
  const before = plane.functions.stats().instances.busy;
  const both = [1, 2].map(() => plane.succeed('single', path));
  await waitUntil(() => plane.functions.stats().instances.busy === before + 2);
  writeFileSync(path, '');
  const instances = (await Promise.all(both)).map(({ instanceId }) => instanceId);
  assert.equal(new Set(instances).size, 2);
});

/** Requests that wait in one process until three of them are there. */
const meetingNode = `const waiting = [];
exports.handler = (event, context, callback) => {
  waiting.push(callback);
  console.log('of ' + event);
  if (waiting.length === 3) for (const done of waiting.splice(0)) done(null, String(process.pid));
};`;

test('requests of a Node function of FC 2 meet in one process, each with its own log', async () => {
  const config = { runtime: 'nodejs16', serviceName: 's', instanceConcurrency: 10 };
  plane.publish('node', { 'index.js': meetingNode }, config);
  const outcomes = await Promise.all(
    ['a', 'b', 'c'].map((id) => plane.succeed('node', id, { requestId: `request-${id}`, tail: true })),
  );
  assert.equal(new Set(outcomes.map(({ body }) => body.toString())).size, 1);
  for (const [at, id] of ['a', 'b', 'c'].entries()) {
    const tail = outcomes[at]?.logTail?.toString() ?? '';
    assert.match(
      tail,
      new RegExp(`^FC Invoke Start RequestId: request-${id}\n[^]*request-${id} \\[[a-z]+\\] of ${id}\n`),
    );
    const line = plane.lines.find(({ text }) => text.endsWith(`of ${id}`));
    assert.equal(line?.requestId, `request-${id}`);
  }
});

const meetingPython = `import os, threading
barrier = threading.Barrier(3)
def handler(event, context):
    context.logger.info('of ' + event.decode())
    barrier.wait(30)
    return str(os.getpid())
`;

test('requests of a Python function of FC 2 meet in one process, each on its thread', async () => {
  plane.publish('python', { 'index.py': meetingPython }, { serviceName: 's', instanceConcurrency: 10 });
  const outcomes = await Promise.all(
    ['a', 'b', 'c'].map((id) => plane.succeed('python', id, { requestId: `request-${id}`, tail: true })),
  );
  assert.equal(new Set(outcomes.map(({ body }) => body.toString())).size, 1);
  for (const [at, id] of ['a', 'b', 'c'].entries()) {
    assert.match(outcomes[at]?.logTail?.toString() ?? '', new RegExp(`request-${id} \\[INFO\\] of ${id}\n`));
  }
});

test('requests of a Java function of FC 2 meet in one process, each on its thread', { skip: noJava }, async () => {
  const config = { runtime: 'java11', handler: 'example.Meets::handleRequest', timeoutMs: 20_000 };
  plane.publish('java', await javaFunction(), { ...config, serviceName: 's', instanceConcurrency: 10 });
  const outcomes = await Promise.all(['a', 'b'].map((id) => plane.succeed('java', id)));
  assert.equal(new Set(outcomes.map(({ instanceId }) => instanceId)).size, 1);
  assert.deepEqual(
    outcomes.map(({ body }) => [body[0], body.length]),
    [
      [97, 1024 * 1024],
      [98, 1024 * 1024],
    ],
  );
});

test('a process that ends takes all its requests with it, and the next gets another', async () => {
  const source = `const waiting = [];
exports.handler = (event, context, callback) => {
  if (event.toString() === 'at once') callback(null, 'x');
  else if (event.toString() === 'exit') { for (const done of waiting) done(null, 'just in time'); process.exit(3); }
  else waiting.push(callback);
};`;
  plane.publish('exiting', { 'index.js': source }, { runtime: 'nodejs16', serviceName: 's', instanceConcurrency: 5 });
  await plane.succeed('exiting', 'at once');
  const both = [plane.invoke('exiting', 'wait', { tail: true }), plane.invoke('exiting', 'wait')];
  const exit = await plane.fail('exiting', 'exit');
  assert.match(exit.body.toString(), /Process exited unexpectedly/);
  for (const outcome of await Promise.all(both)) {
    assert.ok(outcome.kind === 'success' || outcome.kind === 'function-error', describe(outcome));
  }
  const next = await plane.succeed('exiting', 'at once');
  assert.notEqual(next.instanceId, exit.instanceId);
});
