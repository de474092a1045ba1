import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartPace } from './start-pace.ts';

test('five deaths in a row change nothing; then each start is a longer pause away, up to ten seconds', () => {
  const pace = new StartPace();
  let now = 1_000;
  for (let death = 1; death <= 5; death += 1) pace.startFailed(now);
  assert.equal(pace.pausedUntil, 0);
  assert.equal(pace.isLooping, false);
  const pauses: number[] = [];
  for (let death = 6; death <= 14; death += 1) {
    pace.startFailed(now);
    pauses.push(pace.pausedUntil - now);
    now = pace.pausedUntil;
  }
  assert.deepEqual(pauses, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  assert.equal(pace.isLooping, true);
});

test('instances that die in their first request are started at most every tenth of a second', () => {
  const pace = new StartPace();
  let now = 0;
  const pauses: number[] = [];
  for (let death = 1; death <= 12; death += 1) {
    pace.started();
    pace.crashed(now);
    pauses.push(Math.max(0, pace.pausedUntil - now));
    now = Math.max(now, pace.pausedUntil);
  }
  assert.deepEqual(pauses, [0, 0, 0, 0, 0, 10, 20, 40, 80, 100, 100, 100]);
});

test('one request served well ends the pause; a start alone does not make up for crashes', () => {
  const pace = new StartPace();
  for (let death = 0; death < 8; death += 1) pace.crashed(0);
  pace.started();
  assert.equal(pace.isLooping, true);
  pace.served();
  assert.equal(pace.isLooping, false);
  assert.equal(pace.pausedUntil, 0);
});

test('deaths while the pause lasts do not make it longer', () => {
  const pace = new StartPace();
  for (let death = 0; death < 6; death += 1) pace.startFailed(0);
  assert.equal(pace.pausedUntil, 100);
  for (let death = 0; death < 3; death += 1) pace.startFailed(50);
  assert.equal(pace.pausedUntil, 100);
});

test('starts give way while ends by the function come often, though some requests end well', () => {
  const pace = new StartPace();
  for (let at = 0; at < 3; at += 1) pace.ended(at * 100);
  assert.equal(pace.givesWay(300), false, 'a handful are nothing');
  pace.served();
  for (let at = 3; at < 6; at += 1) pace.ended(at * 100);
  pace.served();
  assert.equal(pace.givesWay(600), true);
  assert.equal(pace.givesWay(6_000), false, 'they fade');
});

test('one that ends now and then for ever does not give way', () => {
  const pace = new StartPace();
  for (let at = 0; at < 600_000; at += 10_000) {
    pace.ended(at);
    assert.equal(pace.givesWay(at), false);
  }
});
