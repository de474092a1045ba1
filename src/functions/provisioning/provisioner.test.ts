import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FunctionConfig } from '../../model/function.ts';
import type { Provision } from '../../model/scaling.ts';
import { fakeClock } from '../instances/fake-clock.ts';
import type { Kept } from './kept.ts';
import { type KeptPool, Provisioner } from './provisioner.ts';

const provision: Provision = {
  functionKey: 'f',
  serviceName: null,
  functionName: 'f',
  qualifier: 'prod',
  target: 2,
  schedules: [],
  tracking: [],
  since: 0,
  keepsCpu: true,
  allowsOnDemand: true,
};
const base = { key: 'f', qualifier: 'prod' } as FunctionConfig;

function setUp() {
  const clock = fakeClock();
  const pools = new Map<FunctionConfig, KeptPool & { kept: Kept[]; inFlight: number }>();
  const state = { config: base as FunctionConfig | null, refusal: '' };
  const cpu = { ms: 0 };
  const provisioner = new Provisioner({
    clock,
    readCpuMs: () => cpu.ms,
    find: () => (state.config === null ? { ok: false, message: 'it is gone' } : { ok: true, config: state.config }),
    poolOf: (config) => pools.get(config) ?? null,
    openPool: async (config) => {
      if (state.refusal !== '') return { ok: false, message: state.refusal };
      const pool = {
        config,
        concurrency: 1,
        instances: [{ id: 'a', pid: 7 }],
        inFlight: 0,
        problem: '',
        kept: [] as Kept[],
        keep: (kept: Kept) => pool.kept.push(kept),
      };
      pools.set(config, pool as KeptPool & { kept: Kept[]; inFlight: number });
      provisioner.opened(pool as KeptPool);
      return { ok: true };
    },
  });
  const last = (config = base) => pools.get(config)?.kept.at(-1);
  return { clock, pools, state, provisioner, last, cpu };
}

test('a pool is made for provisioned instances, and let go when they are not wanted', () => {
  const { provisioner, last } = setUp();
  provisioner.change('f@prod', provision);
  assert.deepEqual(last(), { minimum: 2, keepsCpu: true, allowsOnDemand: true });
  assert.equal(provisioner.now('f@prod').target, 2);
  provisioner.change('f@prod', null);
  assert.equal(last()?.minimum, 0);
  assert.equal(provisioner.now('f@prod').target, 0);
});

test('a function that changes gets its instances anew, and the old ones may end', async () => {
  const { provisioner, state, last } = setUp();
  provisioner.change('f@prod', provision);
  await new Promise<void>((resolve) => setImmediate(resolve));
  const next = { ...base };
  state.config = next;
  provisioner.functionChanged('f');
  assert.equal(last(next)?.minimum, 2);
  assert.equal(last(base)?.minimum, 0);
});

test('a schedule is followed each second', () => {
  const { provisioner, clock, last } = setUp();
  const fires = { kind: 'at', time: 5000 } as const;
  provisioner.change('f@prod', { ...provision, schedules: [{ startAt: null, endAt: null, fires, target: 4 }] });
  clock.advance(4999);
  assert.equal(last()?.minimum, 2);
  clock.advance(1001);
  assert.equal(last()?.minimum, 4);
});

test('use raises the target within seconds and lets it fall after a minute only', () => {
  const { provisioner, clock, pools, last } = setUp();
  const policy = { metric: 'use' as const, startAt: null, endAt: null, metricTarget: 0.5, minimum: 1, maximum: 5 };
  provisioner.change('f@prod', { ...provision, target: 0, tracking: [policy] });
  assert.equal(last()?.minimum, 1);
  const pool = pools.get(base);
  assert.ok(pool !== undefined);
  pool.inFlight = 2;
  clock.advance(30_000);
  assert.equal(last()?.minimum, 4);
  pool.inFlight = 0;
  clock.advance(50_000);
  assert.equal(last()?.minimum, 4);
  clock.advance(70_000);
  assert.equal(last()?.minimum, 1);
});

test('why instances are missing can be told', async () => {
  const { provisioner, state, clock } = setUp();
  state.refusal = 'nothing here runs COBOL';
  provisioner.change('f@prod', provision);
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.equal(provisioner.now('f@prod').problem, 'nothing here runs COBOL');
  state.config = null;
  clock.advance(1000);
  assert.equal(provisioner.now('f@prod').problem, 'it is gone');
});

test('what the qualifier leads to no more keeps nothing', () => {
  const { provisioner, state, clock, last } = setUp();
  provisioner.change('f@prod', provision);
  state.config = null;
  clock.advance(1000);
  assert.equal(last()?.minimum, 0);
});

test('busy processors raise the target of a policy that follows them', () => {
  const { provisioner, clock, last, cpu } = setUp();
  const policy = { metric: 'cpu' as const, startAt: null, endAt: null, metricTarget: 0.5, minimum: 1, maximum: 4 };
  provisioner.change('f@prod', { ...provision, target: 0, tracking: [policy] });
  clock.advance(5_000);
  assert.equal(last()?.minimum, 1);
  for (let second = 0; second < 40; second += 1) {
    cpu.ms += 1_500;
    clock.advance(1_000);
  }
  assert.equal(last()?.minimum, 3);
});
