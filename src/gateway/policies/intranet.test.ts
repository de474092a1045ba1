import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { api, definition, group, groupId, open, request } from '../testing.ts';

const inside = '10.1.2.3';
const outside = '198.51.100.7';
const disabled = api('a', definition({ auth: { disableInternet: true } }));

describe('an API with DisableInternet', () => {
  const rows: readonly (readonly [from: string, address: string, status: number])[] = [
    ['a private address', inside, 200],
    ['this machine', '127.0.0.1', 200],
    ['this machine by IPv6', '::1', 200],
    ['a private address in the notation of IPv6', '::ffff:192.168.0.9', 200],
    ['the internet', outside, 403],
    ['the internet by IPv6', '2001:4860::1', 403],
  ];
  for (const [from, peerAddress, status] of rows) {
    it(`answers ${status} to a call from ${from}`, async () => {
      const answer = await open([group(), disabled]).send(request({ peerAddress }));
      assert.equal(answer.status, status);
      if (status === 403) assert.equal(answer.headers['x-ca-error-code'], 'A403IN');
    });
  }

  it('asks for the address behind a trusted proxy, and for nothing that a caller says by itself', async () => {
    const headers = { 'X-Forwarded-For': inside };
    const refused = await open([group(), disabled]).send(request({ peerAddress: outside, headers }));
    assert.equal(refused.failure?.got, outside);
    const trusting = open([group(), disabled], { settings: { trustedProxies: [outside] } });
    assert.equal((await trusting.send(request({ peerAddress: outside, headers }))).status, 200);
  });

  it('takes what the operator calls the intranet instead of private addresses', async () => {
    const bench = open([group(), disabled], { settings: { intranet: ['198.51.100.0/24'] } });
    assert.equal((await bench.send(request({ peerAddress: outside }))).status, 200);
    assert.equal((await bench.send(request({ peerAddress: inside }))).status, 403);
  });
});

describe('a domain for the intranet', () => {
  const changes = [
    group({ domains: [{ host: 'inner.example.com', stage: null, isIntranet: true }] }),
    api('a', definition({})),
  ];
  for (const Host of ['inner.example.com', `${groupId}-cn-hangzhou-vpc.alicloudapi.com`]) {
    it(`serves callers of the intranet only: ${Host}`, async () => {
      const bench = open(changes);
      assert.equal((await bench.send(request({ headers: { Host }, peerAddress: inside }))).status, 200);
      const refused = await bench.send(request({ headers: { Host }, peerAddress: outside }));
      assert.equal(refused.headers['x-ca-error-message'], 'Access from internet is disabled');
    });
  }

  it('does not close the other domains of its group', async () => {
    assert.equal((await open(changes).send(request({ peerAddress: outside }))).status, 200);
  });
});
