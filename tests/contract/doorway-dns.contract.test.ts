// The doorway's forwarder of names against resolvers that answer, are silent, lie, or are not there.
import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo } from 'node:dgram';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { DnsForwarder, dnsLimits } from '../../src/functions/doorway/dns-forwarder.ts';
import type { Visitor } from '../../src/functions/doorway/visitor.ts';

const visitor: Visitor = { instanceId: 'c-1', functionKey: 'f', accountId: '1', regionId: 'r', network: 'open' };
const question = Buffer.from('0161016200', 'hex');
const asked = Buffer.concat([Buffer.from('123401000001000000000000', 'hex'), question, Buffer.from('00010001', 'hex')]);
const right = Buffer.concat([Buffer.from('123481800001000000000000', 'hex'), asked.subarray(12)]);

type Reply = (message: Buffer, from: RemoteInfo, send: (answer: Buffer) => void) => void;

async function resolver(t: { after(run: () => void): void }, reply: Reply): Promise<string> {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) =>
    reply(message, from, (answer) => socket.send(answer, from.port, from.address)),
  );
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.after(() => socket.close());
  return `127.0.0.1#${socket.address().port}`;
}

function forwarder(resolvers: readonly string[], soon = false): DnsForwarder {
  // A clock on which resolvers are waited for a tenth of the time.
  const clock = { ...systemClock, after: (ms: number, run: () => void) => systemClock.after(soon ? ms / 10 : ms, run) };
  const isOwnName = (name: string) => name === 'own.example';
  return new DnsForwarder({ clock, address: '100.100.2.136', isOwnName, resolvers: () => resolvers });
}

const code = (answer: Buffer | null) => (answer === null ? null : (answer[3] ?? 0) & 15);

test('a query is answered by the resolver, past an answer with another id', async (t) => {
  const wrong = Buffer.from(right);
  wrong[0] = 0x99;
  const place = await resolver(t, (_message, _from, send) => {
    send(wrong);
    send(right);
  });
  assert.deepEqual(await forwarder([place]).answer(asked, visitor, 'datagram'), right);
});

test('the next resolver is asked when one is silent or not there; without any the answer is a failure', async (t) => {
  const silent = await resolver(t, () => {});
  const place = await resolver(t, (_message, _from, send) => send(right));
  assert.deepEqual(await forwarder([silent, '127.0.0.1#1', place], true).answer(asked, visitor, 'datagram'), right);
  assert.equal(code(await forwarder([silent], true).answer(asked, visitor, 'datagram')), 2);
  assert.equal(code(await forwarder(['nonsense']).answer(asked, visitor, 'stream')), 2);
});

test('without internet access only own names are answered, and nobody is asked', async (t) => {
  let isAsked = false;
  const place = await resolver(t, () => {
    isAsked = true;
  });
  const shut = { ...visitor, network: 'none' } as const;
  assert.equal(code(await forwarder([place], true).answer(asked, shut, 'datagram')), 5);
  const own = Buffer.from(asked.toString('hex').replace('0161016200', '036f776e076578616d706c6500'), 'hex');
  const answer = await forwarder([place]).answer(own, shut, 'datagram');
  assert.deepEqual([...(answer?.subarray(-4) ?? [])], [100, 100, 2, 136]);
  assert.equal(isAsked, false);
});

test('an instance has so many queries under way and no more; others are served', async (t) => {
  const held: (() => void)[] = [];
  const place = await resolver(t, (_message, _from, send) => held.push(() => send(right)));
  const dns = forwarder([place]);
  const first = Array.from({ length: dnsLimits.perVisitor }, () => dns.answer(asked, visitor, 'datagram'));
  assert.equal(await dns.answer(asked, visitor, 'datagram'), null);
  const other = dns.answer(asked, { ...visitor, instanceId: 'c-2' }, 'datagram');
  while (held.length < dnsLimits.perVisitor + 1) await new Promise((resolve) => setImmediate(resolve));
  for (const send of held) send();
  assert.ok([...(await Promise.all(first)), await other].every((answer) => answer?.equals(right)));
  const again = dns.answer(asked, visitor, 'datagram');
  while (held.length < dnsLimits.perVisitor + 2) await new Promise((resolve) => setImmediate(resolve));
  held.at(-1)?.();
  assert.deepEqual(await again, right);
});
