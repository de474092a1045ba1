// Requests that are sent ahead, on every Python and Node found here: begun in order and one at a time, and not at all when they
// were recalled before.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import type { BootstrapHost } from './bootstrap-host.ts';
import { type Interpreter, interpretersOf } from './bootstrap-interpreters.ts';
import { using } from './bootstrap-suite.ts';

/** Answers the ids of all requests that it began, or so many bytes, after some time. */
const python = `import json, time
began = []
def handler(event, context):
    given = json.loads(event.decode())
    began.append(given['id'])
    time.sleep(given.get('ms', 0) / 1000.0)
    return 'm' * given['bytes'] if 'bytes' in given else ' '.join(began)
`;
const node = `const began = [];
let running = 0;
exports.handler = (event, context, callback) => {
  const given = JSON.parse(event);
  running += 1;
  began.push(running > 1 ? 'overlap' : given.id);
  setTimeout(() => {
    running -= 1;
    callback(null, given.bytes ? 'm'.repeat(given.bytes) : began.join(' '));
  }, given.ms || 0);
};
`;
const directory = mkdtempSync('/tmp/yunmen-ahead-');
writeFileSync(`${directory}/index.py`, python);
writeFileSync(`${directory}/index.js`, node);
after(() => rmSync(directory, { recursive: true, force: true }));

const request = (id: string, more: { ms?: number; bytes?: number } = {}) => JSON.stringify({ id, ...more });

/** Loads the function, then uses the host. */
function loaded(interpreter: Interpreter, use: (host: BootstrapHost) => Promise<void>): Promise<void> {
  return using(interpreter, async (host) => {
    const dialect = interpreter.language === 'node' ? 'nodejs12' : 'python3.10';
    assert.equal((await host.load('index.handler', dialect, directory))?.kind, 'end');
    await use(host);
  });
}

function suite(interpreter: Interpreter): void {
  it('begins them in order, one at a time, as many as it says that it keeps', () =>
    loaded(interpreter, async (host) => {
      host.recall(0);
      const ids = Array.from({ length: 1 + (host.hello.ahead ?? 0) }, (_, at) => `r${at}`);
      assert.equal(ids.length, 17);
      const results = await host.invokeAhead(ids.map((id, at) => request(id, at === 0 ? { ms: 100 } : {})));
      assert.deepEqual(
        results,
        ids.map((_, at) => [at, ids.slice(0, at + 1).join(' ')]),
      );
    }));

  it('does not begin what is recalled while another runs, and begins what comes later', () =>
    loaded(interpreter, async (host) => {
      host.recall(0);
      const slow = [request('slow', { ms: 300 }), request('a'), request('b'), request('c')];
      assert.deepEqual(await host.invokeAhead(slow, (last) => host.recall(last)), [
        [0, 'slow'],
        [1, null],
        [2, null],
        [3, null],
      ]);
      assert.deepEqual(await host.invokeAhead([request('d', { ms: 50 }), request('e')]), [
        [0, 'slow d'],
        [1, 'slow d e'],
      ]);
    }));

  it('recalls a part of them', () =>
    loaded(interpreter, async (host) => {
      host.recall(0);
      const events = [request('slow', { ms: 300 }), request('a'), request('b'), request('c')];
      assert.deepEqual(await host.invokeAhead(events, (last) => host.recall(last - 1)), [
        [0, 'slow'],
        [1, null],
        [2, null],
        [3, 'slow c'],
      ]);
    }));

  it('begins none of them when it cannot find out what is recalled', () =>
    loaded(interpreter, async (host) => {
      assert.deepEqual(await host.invokeAhead([request('a', { ms: 50 }), request('b')]), [
        [0, 'a'],
        [1, null],
      ]);
    }));

  it('sends a large result whole before it begins the next', () =>
    loaded(interpreter, async (host) => {
      host.recall(0);
      const size = 3_000_000;
      const events = [request('large', { bytes: size }), request('a'), request('large', { bytes: size }), request('b')];
      const results = await host.invokeAhead(events);
      assert.deepEqual(
        results.map(([at, result]) => [at, (result ?? '').length < 100 ? result : result?.length]),
        [
          [0, size],
          [1, 'large a'],
          [2, size],
          [3, 'large a large b'],
        ],
      );
    }));
}

for (const interpreter of [...interpretersOf('python'), ...interpretersOf('node')]) {
  describe(`${interpreter.language} ${interpreter.version}`, { concurrency: 4 }, () => {
    if (!interpreter.version.startsWith('2.')) suite(interpreter);
    else it('keeps none in Python 2', () => using(interpreter, async ({ hello }) => assert.equal(hello.ahead, 0)));
  });
}
