import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { counted } from '../../../scripts/test/torture.ts';
import { answerCounterBatch, createSharedCounters } from '../../base/counter-leases.ts';
import { createNonceStore } from '../../base/nonce-store.ts';
import { createWindowCounters } from '../../base/window-counters.ts';
import type { Change, PublishedIpControl, PublishedPolicies, PublishedTrafficControl } from '../../model/published.ts';
import {
  type Answer,
  api,
  app,
  definition,
  FakeClock,
  grant,
  group,
  groupId,
  open,
  request,
  signedRequest,
  theApp,
} from '../testing.ts';

/** Of 100 replays each. */
const replayRounds = counted(5, 100);
const accountId = '1234567890';

function traffic(parts: Partial<PublishedTrafficControl> = {}): Change {
  const value: PublishedTrafficControl = {
    trafficControlId: 't',
    unit: 'MINUTE',
    apiDefault: 1000,
    userDefault: null,
    appDefault: null,
    specials: [],
    accountId,
    ...parts,
  };
  return { kind: 'trafficControl', key: 't', value };
}
function addresses(type: 'ALLOW' | 'REFUSE', ...items: PublishedIpControl['items']): Change {
  return { kind: 'ipControl', key: 'i', value: { ipControlId: 'i', type, items } };
}
function bound(parts: Partial<PublishedPolicies>): Change {
  const none = { trafficControlId: null, ipControlId: null, signatureId: null };
  return { kind: 'policies', key: 'a/RELEASE', value: { apiId: 'a', stage: 'RELEASE', ...none, ...parts } };
}
const anonymous = api('a', definition({}));
const byApps = api('a', definition({ auth: { type: 'APP' } }));

const isThrottled = (answer: Answer) => answer.status === 429;

