// Access keys by the private calls, what a read-only one sees, and what a function's own credentials may call.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { tokenKeyPurpose } from '../../src/control/index.ts';
import { createTokenSealer } from '../../src/wire/security-token.ts';
import { at, items, type Plane, type RawAnswer, startPlane, success, textAt, zipped } from './control-fixture.ts';
import { fcSchemes, type Key, rpcSchemes } from './control-schemes.ts';

describe('access keys', () => {
  let plane: Plane;
  let root: Key;
  const answers: RawAnswer[] = [];

  before(async () => {
    plane = await startPlane();
    const { accessKeyId, accessKeySecret } = plane.credentials;
    root = { accessKeyId, accessKeySecret };
  });
  after(() => plane.close());

  async function call(method: string, path: string, body?: object, key: Key = root): Promise<RawAnswer> {
    const signed = fcSchemes['V3'];
    assert.ok(signed);
    const text = body === undefined ? '' : JSON.stringify(body);
    const answer = await signed(plane, { method, path: `/yunmen/${path}`, body: text }, { key });
    answers.push(answer);
    return answer;
  }

  async function make(access?: 'admin' | 'read-only'): Promise<Key> {
    const answer = await call('POST', 'keys', access === undefined ? undefined : { access });
    assert.equal(answer.status, 200, answer.text);
    return { accessKeyId: textAt(answer.json, 'accessKeyId'), accessKeySecret: textAt(answer.json, 'accessKeySecret') };
  }

  async function rpc(action: string, key: Key, parameters: readonly (readonly [string, string])[] = []) {
    const scheme = rpcSchemes['V3'];
    assert.ok(scheme);
    return await scheme(plane, { action, version: '2016-07-14', parameters }, { key });
  }

  async function fc(method: string, path: string, key: Key, body?: object) {
    const scheme = fcSchemes['V3'];
    assert.ok(scheme);
    return await scheme(plane, { method, path, body: body === undefined ? '' : JSON.stringify(body) }, { key });
  }

  const shown = async (id: string) =>
    items((await call('GET', 'keys')).json, 'keys').find((key) => at(key, 'accessKeyId') === id);

  it('a new key works at once, is listed, and its secret is told once', async () => {
    const key = await make();
    assert.match(key.accessKeyId, /^LTAI\w{20}$/);
    assert.match(key.accessKeySecret, /^\w{30}$/);
    const before = await shown(key.accessKeyId);
    assert.equal(at(before, 'lastUsedAt'), null);
    assert.equal((await rpc('DescribeRegions', key)).status, 200);
    const { createdAt: _, lastUsedAt, ...facts } = (await shown(key.accessKeyId)) as Record<string, unknown>;
    assert.deepEqual(facts, { accessKeyId: key.accessKeyId, access: 'admin', status: 'enabled', isRoot: false });
    assert.equal(Number(lastUsedAt) % 3_600_000, 0);
    assert.ok(Math.abs(Date.now() - Number(lastUsedAt)) <= 3_600_000);
  });

  it('a disabled key is refused until it is enabled again, a deleted one for good', async () => {
    const key = await make();
    assert.equal(textAt((await call('POST', `keys/${key.accessKeyId}/disable`)).json, 'status'), 'disabled');
    assert.equal(at((await rpc('DescribeRegions', key)).json, 'Code'), 'InvalidAccessKeyId.Inactive');
    assert.equal(textAt((await call('POST', `keys/${key.accessKeyId}/enable`)).json, 'status'), 'enabled');
    assert.equal((await rpc('DescribeRegions', key)).status, 200);
    assert.deepEqual((await call('DELETE', `keys/${key.accessKeyId}`)).json, { deleted: key.accessKeyId });
    assert.equal(at((await rpc('DescribeRegions', key)).json, 'Code'), 'InvalidAccessKeyId.NotFound');
    assert.equal(at((await call('DELETE', `keys/${key.accessKeyId}`)).json, 'Code'), 'NotFoundAccessKey');
  });

  it('nobody can lock out the root key, an admin key neither', async () => {
    const admin = await make('admin');
    for (const key of [root, admin]) {
      for (const [method, path] of [
        ['POST', `keys/${root.accessKeyId}/disable`],
        ['DELETE', `keys/${root.accessKeyId}`],
      ] as const) {
        const answer = await call(method, path, undefined, key);
        assert.deepEqual([answer.status, at(answer.json, 'Code')], [409, 'RootAccessKey']);
      }
    }
    assert.equal(at(await shown(root.accessKeyId), 'isRoot'), true);
    assert.equal((await rpc('DescribeRegions', root)).status, 200);
  });

  it('only an admin key manages keys', async () => {
    const reader = await make('read-only');
    for (const [method, path] of [
      ['GET', 'keys'],
      ['POST', 'keys'],
      ['POST', `keys/${reader.accessKeyId}/enable`],
      ['DELETE', `keys/${reader.accessKeyId}`],
    ] as const) {
      const answer = await call(method, path, undefined, reader);
      assert.deepEqual([answer.status, at(answer.json, 'Code')], [403, 'AccessDenied'], `${method} ${path}`);
    }
    assert.equal(at((await call('GET', 'requests/R-9', undefined, reader)).json, 'Code'), 'NotFoundRequest');
  });

  it('a read-only key describes, gets and lists, and sees no secret', async () => {
    const reader = await make('read-only');
    const app = await rpc('CreateApp', root, [['AppName', 'reader_app']]);
    const appId: [string, string] = ['AppId', String(at(app.json, 'AppId'))];
    assert.equal((await rpc('DescribeApp', reader, [appId])).status, 200);
    assert.equal((await rpc('DescribeAppSecurity', root, [appId])).status, 200);
    const security = await rpc('DescribeAppSecurity', reader, [appId]);
    assert.deepEqual([security.status, at(security.json, 'Code')], [403, 'NoPermission']);
    const zipFile = await zipped({ 'index.py': 'def handler(e, c): pass\n' });
    const made = await fc('POST', '/2023-03-30/functions', root, {
      functionName: 'reader',
      runtime: 'python3.10',
      handler: 'index.handler',
      code: { zipFile },
      environmentVariables: { PASSWORD: 'hunter2' },
    });
    assert.equal(made.status, 200, made.text);
    for (const path of ['/2023-03-30/functions/reader', '/2023-03-30/functions']) {
      const seen = await fc('GET', path, reader);
      assert.equal(seen.status, 200);
      assert.match(seen.text, /"PASSWORD":"\*{6}"/);
      assert.ok(!seen.text.includes('hunter2'));
      assert.match((await fc('GET', path, root)).text, /"PASSWORD":"hunter2"/);
    }
    const refused = [
      await fc('POST', '/2023-03-30/functions/reader/invocations', reader),
      await fc('PUT', '/2023-03-30/functions/reader', reader, { timeout: 9 }),
      await fc('DELETE', '/2023-03-30/functions/reader', reader),
    ];
    for (const { status, json } of refused) assert.deepEqual([status, at(json, 'Code')], [403, 'AccessDenied']);
  });

  it('there are at most 100 keys', async () => {
    const before = items((await call('GET', 'keys')).json, 'keys').length;
    await plane.store.write(async ({ rows }) => {
      for (let n = before; n < 100; n++) {
        const row = { accessKeyId: `filler${n}`, accessKeySecret: 's', isEnabled: true, createdAt: 0 };
        await rows.accessKeys.insert(row);
      }
    });
    assert.equal(at((await call('POST', 'keys')).json, 'Code'), 'LimitExceededError');
    await plane.store.write(async ({ rows }) => {
      for (let n = before; n < 100; n++) await rows.accessKeys.delete(`filler${n}`);
    });
  });

  it('refuses what is no call of keys', async () => {
    const rows = [
      ['POST', 'keys', { access: 'emperor' }, 400, 'InvalidArgument'],
      ['POST', 'keys/nobody/disable', undefined, 404, 'NotFoundAccessKey'],
      ['PUT', 'keys', undefined, 400, 'PathNotSupported'],
      ['GET', 'keys/x/y/z', undefined, 400, 'PathNotSupported'],
      ['POST', 'keys', { access: 'x'.repeat(20_000) }, 400, 'EntityTooLarge'],
    ] as const;
    for (const [method, path, body, status, code] of rows) {
      const answer = await call(method, path, body);
      assert.deepEqual([answer.status, at(answer.json, 'Code')], [status, code], `${method} ${path}`);
    }
  });

  it('no listing, error or log line holds a secret', async () => {
    const { accessKeySecret } = await make();
    const told = answers.filter(({ text }) => text.includes(accessKeySecret));
    assert.equal(told.length, 1);
    assert.ok(!(await call('GET', 'keys')).text.includes('ecret'));
    assert.ok(!plane.logged.join('\n').includes(accessKeySecret));
  });

  it("a function's credentials invoke functions, by every scheme at every version, and do nothing else", async () => {
    const sealer = createTokenSealer(plane.store.deriveKey(tokenKeyPurpose));
    const expiresAt = Date.now() + 60_000;
    const holder = { accountId: plane.credentials.accountId, functionKey: 'shop/cart', role: null, expiresAt };
    const key = sealer.issue(holder);
    const paths = {
      '2016-08-15': '/2016-08-15/services/shop/functions/cart/invocations',
      '2021-04-06': '/2021-04-06/services/shop/functions/cart/invocations',
      '2023-03-30': '/2023-03-30/functions/cart/invocations',
    };
    plane.outcome = success;
    for (const path of Object.values(paths)) {
      for (const [name, scheme] of Object.entries(fcSchemes)) {
        const answer = await scheme(plane, { method: 'POST', path, body: '{}' }, { key });
        assert.equal(answer.status, 200, `${name} ${path}: ${answer.text}`);
        assert.equal(answer.text, success.body.toString());
        const code = await scheme(plane, { method: 'GET', path: path.replace('/invocations', '/code') }, { key });
        assert.deepEqual([code.status, at(code.json, 'Code')], [403, 'AccessDenied'], `${name} ${path}`);
      }
    }
    assert.equal(at((await call('GET', 'keys', undefined, key)).json, 'Code'), 'AccessDenied');
    const foreign = sealer.issue({ ...holder, accountId: '1111111111111111' });
    const scheme = fcSchemes['FC header'];
    const answer = await scheme?.(plane, { method: 'POST', path: paths['2023-03-30'] }, { key: foreign });
    assert.equal(at(answer?.json, 'Code'), 'InvalidSecurityToken.MismatchWithAccessKey');
  });
});
