import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { AccountError, ensureAccount, republishFunctions, sweepUnusedPackages } from '../../src/control/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { fc2Sdk, type Plane, startPlane, textAt, zipped } from './control-fixture.ts';

const nothing = { accountId: null, accessKeyId: null, accessKeySecret: null };

describe('the account of an installation', () => {
  let dataDir: string;
  let store: Store;
  before(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'yunmen-account-'));
    store = await openStore({ dataDir, clock: systemClock });
  });
  after(async () => {
    await store.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('is made once, with a key, and stays', async () => {
    const made = await ensureAccount(store, nothing);
    assert.match(made.accountId, /^[1-9]\d{15}$/);
    assert.match(made.accessKeyId, /^LTAI\w{20}$/);
    assert.match(made.accessKeySecret, /^\w{30}$/);
    assert.deepEqual(await ensureAccount(store, nothing), made);
    assert.deepEqual(await ensureAccount(store, { ...nothing, accountId: made.accountId }), made);
  });

  it("takes the operator's key in the place of the former one", async () => {
    const made = await ensureAccount(store, nothing);
    const own = { ...nothing, accessKeyId: 'own-key', accessKeySecret: 'own-secret' };
    assert.equal((await ensureAccount(store, own)).accessKeyId, 'own-key');
    assert.equal(await store.read((tx) => tx.rows.accessKeys.get(made.accessKeyId)), null);
    assert.equal((await ensureAccount(store, nothing)).accessKeySecret, 'own-secret');
  });

  it('refuses another account, and settings that cannot be', async () => {
    for (const options of [
      { ...nothing, accountId: '1111111111111111' },
      { ...nothing, accountId: '12' },
      { ...nothing, accessKeyId: 'only-id' },
      { ...nothing, accessKeyId: 'a b', accessKeySecret: 'secret' },
      { ...nothing, accessKeyId: 'own-key', accessKeySecret: 's' },
    ]) {
      await assert.rejects(ensureAccount(store, options), AccountError, JSON.stringify(options));
    }
  });
});

describe('code packages', () => {
  let plane: Plane;
  before(async () => {
    plane = await startPlane();
  });
  after(() => plane.close());

  it('go with the sweep when no function names them any more, and not before', async () => {
    const sdk = fc2Sdk(plane);
    const call = (name: string, ...args: unknown[]) => sdk[name]?.apply(sdk, args) ?? Promise.reject(new Error(name));
    const base = { handler: 'index.handler', runtime: 'python3' };
    await call('createService', 'sweep');
    const old = await zipped({ 'index.py': 'old = 1\n' });
    await call('createFunction', 'sweep', { ...base, functionName: 'f', code: { zipFile: old } });
    const url = textAt(await call('getFunctionCode', 'sweep', 'f'), 'data.url');
    assert.equal(await sweepUnusedPackages(plane.store, 0), 0);
    await call('updateFunction', 'sweep', 'f', { code: { zipFile: await zipped({ 'index.py': 'new = 1\n' }) } });
    assert.equal((await fetch(url)).status, 200);
    assert.equal(await sweepUnusedPackages(plane.store, 60_000), 0);
    assert.equal(await sweepUnusedPackages(plane.store, 0), 1);
    assert.equal((await fetch(url)).status, 404);
    assert.equal((await fetch(textAt(await call('getFunctionCode', 'sweep', 'f'), 'data.url'))).status, 200);
  });

  it('of a version stay as long as the version', async () => {
    const sdk = fc2Sdk(plane);
    const call = (name: string, ...args: unknown[]) => sdk[name]?.apply(sdk, args) ?? Promise.reject(new Error(name));
    const code = await zipped({ 'index.py': 'frozen = 1\n' });
    const input = { functionName: 'f', handler: 'index.handler', runtime: 'python3', code: { zipFile: code } };
    await call('createService', 'frozen');
    await call('createFunction', 'frozen', input);
    await call('publishVersion', 'frozen', '');
    await call('deleteFunction', 'frozen', 'f');
    assert.equal(await sweepUnusedPackages(plane.store, 0), 0);
    const { data } = (await call('getFunctionCode', 'frozen', 'f', {}, '1')) as { data: { url: string } };
    assert.equal((await fetch(data.url)).status, 200);
    await call('deleteVersion', 'frozen', '1');
    assert.equal(await sweepUnusedPackages(plane.store, 0), 1);
  });

  it('and all else of functions are published anew for another region, once', async () => {
    const sdk = fc2Sdk(plane);
    const call = (name: string, ...args: unknown[]) => sdk[name]?.apply(sdk, args) ?? Promise.reject(new Error(name));
    const code = await zipped({ 'index.py': 'again = 1\n' });
    await call('createService', 'again', { role: 'acs:ram::1:role/then' });
    const input = { functionName: 'f', handler: 'index.handler', runtime: 'python3', code: { zipFile: code } };
    await call('createFunction', 'again', input);
    await call('publishVersion', 'again', '');
    await call('updateService', 'again', { role: 'acs:ram::1:role/now' });
    const before = await plane.published();
    const { accountId } = plane.credentials;
    await republishFunctions(plane.store, { accountId, regionId: 'cn-shanghai' });
    const after = await plane.published();
    assert.deepEqual([...after.keys()].sort(), [...before.keys()].sort());
    for (const key of ['function again/f', 'function again/f@1']) {
      assert.deepEqual(after.get(key), { ...(before.get(key) as object), regionId: 'cn-shanghai' });
    }
    const { version } = await plane.store.changesSince(0, 10_000);
    await republishFunctions(plane.store, { accountId, regionId: 'cn-shanghai' });
    assert.equal((await plane.store.changesSince(0, 10_000)).version, version);
  });
});
