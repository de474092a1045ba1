import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../base/clock.ts';
import { createCodeUrls, reachableHost } from './code-urls.ts';
import { createNonces } from './nonces.ts';
import { fcRegistry, listOperations, rpcRegistry } from './registry.ts';

function fakeClock(): Clock & { at: number } {
  const clock = { at: 1_000_000, now: () => clock.at, monotonic: () => clock.at, after: () => () => {} };
  return clock;
}

describe('nonces', () => {
  it('are accepted once within their window, and again after it', () => {
    const clock = fakeClock();
    const nonces = createNonces(10, clock);
    assert.equal(nonces.claim('a', clock.at + 100), 'fresh');
    assert.equal(nonces.claim('a', clock.at + 100), 'used');
    clock.at += 100;
    assert.equal(nonces.claim('a', clock.at + 100), 'fresh');
  });

  it('are refused rather than forgotten when there is no room, until some expire', () => {
    const clock = fakeClock();
    const nonces = createNonces(2, clock);
    nonces.claim('a', clock.at + 5000);
    nonces.claim('b', clock.at + 5000);
    assert.equal(nonces.claim('c', clock.at + 5000), 'full');
    assert.equal(nonces.claim('a', clock.at + 5000), 'used');
    clock.at += 5000;
    assert.equal(nonces.claim('c', clock.at + 5000), 'fresh');
  });
});

describe('download URLs', () => {
  const sha256 = 'ab'.repeat(32);

  it('open one package for ten minutes', () => {
    const clock = fakeClock();
    const urls = createCodeUrls(Buffer.from('key'), clock);
    const url = new URL(urls.sign('host:1', sha256));
    const ask = (path: string) =>
      urls.verify(path, url.searchParams.get('expires') ?? '', url.searchParams.get('signature') ?? '');
    assert.equal(ask(url.pathname), sha256);
    assert.equal(ask(url.pathname.replace('ab', 'cd')), null);
    assert.equal(ask('/yunmen/code/../secret.zip'), null);
    clock.at += 11 * 60 * 1000;
    assert.equal(ask(url.pathname), null);
  });

  it('get our port where an address comes without one', () => {
    assert.equal(reachableHost('127.0.0.1', 8081), '127.0.0.1:8081');
    assert.equal(reachableHost('[::1]', 8081), '[::1]:8081');
    assert.equal(reachableHost('localhost:9', 8081), 'localhost:9');
    assert.equal(reachableHost('api.example.com', 8081), 'api.example.com');
  });
});

describe('the registry', () => {
  it('knows every operation of every catalogue, and serves only those that exist', async () => {
    const all = await listOperations();
    const count = (product: string, version: string) =>
      all.filter((row) => row.product === product && row.version === version).length;
    // 217 of the metadata, and DescribeApiStage, which only older SDKs know.
    assert.equal(count('CloudAPI', '2016-07-14'), 218);
    assert.equal(count('Dysmsapi', '2017-05-25'), 80);
    assert.deepEqual(
      ['2016-08-15', '2021-04-06', '2023-03-30'].map((version) => count('FC', version)),
      [62, 68, 70],
    );
    assert.ok(all.every((row) => (row.status === 'partial') === (row.note !== '')));
    const served = all.filter((row) => row.status !== 'refused');
    const registered = [...Object.values(rpcRegistry), ...Object.values(fcRegistry)].flatMap((table) =>
      Object.keys(table),
    );
    // Calls by an HTTP trigger have a door of their own.
    assert.equal(served.length, registered.length + 1);
  });
});