describe('traffic control', () => {
  it('refuses calls over the limit of a minute with an empty body, and lets the next minute call again', async () => {
    const bench = open([group(), anonymous, traffic({ apiDefault: 2 }), bound({ trafficControlId: 't' })]);
    for (let i = 0; i < 2; i++) assert.equal((await bench.send(request({}))).status, 200);
    const refused = await bench.send(request({}));
    assert.equal(refused.status, 429);
    assert.equal(refused.body, '');
    assert.equal(refused.headers['x-ca-error-code'], 'T429PA');
    assert.equal(refused.headers['x-ca-error-message'], 'Throttled by API Flow Control');
    assert.equal(refused.failure?.expected, 'at most 2 a minute');
    assert.equal(bench.invoked.length, 2, 'the backend was not called');
    bench.clock.advance(60_000);
    assert.equal((await bench.send(request({}))).status, 200);
  });

  it('counts by API and stage: another API under the same policy has its own room', async () => {
    const other = api('b', definition({ request: { path: '/b' } }));
    const bindB: Change = {
      kind: 'policies',
      key: 'b/RELEASE',
      value: { apiId: 'b', stage: 'RELEASE', trafficControlId: 't', ipControlId: null, signatureId: null },
    };
    const inTest = api('a', definition({}), 'TEST');
    const bench = open([
      group(),
      anonymous,
      other,
      inTest,
      traffic({ apiDefault: 1 }),
      bound({ trafficControlId: 't' }),
      bindB,
    ]);
    const call = (target: string, stage = 'RELEASE') =>
      bench.send(request({ target, headers: { 'X-Ca-Stage': stage } }));
    assert.deepEqual([(await call('/a')).status, (await call('/a')).status], [200, 429]);
    assert.equal((await call('/b')).status, 200);
    for (let i = 0; i < 3; i++) assert.equal((await call('/a', 'TEST')).status, 200, 'a stage without binding');
  });

  for (const [unit, ms] of [
    ['MINUTE', 60_000],
    ['HOUR', 3_600_000],
    ['DAY', 86_400_000],
  ] as const) {
    it(`keeps the count of a ${unit} until its end`, async () => {
      const bench = open([group(), anonymous, traffic({ unit, apiDefault: 1 }), bound({ trafficControlId: 't' })]);
      const rest = ms - (bench.clock.now() % ms);
      assert.equal((await bench.send(request({}))).status, 200);
      bench.clock.advance(rest - 1);
      assert.equal((await bench.send(request({}))).status, 429);
      bench.clock.advance(1);
      assert.equal((await bench.send(request({}))).status, 200);
    });
  }

  const limited = (parts: Partial<PublishedTrafficControl>) =>
    open([group(), byApps, theApp, grant('a'), traffic(parts), bound({ trafficControlId: 't' })]);
  const refusalAfter = async (bench: ReturnType<typeof open>, calls: number) => {
    for (let i = 0; i < calls; i++) assert.equal((await bench.send(signedRequest())).status, 200, `call ${i}`);
    const refused = await bench.send(signedRequest());
    return [refused.status, refused.headers['x-ca-error-code'], refused.headers['x-ca-error-message']];
  };

  it('limits an app and the apps of an account, and says which it was', async () => {
    assert.deepEqual(await refusalAfter(limited({ userDefault: 5, appDefault: 3 }), 3), [
      429,
      'T429PR',
      'Throttled by APP Flow Control',
    ]);
    assert.deepEqual(await refusalAfter(limited({ userDefault: 4 }), 4), [
      429,
      'T429PR',
      'Throttled by USER Flow Control',
    ]);
  });

  it('a special entry stands in for the default limits of apps and accounts, not for that of the API', async () => {
    const ofApp = { type: 'APP', key: String(app.appId), limit: 4 } as const;
    const ofUser = { type: 'USER', key: accountId, limit: 5 } as const;
    const others = { type: 'APP', key: '999', limit: 1 } as const;
    const defaults = { userDefault: 3, appDefault: 2 };
    const [, , byApp] = await refusalAfter(limited({ ...defaults, specials: [ofApp, others] }), 4);
    assert.equal(byApp, 'Throttled by APP Flow Control');
    const [, , byUser] = await refusalAfter(limited({ ...defaults, specials: [ofUser] }), 5);
    assert.equal(byUser, 'Throttled by USER Flow Control');
    const [, code] = await refusalAfter(limited({ ...defaults, apiDefault: 4, specials: [ofUser] }), 4);
    assert.equal(code, 'T429PA');
  });

  it('a call that an app limit refuses takes nothing of the room of the API', async () => {
    const bench = limited({ apiDefault: 3, appDefault: 1 });
    for (let i = 0; i < 5; i++) await bench.send(signedRequest());
    await bench.gateway.apply({ version: 2, changes: [traffic({ apiDefault: 3 })] });
    assert.deepEqual(await refusalAfter(bench, 2), [429, 'T429PA', 'Throttled by API Flow Control']);
  });

  it('by the second: calls without a token wait for the next filling, as many as that has; more are refused', async () => {
    const bench = open([
      group(),
      anonymous,
      traffic({ unit: 'SECOND', apiDefault: 3 }),
      bound({ trafficControlId: 't' }),
    ]);
    const done: number[] = [];
    const calls = Array.from({ length: 8 }, async () => {
      const answer = await bench.send(request({}));
      done.push(answer.status);
    });
    await new Promise(setImmediate);
    assert.deepEqual(done.toSorted(), [200, 200, 200, 429, 429], 'three at once, three wait');
    bench.clock.advance(1000 - (bench.clock.now() % 1000));
    await Promise.all(calls);
    assert.deepEqual(done.slice(5), [200, 200, 200]);
    const later = Array.from({ length: 2 }, () => bench.send(request({})));
    await new Promise(setImmediate);
    assert.equal(bench.invoked.length, 6, 'those who waited had the tokens of this second');
    bench.clock.advance(1000);
    assert.equal(
      (await Promise.all(later)).every((answer) => answer.status === 200),
      true,
    );
  });

  it('a changed limit holds for the next call, a removed binding lifts it', async () => {
    const bench = open([group(), anonymous, traffic({ apiDefault: 1 }), bound({ trafficControlId: 't' })]);
    await bench.send(request({}));
    assert.ok(isThrottled(await bench.send(request({}))));
    await bench.gateway.apply({ version: 2, changes: [traffic({ apiDefault: 2 })] });
    assert.equal((await bench.send(request({}))).status, 200);
    assert.ok(isThrottled(await bench.send(request({}))));
    await bench.gateway.apply({ version: 3, changes: [{ kind: 'policies', key: 'a/RELEASE', value: null }] });
    assert.equal((await bench.send(request({}))).status, 200);
  });

  it('classic groups answer 403 with the text and no code', async () => {
    const bench = open([
      group({ isClassic: true }),
      anonymous,
      traffic({ apiDefault: 1 }),
      bound({ trafficControlId: 't' }),
    ]);
    await bench.send(request({}));
    const refused = await bench.send(request({}));
    assert.equal(refused.status, 403);
    assert.equal(refused.headers['x-ca-error-message'], 'Throttled by API Flow Control');
    assert.equal(refused.headers['x-ca-error-code'], undefined);
  });

  it('a limit for groups refuses what is over it in a second', async () => {
    const bench = open([group(), anonymous], { settings: { groupLimitPerSecond: 2 } });
    const codes: (string | undefined)[] = [];
    for (let i = 0; i < 3; i++) codes.push((await bench.send(request({}))).headers['x-ca-error-code']);
    assert.deepEqual(codes, [undefined, undefined, 'T429GR']);
    bench.clock.advance(1000);
    assert.equal((await bench.send(request({}))).status, 200);
  });

  it('a limit for everything here counts the calls of all groups, and not those that a group may not have', async () => {
    const other = 'fedcba9876543210fedcba9876543210';
    const changes = [group(), group({ groupId: other }), anonymous, api('b', definition({}), 'RELEASE', other)];
    const bench = open(changes, { settings: { groupLimitPerSecond: 1, instanceLimitPerSecond: 3 } });
    const codes: (string | undefined)[] = [];
    for (const id of [groupId, groupId, other, other]) {
      codes.push((await bench.send(request({ headers: { Host: `${id}.localhost` } }))).headers['x-ca-error-code']);
    }
    assert.deepEqual(codes, [undefined, 'T429GR', undefined, 'T429GR']);
    const tight = open(changes, { settings: { instanceLimitPerSecond: 1 } });
    assert.equal((await tight.send(request({}))).status, 200);
    const refused = await tight.send(request({ headers: { Host: `${other}.localhost` } }));
    assert.deepEqual([refused.status, refused.headers['x-ca-error-code']], [429, 'T429IN']);
  });
});

