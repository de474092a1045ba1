// Requests that are sent ahead to busy instances, on a real launcher and in a process that has no time left: whatever becomes of
// those before them, each request is begun once, and what it printed is its own.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { FunctionConfig } from '../../src/model/function.ts';
import { describe, openFixture } from './functions-fixture.ts';

/** Notes its id in a file before anything else. */
const python = `import json, os, sys, time
def handler(event, context):
    given = json.loads(event.decode())
    file = os.open(given['file'], os.O_WRONLY | os.O_APPEND)
    os.write(file, (given['id'] + '\\n').encode())
    os.close(file)
    if given['kind'] == 'slow': time.sleep(0.04)
    if given['kind'] == 'exit': os._exit(3)
    if given['kind'] in ('print', 'throw'): print('line of ' + given['id'])
    if given['kind'] == 'throw': raise ValueError(given['id'])
    return given['id']
`;
const node = `const fs = require('fs');
exports.handler = (event, context, callback) => {
  const given = JSON.parse(event);
  fs.appendFileSync(given.file, given.id + '\\n');
  if (given.kind === 'exit') process.exit(3);
  if (given.kind === 'print' || given.kind === 'throw') console.log('line of ' + given.id);
  if (given.kind === 'throw') throw new Error(given.id);
  setTimeout(() => callback(null, given.id), given.kind === 'slow' ? 40 : 0);
};
`;

const total = 3_000;
const callers = 48;

/** One in so many is of this kind. */
const kinds = [
  ['exit', 401],
  ['throw', 61],
  ['slow', 97],
  ['gone', 43],
  ['print', 17],
] as const;
const kindOf = (at: number) => kinds.find(([, every]) => at % every === every - 1)?.[0] ?? 'plain';

/** Leaves this process no time, as many connections do. */
function keepBusy(): () => void {
  let isOver = false;
  const spin = () => {
    for (const until = performance.now() + 0.4; performance.now() < until; );
    if (!isOver) setImmediate(spin);
  };
  spin();
  return () => {
    isOver = true;
  };
}

/** How many instances were told of recalls, and whether any was sent anything ahead. */
function recallsIn(runDir: string): { hasAny: boolean; recalled: number } {
  const found = readdirSync(`${runDir}/i`).flatMap((instance) => {
    try {
      return [readFileSync(`${runDir}/i/${instance}/r`).readUInt32BE(0)];
    } catch {
      return []; // it has none, or has gone
    }
  });
  return { hasAny: found.length > 0, recalled: found.filter((stream) => stream > 0).length };
}

const languages: readonly (readonly [string, Partial<FunctionConfig>, Record<string, string>])[] = [
  ['Python', { runtime: 'python3.10' }, { 'index.py': python }],
  ['Node', { runtime: 'nodejs20' }, { 'index.js': node }],
];

for (const [language, config, code] of languages) {
  test(`${language}: requests that are sent ahead are begun once, whatever becomes of those before them`, async () => {
    const plane = await openFixture('none', { idleMs: 60_000, processors: 2 });
    const file = `${plane.runDir}-began`;
    const stop = keepBusy();
    writeFileSync(file, '');
    try {
      plane.publish('steps', code, { timeoutMs: 20_000, ...config });
      let hasAny = false;
      let recalled = 0;
      let next = 0;
      const failures: string[] = [];
      const call = async (at: number) => {
        const kind = kindOf(at);
        const id = `id-${at}`;
        const signal = new AbortController();
        const leaving = kind === 'gone' ? delay(at % 4).then(() => signal.abort()) : null;
        const event = JSON.stringify({ id, kind, file });
        const outcome = await plane.invoke('steps', event, { requestId: id, signal: signal.signal });
        await leaving;
        const isError = outcome.kind === 'function-error';
        if (kind === 'gone' && outcome.kind === 'refused' && outcome.code === 'ClientClosedRequest') return;
        if (kind === 'exit' && isError) return;
        if (kind === 'throw' && isError) {
          const tail = String(outcome.logTail);
          const ids = new Set([...tail.matchAll(/id-\d+/g)].map(([found]) => found));
          if (
            tail.startsWith(`FC Invoke Start RequestId: ${id}\n`) &&
            tail.includes(`line of ${id}\n`) &&
            ids.size === 1
          )
            return;
          failures.push(`the tail of ${id}: ${tail}`);
        } else if (outcome.kind !== 'success' || String(outcome.body) !== id) {
          failures.push(`${kind} ${id}: ${describe(outcome)}`);
        }
      };
      const caller = async () => {
        for (let at = next++; at < total; at = next++) {
          await call(at);
          if (at % 20 !== 0) continue;
          const seen = recallsIn(plane.runDir);
          hasAny ||= seen.hasAny;
          recalled = Math.max(recalled, seen.recalled);
        }
      };
      await Promise.all(Array.from({ length: callers }, caller));
      assert.deepEqual(failures, []);
      const began = readFileSync(file, 'utf8').split('\n').slice(0, -1);
      assert.equal(new Set(began).size, began.length, 'one was begun twice');
      const missing = Array.from({ length: total }, (_, at) => at).filter((at) => !began.includes(`id-${at}`));
      assert.deepEqual(
        missing.filter((at) => kindOf(at) !== 'gone'),
        [],
      );
      const strayed = plane.lines.filter(
        ({ requestId, text }) => /^line of/.test(text) && text !== `line of ${requestId}`,
      );
      assert.deepEqual(strayed, []);
      assert.ok(hasAny, 'none was sent ahead');
      assert.ok(recalled > 0, 'none was recalled');
    } finally {
      stop();
      await plane.close();
    }
  });
}
