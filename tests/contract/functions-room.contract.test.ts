// What happens to calls when the host has no memory left for instances, on a real launcher.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describe, type Fixture, openFixture } from './functions-fixture.ts';

const memory = {
  message: null as string | null,
  lack: () => memory.message,
  changed() {},
};
const echo = { 'index.js': 'exports.handler = (event, context, callback) => callback(null, event);\n' };
let plane: Fixture;
before(async () => {
  plane = await openFixture('none', { idleMs: 60_000 }, { memory });
});
after(async () => {
  await plane.close();
});

test('a call that finds no memory is refused by name; idle instances of others end for it first', async () => {
  plane.publish('first', echo, { runtime: 'nodejs16' });
  plane.publish('second', echo, { runtime: 'nodejs16' });
  await plane.succeed('first', 'x');
  memory.message = 'the host has no memory for another instance';
  const warm = await plane.succeed('first', 'x');
  assert.equal(warm.coldStart, null, 'what runs goes on');
  const refused = await plane.invoke('second', 'x');
  assert.ok(refused.kind === 'refused', describe(refused));
  assert.deepEqual([refused.code, refused.message], ['ResourceThrottled', memory.message]);
  const { idle, frozen } = plane.functions.stats().instances;
  assert.equal(idle + frozen, 0, 'the idle instance was ended');
  memory.message = null;
  await plane.succeed('second', 'x');
});