describe('two gateways that share one authority', () => {
  const clock = new FakeClock();
  const authority = {
    counters: createWindowCounters(10_000),
    claimNonce: createNonceStore({ clock }).claim,
    processes: 2,
  };
  const changes = [
    group(),
    byApps,
    theApp,
    grant('a'),
    traffic({ apiDefault: 3_000 }),
    bound({ trafficControlId: 't' }),
  ];
  const openOne = () => {
    const shared = createSharedCounters((batch) => answerCounterBatch(batch, authority));
    return open(changes, { count: shared.count, claimNonce: shared.claimNonce });
  };

  it('accept a request that is sent to both once, every time', async () => {
    const [left, right] = [openOne(), openOne()];
    for (const bench of [left, right]) {
      await bench.gateway.apply({ version: 2, changes: [{ kind: 'policies', key: 'a/RELEASE', value: null }] });
    }
    for (let i = 0; i < replayRounds; i++) {
      const pairs = Array.from({ length: 100 }, (_, at) => {
        const replay = signedRequest({ nonce: `nonce ${i} ${at}` });
        return Promise.all([left.send(replay), right.send(replay)]);
      });
      for (const [one, other] of await Promise.all(pairs)) {
        assert.deepEqual([one.status, other.status].toSorted(), [200, 403]);
      }
    }
  });

  it('let through between 98 and 100 percent of a limit together', async () => {
    const benches = [openOne(), openOne()];
    let accepted = 0;
    for (let i = 0; i < 100; i++) {
      const answers = Array.from({ length: 40 }, (_, at) => benches[at % 2]?.send(signedRequest()));
      for (const answer of await Promise.all(answers)) if (answer?.status === 200) accepted++;
    }
    assert.ok(accepted <= 3_000 && accepted >= 2_940, `${accepted}`);
  });
});

