import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Caller } from './authenticate.ts';
import { fcVersions, loadFcCatalogue, loadRpcCatalogue } from './catalogue.ts';
import { isAllowed, showTo } from './permissions.ts';

const admin: Caller = { kind: 'key', accessKeyId: 'a', access: 'admin' };
const reader: Caller = { kind: 'key', accessKeyId: 'r', access: 'read-only' };
const code: Caller = { kind: 'function', accessKeyId: 'STS.1', functionKey: 'f' };

async function everyOperation(): Promise<[string, string][]> {
  const rpc = await Promise.all(
    (['2016-07-14', '2017-05-25'] as const).map(async (version) => {
      const { product, operations } = await loadRpcCatalogue(version);
      return Object.keys(operations).map((name): [string, string] => [product, name]);
    }),
  );
  const fc = await Promise.all(
    fcVersions.map(async (version) =>
      Object.keys((await loadFcCatalogue(version)).operations).map((name): [string, string] => ['FC', name]),
    ),
  );
  return [...rpc, ...fc].flat();
}

test('an admin key may call everything, a function only InvokeFunction', async () => {
  const all = await everyOperation();
  assert.ok(all.every(([product, name]) => isAllowed(admin, product, name)));
  const ofCode = all.filter(([product, name]) => isAllowed(code, product, name));
  assert.deepEqual([...new Set(ofCode.map(String))], ['FC,InvokeFunction']);
  assert.equal(isAllowed(code, 'CloudAPI', 'InvokeFunction'), false);
});

test('a read-only key may call nothing that writes, runs or tells a secret', async () => {
  const allowed = (await everyOperation()).filter(([product, name]) => isAllowed(reader, product, name));
  assert.ok(allowed.length > 50);
  for (const [, name] of allowed) assert.match(name, /^(Describe|Get|List)/);
  const secrets = allowed.filter(([, name]) => /Token|Permission|Securit/.test(name)).map(([, name]) => name);
  assert.deepEqual([...new Set(secrets)], []);
});

test('every secret that an answer of CloudAPI may hold is hidden from a read-only key', async () => {
  const { product, operations } = await loadRpcCatalogue('2016-07-14');
  for (const [name, { answer }] of Object.entries(operations)) {
    if (!isAllowed(reader, product, name)) continue;
    for (const [member] of JSON.stringify(answer).matchAll(/"\w*(?:Secret|PrivateKey|AppCode)"/g)) {
      const shown: string = JSON.stringify(showTo(reader, { list: [{ [member.slice(1, -1)]: 'open' }] }));
      assert.ok(!shown.includes('open'), `${name} ${member}`);
    }
  }
});

test('others get the answer as it is; a read-only key the names of variables without their values', () => {
  const answer = { functionName: 'f', environmentVariables: { A: '1', B: '' }, list: [{ environmentVariables: null }] };
  assert.equal(showTo(admin, answer), answer);
  assert.deepEqual(showTo(reader, answer), {
    functionName: 'f',
    environmentVariables: { A: '******', B: '' },
    list: [{ environmentVariables: null }],
  });
});
