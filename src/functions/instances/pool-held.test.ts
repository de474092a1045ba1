// Instances in which somebody works by hand: awake and there until all have let go, and served by as ever.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fake, setUp } from './fake-pool.ts';

const kindOf = ({ state }: Fake) => state.kind;

function oneIdle(changes: Parameters<typeof setUp>[0] = {}) {
  const made = setUp({ freezeMs: 1_000, ...changes });
  made.wait();
  const [only] = made.made;
  assert.ok(only);
  only.ready();
  made.pool.putBack(only, 5);
  return { ...made, only };
}

test('an instance in which somebody works is woken, not frozen and not ended; then it is as if just used', () => {
  const { pool, clock, only } = oneIdle();
  clock.advance(5_000);
  assert.equal(kindOf(only), 'frozen');
  const letGo = pool.hold(only);
  assert.equal(kindOf(only), 'idle', 'it is woken');
  clock.advance(3_600_000);
  pool.endIdleSince(clock.monotonic());
  assert.equal(pool.oldestIdleSince, null, 'nobody makes room by it');
  pool.endOldestIdle();
  assert.equal(kindOf(only), 'idle');
  letGo();
  assert.equal(pool.oldestIdleSince, clock.monotonic());
  clock.advance(999);
  assert.equal(kindOf(only), 'idle');
  clock.advance(1);
  assert.equal(kindOf(only), 'frozen');
  pool.endIdleSince(clock.monotonic());
  assert.equal(kindOf(only), 'stopping');
});

test('it serves requests meanwhile, and what is deployed anew ends it all the same', () => {
  const { pool, only } = oneIdle();
  pool.hold(only);
  assert.equal(pool.take(), only);
  pool.putBack(only, 5);
  assert.equal(pool.take(), only);
  pool.putBack(only, 5);
  pool.retire('replaced');
  assert.equal(kindOf(only), 'stopping');
});

test('an instance that is held while its hook before a freeze runs stays awake', async () => {
  const preFreeze = { handler: 'index.pre_freeze', timeoutMs: 1_000 };
  const { pool, clock, made, wait } = setUp({ freezeMs: 1_000 }, { preFreeze });
  wait();
  const [only] = made;
  assert.ok(only);
  only.ready();
  pool.putBack(only, 5);
  clock.advance(1_000);
  assert.equal(kindOf(only), 'freezing');
  pool.hold(only);
  only.hook.resolve(true);
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.equal(kindOf(only), 'idle');
  assert.equal(pool.take(), only);
});
