import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InvokeRequest } from '../model/invocation.ts';
import type { Ended } from './instances/instance-port.ts';
import type { Wish } from './instances/pool-port.ts';
import { createInvoke } from './invoke.ts';
import type { Plane } from './plane.ts';

const request: InvokeRequest = {
  target: { serviceName: null, functionName: 'f', qualifier: null },
  requestId: 'request-1',
  event: Buffer.from('{}'),
  wantsLogTail: false,
};
const answered: Ended = {
  kind: 'answered',
  answer: { kind: 'end', rssKb: 1, body: Buffer.from('done'), http: null },
};

/** A plane with one busy instance, in which as many requests wait as may. */
function openFull(ends: Ended[]) {
  const asked: string[] = [];
  const config = { key: 'f', versionId: 'LATEST', code: { checksum: '0' }, timeoutMs: 1_000 };
  const instance = { id: 'c-1', invoke: async () => ends.shift(), abandon() {}, log: {} };
  const pool = {
    ...{ config, most: 10, concurrency: 1, inFlight: 0, quota: null, allowsOnDemand: true, runtimeNote: null },
    take: ({ mayGoAhead }: Wish) => (mayGoAhead ? instance : null),
    async wait(_requestId: string, _signal: AbortSignal, wish: Wish) {
      asked.push(wish.isReturned ? 'waits again' : 'waits');
      return { kind: 'ready', instance, coldStart: null };
    },
    putBack() {},
    takeBack() {},
  };
  const plane = {
    ...{ limits: { invocationBytes: 1_000, instancesInAll: 10 }, alone: 0, clock: { monotonic: () => 0 } },
    find: () => ({ ok: true, config }),
    poolOf: () => pool,
    mayWait: () => false,
    isDebugged: () => false,
    credentialsOf: () => null,
    background: { begins() {}, ends() {} },
    ...{ enter() {}, leave() {}, waitBegins() {}, waitEnds() {} },
  };
  return { invoke: createInvoke(plane as unknown as Plane, null), asked };
}

const signal = () => new AbortController().signal;

test('a request that comes back from an instance waits again, however many wait', async () => {
  const { invoke, asked } = openFull([{ kind: 'recalled' }, answered]);
  const outcome = await invoke(request, signal());
  assert.equal(outcome.kind, 'success');
  assert.deepEqual(asked, ['waits again']);
});

test('a new request is refused when as many wait as may', async () => {
  const { invoke, asked } = openFull([answered]);
  const outcome = await invoke({ ...request, wantsLogTail: true }, signal());
  assert.equal(outcome.kind === 'refused' && outcome.code, 'ResourceThrottled');
  assert.deepEqual(asked, []);
});
