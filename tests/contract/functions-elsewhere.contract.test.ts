// What becomes of calls for which a compute plane may have no more instances, and what it tells others of its own room.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { InvocationOutcome } from '../../src/model/invocation.ts';
import { type Fixture, openFixture } from './functions-fixture.ts';

const directory = mkdtempSync('/tmp/yunmen-elsewhere-');
const holding = `import os, time
def handler(event, context):
    while not os.path.exists(event.decode()): time.sleep(0.01)
    return 'here'
`;
/** What another plane answers; null: it has no room either. */
let answer: InvocationOutcome | null = null;
const asked: string[] = [];
let plane: Fixture;

before(async () => {
  plane = await openFixture(
    'none',
    { instancesPerFunction: 7, among: { dataProcesses: 2, place: 0 }, instancesInAll: 6 },
    {
      elsewhere({ target }) {
        asked.push(target.functionName);
        return answer;
      },
    },
  );
});
after(async () => {
  await plane.close();
  rmSync(directory, { recursive: true, force: true });
});

const targetOf = (functionName: string) => ({ serviceName: null, functionName, qualifier: null });
const roomOf = (name: string, wanted = 100) => plane.functions.roomFor(targetOf(name), wanted);
const limit = (functionKey: string, maximum: number) =>
  plane.functions.limitChanged(`${functionKey}@`, { functionKey, qualifier: null, maximum });

test('a call beyond the limit goes elsewhere; only when nobody has room it is refused', async () => {
  plane.publish('limited', { 'index.py': holding });
  limit('limited', 1);
  const held = plane.invoke('limited', `${directory}/go`);
  while (plane.functions.stats().inFlight < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  answer = { kind: 'refused', code: 'FunctionNotStarted', message: 'as the other says' };
  assert.deepEqual(await plane.invoke('limited'), answer);
  assert.deepEqual(asked.splice(0), ['limited']);
  answer = null;
  assert.deepEqual(await plane.invoke('limited'), {
    kind: 'refused',
    code: 'ResourceExhausted',
    message: "function 'limited' has as many requests under way as it may have",
  });
  assert.deepEqual(asked.splice(0), ['limited']);
  const passed = { target: targetOf('limited'), requestId: 'r', event: Buffer.alloc(0), wantsLogTail: false };
  const here = await plane.functions.invokeHere(passed, new AbortController().signal);
  assert.equal(here.kind === 'refused' && here.code, 'ResourceExhausted');
  assert.deepEqual(asked, [], 'what was passed on goes no further');
  writeFileSync(`${directory}/go`, '');
  assert.equal((await held).kind, 'success');
  await plane.succeed('limited', `${directory}/go`);
  const unknown = await plane.invoke('unknown');
  assert.equal(unknown.kind === 'refused' && unknown.code, 'FunctionNotFound');
  assert.deepEqual(asked, [], 'nor does what finds room, or fails for another reason');
});

test('of the first calls of a function no more are admitted than of later ones', async () => {
  plane.publish('first', { 'index.py': holding });
  limit('first', 1);
  writeFileSync(`${directory}/first`, '');
  const outcomes = await Promise.all([1, 2].map(() => plane.invoke('first', `${directory}/first`)));
  assert.deepEqual(outcomes.map(({ kind }) => kind).toSorted(), ['refused', 'success']);
});

test('room is told by the limit, by the bound of a function and by that of all', async () => {
  plane.publish('roomy', { 'index.py': holding });
  plane.publish('sharing', { 'index.py': holding }, { instanceConcurrency: 10 });
  assert.equal(roomOf('unknown'), 0);
  const part = roomOf('roomy');
  assert.ok(part === 3 || part === 4, `its part of seven: ${part}`);
  assert.equal(roomOf('roomy', 2), 2);
  limit('roomy', 2);
  limit('sharing', 2);
  assert.deepEqual([roomOf('roomy'), roomOf('sharing')], [2, 20]);
  const held = [1, 2].map(() => plane.invoke('roomy', `${directory}/roomy`));
  while (plane.functions.stats().inFlight < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(roomOf('roomy'), 0);
  limit('roomy', 5);
  assert.equal(roomOf('roomy'), part - 2);
  writeFileSync(`${directory}/roomy`, '');
  await Promise.all(held);
  limit('roomy', 0);
  assert.equal(roomOf('roomy'), 0);
});
