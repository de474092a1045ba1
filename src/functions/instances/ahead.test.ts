import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ahead } from './ahead.ts';
import { Deadlines } from './deadlines.ts';
import { fakeClock } from './fake-clock.ts';
import { hold } from './hold.ts';

/** Turns that note what becomes of them; `read()` is when all that has come is read. */
function setUp() {
  const clock = fakeClock();
  const happened: string[] = [];
  const reads: (() => void)[] = [];
  const ahead = new Ahead({
    clock,
    deadlines: new Deadlines(clock),
    recall: () => happened.push('recall'),
    afterRead: (run) => reads.push(run),
  });
  const add = (name: string) =>
    ahead.add({
      begin: () => {
        happened.push(`${name} begins`);
        ahead.began(clock.monotonic());
      },
      recalled: () => happened.push(`${name} recalled`),
      giveUp: () => happened.push(`${name} given up`),
    });
  const read = () => {
    for (const run of reads.splice(0)) run();
  };
  const began = () => ahead.began(clock.monotonic());
  return { clock, ahead, happened, add, read, began };
}

test('turns begin in order, each when the one before has been answered', () => {
  const { ahead, happened, add, began } = setUp();
  began();
  add('a');
  add('b');
  ahead.advance();
  ahead.advance();
  ahead.advance();
  assert.deepEqual(happened, ['a begins', 'b begins']);
});

test('what is behind a turn that takes long is recalled, and nothing more is sent behind it', () => {
  const { clock, ahead, happened, add, read, began } = setUp();
  began();
  add('a');
  add('b');
  clock.advance(hold.stalledMs);
  assert.deepEqual(happened, [], 'its answer may lie there unread');
  read();
  assert.deepEqual(happened, ['recall']);
  assert.ok(!ahead.isOpen);
  read();
  assert.deepEqual(happened, ['recall', 'a recalled', 'b recalled']);
  assert.ok(!ahead.isOpen, 'the same would come of others');
  began();
  assert.ok(ahead.isOpen);
});

test('a turn whose answer was only unread is not taken for one that takes long', () => {
  const { clock, ahead, happened, add, read, began } = setUp();
  began();
  add('a');
  add('b');
  clock.advance(hold.stalledMs);
  ahead.advance();
  read();
  assert.deepEqual(happened, ['a begins']);
  clock.advance(hold.stalledMs);
  read();
  assert.deepEqual(happened, ['a begins', 'recall'], 'b waits behind a now');
});

test('a turn that begins while others are recalled is not recalled with them, but the instance may say that it did not begin it', () => {
  const { clock, ahead, happened, add, read, began } = setUp();
  began();
  add('a');
  add('b');
  clock.advance(hold.stalledMs);
  read();
  ahead.advance();
  read();
  assert.deepEqual(happened, ['recall', 'a begins', 'b recalled']);
  ahead.refused();
  began();
  assert.ok(ahead.isOpen);
});

test('what runs when others are recalled may not have begun either', () => {
  const { clock, ahead, add, read, began } = setUp();
  began();
  add('a');
  clock.advance(hold.stalledMs);
  read();
  read();
  ahead.refused();
  began();
  assert.ok(ahead.isOpen);
});

test('an instance that refuses what was not recalled gets nothing ahead any more', () => {
  const { ahead, add, began } = setUp();
  began();
  add('a');
  ahead.advance();
  ahead.refused();
  began();
  assert.ok(!ahead.isOpen);
});

test('who wants to know what has begun is told after the recall, or that nothing is behind', () => {
  const { ahead, happened, add, read, began } = setUp();
  began();
  assert.equal(ahead.recall(), false);
  add('a');
  assert.equal(
    ahead.recall(() => happened.push('known')),
    true,
  );
  assert.equal(
    ahead.recall(() => happened.push('known too')),
    true,
  );
  read();
  assert.deepEqual(happened, ['recall', 'a recalled', 'known', 'known too']);
});

test('where nobody knows what has begun all is given up, and after the end nothing happens', () => {
  const { clock, ahead, happened, add, read, began } = setUp();
  began();
  add('a');
  ahead.giveUp();
  add('b');
  ahead.close();
  clock.advance(1_000);
  read();
  assert.deepEqual(happened, ['a given up']);
  assert.ok(!ahead.isOpen);
});