describe('IP control', () => {
  const status = async (control: Change, peerAddress: string, isSigned = false) => {
    const definitions = isSigned ? [byApps, theApp, grant('a')] : [anonymous];
    const bench = open([group(), ...definitions, control, bound({ ipControlId: 'i' })]);
    const call = isSigned ? { ...signedRequest(), peerAddress } : request({ peerAddress });
    return (await bench.send(call)).status;
  };
  const office = { appId: null, blocks: ['192.0.2.0/24', '2001:db8::/32'] };

  it('without items has no effect', async () => {
    assert.equal(await status(addresses('ALLOW'), '198.51.100.1'), 200);
  });

  it('ALLOW lets in only what it names, in both families', async () => {
    assert.equal(await status(addresses('ALLOW', office), '192.0.2.9'), 200);
    assert.equal(await status(addresses('ALLOW', office), '::ffff:192.0.2.9'), 200);
    assert.equal(await status(addresses('ALLOW', office), '2001:db8::7'), 200);
    assert.equal(await status(addresses('ALLOW', office), '198.51.100.1'), 403);
  });

  it('REFUSE keeps out what it names, whatever app the item is for', async () => {
    const item = { appId: 999, blocks: ['192.0.2.0/24'] };
    assert.equal(await status(addresses('REFUSE', item), '192.0.2.9'), 403);
    assert.equal(await status(addresses('REFUSE', item), '192.0.3.9'), 200);
  });

  it('an item for an app restricts that app and no other, and keeps out callers without one', async () => {
    const own = { appId: app.appId, blocks: ['192.0.2.0/24'] };
    const other = { appId: 999, blocks: ['192.0.2.0/24'] };
    assert.equal(await status(addresses('ALLOW', own), '192.0.2.9', true), 200);
    assert.equal(await status(addresses('ALLOW', own), '198.51.100.1', true), 403);
    assert.equal(await status(addresses('ALLOW', other), '198.51.100.1', true), 200);
    assert.equal(await status(addresses('ALLOW', other), '192.0.2.9'), 403);
  });

  it('answers A403IP and tells the owner which address it was', async () => {
    const bench = open([group(), anonymous, addresses('ALLOW', office), bound({ ipControlId: 'i' })]);
    const refused = await bench.send(request({ peerAddress: '198.51.100.1' }));
    assert.equal(refused.headers['x-ca-error-code'], 'A403IP');
    assert.equal(refused.failure?.got, '198.51.100.1');
  });

  it('believes X-Forwarded-For only from trusted proxies, and there the last address that is none', async () => {
    const changes = [group(), anonymous, addresses('ALLOW', office), bound({ ipControlId: 'i' })];
    const trusting = open(changes, { settings: { trustedProxies: ['10.0.0.0/8'] } });
    const forwarded = (peerAddress: string, list: string) =>
      request({ peerAddress, headers: { 'X-Forwarded-For': list } });
    assert.equal((await open(changes).send(forwarded('198.51.100.1', '192.0.2.9'))).status, 403);
    assert.equal((await trusting.send(forwarded('198.51.100.1', '192.0.2.9'))).status, 403);
    assert.equal((await trusting.send(forwarded('10.0.0.1', '192.0.2.9'))).status, 200);
    assert.equal((await trusting.send(forwarded('10.0.0.1', '198.51.100.1, 192.0.2.9, 10.0.0.2'))).status, 200);
    assert.equal((await trusting.send(forwarded('10.0.0.1', '192.0.2.9, 198.51.100.1'))).status, 403);
    assert.equal((await trusting.send(forwarded('10.0.0.1', '192.0.2.9, nonsense'))).status, 403);
  });
});

describe('backend signature', () => {
  const key: Change = {
    kind: 'signatureKey',
    key: 's',
    value: { signatureId: 's', key: 'backendKey', secret: 'backendSecret' },
  };

  it("is in the headers of a function's event, over what the function gets", async () => {
    const signedApi = definition({
      request: { method: 'POST' },
      rest: { constants: [{ serviceName: 'Fixed', value: 'v', location: 'HEAD', description: '' }] },
    });
    const bench = open([group(), api('a', signedApi), key, bound({ signatureId: 's' })]);
    assert.equal((await bench.send(request({ method: 'POST', target: '/a' }))).status, 200);
    const headers = bench.event()['headers'] as Record<string, string>;
    const expected = createHmac('sha256', 'backendSecret').update('POST\n\nfixed:v\n/a').digest('base64');
    assert.equal(headers['X-Ca-Proxy-Signature'], expected);
    assert.equal(headers['X-Ca-Proxy-Signature-Headers'], 'Fixed');
    assert.equal(headers['X-Ca-Proxy-Signature-Secret-Key'], 'backendKey');
    assert.ok(!JSON.stringify(headers).includes('backendSecret'));
  });

  it('covers the query and form that are sent, and the MD5 of other bodies; a client cannot bring its own', async () => {
    const through = definition({ request: { method: 'POST', mode: 'PASSTHROUGH' } });
    const bench = open([group(), api('a', through), key, bound({ signatureId: 's' })]);
    const forged = { 'x-ca-proxy-signature': 'forged', 'Content-Type': 'application/json' };
    await bench.send(request({ method: 'POST', target: '/a?b=1&a=', headers: forged, body: '{}' }));
    const headers = bench.event()['headers'] as Record<string, string>;
    const md5 = 'mZFLkyvTelC5g8XnyQrpOw==';
    const expected = createHmac('sha256', 'backendSecret').update(`POST\n${md5}\n/a?a=&b=1`).digest('base64');
    assert.equal(headers['X-Ca-Proxy-Signature'], expected);
    assert.equal(headers['Content-MD5'], md5);
    assert.equal(headers['x-ca-proxy-signature'], undefined);
    // A form is in the resource; its MD5 is signed only where the client sent one.
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    await bench.send(request({ method: 'POST', target: '/a?b=1', headers: form, body: 'a=2' }));
    const ofForm = bench.event()['headers'] as Record<string, string>;
    const formExpected = createHmac('sha256', 'backendSecret').update('POST\n\n/a?a=2&b=1').digest('base64');
    assert.deepEqual([ofForm['X-Ca-Proxy-Signature'], ofForm['Content-MD5']], [formExpected, undefined]);
  });
});
