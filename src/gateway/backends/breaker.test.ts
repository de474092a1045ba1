// The default breaker against a clock that stands still.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../errors.ts';
import { FakeClock } from '../testing.ts';
import { Breakers, defaultBreakerRule } from './breaker.ts';

function admitted(breakers: Breakers, key = 'a/RELEASE'): string {
  try {
    breakers.admit(key, 'api');
    return 'admitted';
  } catch (error) {
    return error instanceof Refusal ? error.code : 'bug';
  }
}

function tripped(): { clock: FakeClock; breakers: Breakers } {
  const clock = new FakeClock();
  const breakers = new Breakers(clock);
  for (let count = 0; count < defaultBreakerRule.timeouts; count++) breakers.timedOut('a/RELEASE');
  return { clock, breakers };
}

test('opens at 1,000 time-outs in 30 s for 90 s, for that API alone', () => {
  const { clock, breakers } = tripped();
  assert.equal(admitted(breakers), 'D503CB');
  assert.equal(admitted(breakers, 'b/RELEASE'), 'admitted');
  clock.advance(89_999);
  assert.equal(admitted(breakers), 'D503CB');
  clock.advance(1);
  assert.equal(admitted(breakers), 'admitted');
});

test('stays closed below that number, or over a longer time', () => {
  const clock = new FakeClock();
  const breakers = new Breakers(clock);
  for (let count = 0; count < 999; count++) breakers.timedOut('a/RELEASE');
  assert.equal(admitted(breakers), 'admitted');
  clock.advance(30_001);
  breakers.timedOut('a/RELEASE');
  assert.equal(admitted(breakers), 'admitted');
});

test('one call probes and others are busy until it is answered', () => {
  const { clock, breakers } = tripped();
  clock.advance(90_000);
  assert.equal(admitted(breakers), 'admitted');
  assert.equal(admitted(breakers), 'D503BB');
  breakers.answered('a/RELEASE');
  assert.equal(admitted(breakers), 'admitted');
  assert.equal(admitted(breakers), 'admitted');
});

test('a probe that times out opens it again, and one that tells nothing leaves the next to probe', () => {
  const { clock, breakers } = tripped();
  clock.advance(90_000);
  assert.equal(admitted(breakers), 'admitted');
  breakers.timedOut('a/RELEASE');
  assert.equal(admitted(breakers), 'D503CB');
  clock.advance(90_000);
  assert.equal(admitted(breakers), 'admitted');
  breakers.unsettled('a/RELEASE');
  assert.equal(admitted(breakers), 'admitted');
  assert.equal(admitted(breakers), 'D503BB');
});

test('several data processes count the time-outs together, and close together when one finds the backend well', () => {
  const clock = new FakeClock();
  const all: Breakers[] = [];
  for (let at = 0; at < 2; at++) {
    all.push(
      new Breakers(clock, defaultBreakerRule, (event) => {
        for (const [other, breakers] of all.entries()) if (other !== at) breakers.hear(event);
      }),
    );
  }
  const [one, other] = all;
  assert.ok(one !== undefined && other !== undefined);
  for (let count = 0; count < defaultBreakerRule.timeouts; count++) (count % 2 ? one : other).timedOut('a/RELEASE');
  assert.deepEqual([admitted(one), admitted(other)], ['D503CB', 'D503CB']);
  clock.advance(90_000);
  assert.deepEqual([admitted(one), admitted(other)], ['admitted', 'admitted']);
  one.timedOut('a/RELEASE');
  assert.deepEqual([admitted(one), admitted(other)], ['D503CB', 'D503CB']);
  clock.advance(90_000);
  assert.deepEqual([admitted(one), admitted(other)], ['admitted', 'admitted']);
  other.answered('a/RELEASE');
  assert.deepEqual([admitted(one), admitted(one), admitted(other)], ['admitted', 'admitted', 'admitted']);
});
