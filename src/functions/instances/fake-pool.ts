// A pool of instances that a test makes ready, fail or crash. Used by the unit tests of this folder only.
import type { FunctionConfig } from '../../model/function.ts';
import type { InterpreterChoice } from '../choose-interpreter.ts';
import { defaultLimits, type Limits } from '../limits.ts';
import { Deadlines } from './deadlines.ts';
import { fakeClock } from './fake-clock.ts';
import type { InstanceEvents, StartFailure } from './instance-port.ts';
import { Pool } from './pool.ts';
import type { Acquired, PooledInstance, Wish } from './pool-port.ts';
import { StartGate } from './start-gate.ts';
import type { InstanceState } from './state.ts';

export type Fake = Omit<PooledInstance, 'isUnwell' | 'isHeld' | 'hasRoomAhead'> & {
  isUnwell: boolean;
  isHeld: boolean;
  hasRoomAhead: boolean;
  readonly number: number;
  state: InstanceState;
  /** What its preFreeze hook comes to. */
  readonly hook: PromiseWithResolvers<boolean>;
  ready(): void;
  fail(failure: StartFailure): void;
  becomeUnwell(): void;
  crash(): Promise<void>;
};

export const crashed: StartFailure = { kind: 'ended', end: { kind: 'exited' } };

export function setUp(
  changes: Partial<Limits> = {},
  configured: Partial<FunctionConfig> = {},
  choice: Extract<InterpreterChoice, { ok: true }> = { ok: true, interpreter, note: null },
) {
  const clock = fakeClock();
  const limits = { ...defaultLimits, startsAtOnce: 2, processors: 2, ...changes };
  const loop = { isBusy: false };
  const deadlines = new Deadlines(clock);
  const made: Fake[] = [];
  let places = limits.instancesInAll;
  let drained = 0;
  const pool = new Pool<Fake>({ ...config, ...configured }, choice, {
    clock,
    deadlines,
    gate: new StartGate(limits.startsAtOnce),
    limits,
    createInstance: (_config, _choice, events) => {
      const fake = makeFake(made.length + 1, events, () => clock.monotonic());
      made.push(fake);
      return fake;
    },
    takePlace: () => places > 0 && places-- > 0,
    givePlaceBack: () => {
      places += 1;
    },
    becameIdle: () => {},
    isLoopBusy: () => loop.isBusy,
    forget: () => {},
    drained: () => {
      drained += 1;
    },
  });
  const wait = (id = 'r', signal = new AbortController().signal, wish?: Wish) => {
    const result: { acquired: Acquired<Fake> | null } = { acquired: null };
    void pool.wait(id, signal, wish).then((acquired) => {
      result.acquired = acquired;
    });
    return result;
  };
  return { clock, pool, made, wait, loop, drained: () => drained };
}

function makeFake(number: number, events: InstanceEvents<Fake>, now: () => number): Fake {
  let ending: Promise<void> | null = null;
  let claims = 0;
  const fake: Fake = {
    number,
    id: String(number),
    pid: 0,
    isUnwell: false,
    isHeld: false,
    hasRoomAhead: false,
    state: { kind: 'starting', since: 0 },
    hook: Promise.withResolvers<boolean>(),
    times: { isSpare: false, startMs: 10, codeMs: 0, loadMs: 5, initializerMs: 0 },
    start: () => Promise.resolve(),
    claim() {
      claims += 1;
    },
    release() {
      claims = Math.max(0, claims - 1);
      if (claims === 0) fake.state = { kind: 'idle', since: now() };
    },
    prepareFreeze: () => {
      fake.state = { kind: 'freezing', since: fake.state.since };
      return fake.hook.promise.then((isReady) => {
        if (isReady) fake.state = { kind: 'idle', since: fake.state.since };
        return isReady;
      });
    },
    hold() {
      fake.isHeld = true;
      if (fake.state.kind === 'frozen') fake.state = { kind: 'idle', since: fake.state.since };
    },
    letGo() {
      fake.isHeld = false;
      if (fake.state.kind === 'idle') fake.state = { kind: 'idle', since: now() };
    },
    freeze() {
      fake.state = { kind: 'frozen', since: fake.state.since };
    },
    stop(reason) {
      ending ??= (async () => {
        fake.state = { kind: 'stopping', since: now(), reason };
        events.onStopping(fake);
        await Promise.resolve();
        fake.state = { kind: 'gone', since: now(), reason };
        events.onGone(fake);
      })();
      return ending;
    },
    ready() {
      fake.state = { kind: 'idle', since: now() };
      events.onReady(fake);
    },
    fail(failure) {
      events.onStartFailed(fake, failure);
      void fake.stop('load-failed');
    },
    becomeUnwell() {
      fake.isUnwell = true;
      events.onUnwell(fake);
    },
    crash: () => fake.stop('exited'),
  };
  return fake;
}

const interpreter = { language: 'python', version: '3.10.1', path: '/p', prefix: '/' } as const;
const config: FunctionConfig = {
  key: 'f',
  accountId: '1',
  regionId: 'r',
  serviceName: null,
  functionName: 'f',
  versionId: 'LATEST',
  qualifier: 'LATEST',
  runtime: 'python3.10',
  handler: 'index.handler',
  memoryMb: 128,
  timeoutMs: 3000,
  initializer: null,
  environment: {},
  instanceConcurrency: 1,
  role: null,
  logProject: '',
  logStore: '',
  code: { checksum: '1', sizeBytes: 1, directory: '/code' },
};
