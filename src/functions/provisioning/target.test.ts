import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Provision } from '../../model/scaling.ts';
import { makePlan, targetAt } from './target.ts';

const time = (text: string) => Date.parse(`2026-11-27T${text}Z`);
const provision: Provision = {
  functionKey: 'f',
  serviceName: null,
  functionName: 'f',
  qualifier: 'prod',
  target: 2,
  schedules: [],
  tracking: [],
  since: time('06:00:00'),
  keepsCpu: false,
  allowsOnDemand: true,
};
const always = { startAt: null, endAt: null };
const cron = (expression: string, target: number, bounds = {}) => ({
  ...always,
  ...bounds,
  fires: { kind: 'cron', expression, timeZone: '' } as const,
  target,
});
const at = (changes: Partial<Provision>, now: string, busy = 0) =>
  targetAt(makePlan({ ...provision, ...changes }), time(now), { use: busy, cpu: 0 });

test('the default holds until a schedule fires, and the last that fired holds then', () => {
  const schedules = [cron('0 0 8 * * *', 10), cron('0 0 20 * * *', 1)];
  assert.equal(at({ schedules }, '07:59:59'), 2);
  assert.equal(at({ schedules }, '08:00:00'), 10);
  assert.equal(at({ schedules }, '19:59:59'), 10);
  assert.equal(at({ schedules }, '20:00:00'), 1);
});

test('a schedule fires between its bounds only, and its last target goes on after them', () => {
  const schedules = [cron('0 0 * * * *', 5, { startAt: time('09:30:00'), endAt: time('10:30:00') })];
  assert.equal(at({ schedules }, '09:29:00'), 2);
  assert.equal(at({ schedules }, '09:45:00'), 2);
  assert.equal(at({ schedules }, '10:00:00'), 5);
  assert.equal(at({ schedules }, '15:00:00'), 5);
});

test('a time fires once, the later of two wins, and the higher of two at once', () => {
  const fires = { kind: 'at', time: time('09:00:00') } as const;
  const schedules = [{ ...always, fires, target: 4 }, { ...always, fires, target: 3 }, cron('0 30 9 * * *', 7)];
  assert.equal(at({ schedules }, '08:59:59'), 2);
  assert.equal(at({ schedules }, '09:00:00'), 4);
  assert.equal(at({ schedules }, '09:30:00'), 7);
});

test('what is in use is tracked between the bounds, beside the target', () => {
  const tracking = [{ ...always, metric: 'use' as const, metricTarget: 0.6, minimum: 3, maximum: 8 }];
  assert.equal(at({ tracking, target: 0 }, '09:00:00', 0), 3);
  assert.equal(at({ tracking, target: 0 }, '09:00:00', 3), 5);
  assert.equal(at({ tracking, target: 0 }, '09:00:00', 100), 8);
  assert.equal(at({ tracking, target: 6 }, '09:00:00', 1), 6);
  const late = [
    { ...always, metric: 'use' as const, metricTarget: 0.6, minimum: 3, maximum: 8, startAt: time('10:00:00') },
  ];
  assert.equal(at({ tracking: late, target: 0 }, '09:00:00', 3), 0);
});

test('a policy for CPU use follows processors, and the highest of several policies wins', () => {
  const cpu = { ...always, metric: 'cpu' as const, metricTarget: 0.5, minimum: 1, maximum: 9 };
  const use = { ...cpu, metric: 'use' as const };
  const plan = makePlan({ ...provision, target: 0, tracking: [cpu, use] });
  assert.equal(targetAt(plan, time('09:00:00'), { use: 1, cpu: 2.5 }), 5);
  assert.equal(targetAt(plan, time('09:00:00'), { use: 4, cpu: 1 }), 8);
});
