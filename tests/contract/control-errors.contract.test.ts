// The error matrix: what every product answers at every version by every scheme to a call that is wrong in one way.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { tokenKeyPurpose } from '../../src/control/index.ts';
import { createTokenSealer } from '../../src/wire/security-token.ts';
import { type Plane, type RawAnswer, startPlane, textAt } from './control-fixture.ts';
import { fcSchemes, type Key, rpcSchemes, type Signed, schemesWithNonce } from './control-schemes.ts';

type Keys = {
  readonly root: Key;
  readonly disabled: Key;
  readonly readOnly: Key;
  readonly temporary: Key;
  readonly others: Key;
};
/** Status and code. */
type Answered = readonly [number, string];

/** What is wrong with the call of a scheme, and what the RPC products and Function Compute answer. */
type Row = {
  readonly wrong: string;
  readonly signed: (keys: Keys, plane: Plane) => Signed;
  readonly rpc: Answered;
  readonly fc: Answered;
  /** Only for schemes that this is about. */
  readonly schemes?: (name: string) => boolean;
};

const minute = 60_000;
const sealerOf = (plane: Plane) => createTokenSealer(plane.store.deriveKey(tokenKeyPurpose));
const holderOf = (plane: Plane, expiresAt = Date.now() + minute) => ({
  accountId: plane.credentials.accountId,
  functionKey: 'shop/cart',
  role: null,
  expiresAt,
});

const rows: readonly Row[] = [
  {
    wrong: 'a key that there is not',
    signed: () => ({ key: { accessKeyId: 'LTAInobody', accessKeySecret: 's' } }),
    rpc: [404, 'InvalidAccessKeyId.NotFound'],
    fc: [403, 'InvalidAccessKeyID'],
  },
  {
    wrong: 'a signature by another secret',
    signed: ({ root }) => ({ key: { ...root, accessKeySecret: 'wrong' } }),
    rpc: [400, 'SignatureDoesNotMatch'],
    fc: [403, 'SignatureNotMatch'],
  },
  {
    wrong: 'a time 16 minutes ago',
    signed: ({ root }) => ({ key: root, time: Date.now() - 16 * minute }),
    rpc: [400, 'InvalidTimeStamp.Expired'],
    fc: [403, 'RequestTimeTooSkewed'],
  },
  {
    wrong: 'a time 16 minutes ahead',
    signed: ({ root }) => ({ key: root, time: Date.now() + 16 * minute }),
    rpc: [400, 'InvalidTimeStamp.Expired'],
    fc: [403, 'RequestTimeTooSkewed'],
    schemes: (name) => name !== 'FC query',
  },
  {
    wrong: 'a time that is none',
    signed: ({ root }) => ({ key: root, time: 'yesterday' }),
    rpc: [400, 'InvalidTimeStamp.Format'],
    fc: [400, 'InvalidArgument'],
  },
  {
    wrong: 'a nonce that was used',
    signed: ({ root }) => ({ key: root, nonce: 'used' }),
    rpc: [400, 'SignatureNonceUsed'],
    fc: [403, 'AccessDenied'],
    schemes: (name) => schemesWithNonce.has(name),
  },
  {
    wrong: 'a key that is disabled',
    signed: ({ disabled }) => ({ key: disabled }),
    rpc: [400, 'InvalidAccessKeyId.Inactive'],
    fc: [403, 'AccessDenied'],
  },
  {
    wrong: 'a write by a read-only key',
    signed: ({ readOnly }) => ({ key: readOnly }),
    rpc: [403, 'NoPermission'],
    fc: [403, 'AccessDenied'],
  },
  {
    wrong: "a control-plane call by a function's credentials",
    signed: ({ temporary }) => ({ key: temporary }),
    rpc: [403, 'NoPermission'],
    fc: [403, 'AccessDenied'],
  },
  {
    wrong: 'a temporary key without its token',
    signed: ({ temporary: { accessKeyId, accessKeySecret } }) => ({ key: { accessKeyId, accessKeySecret } }),
    rpc: [400, 'MissingSecurityToken'],
    fc: [400, 'MissingRequiredHeader'],
  },
  {
    wrong: 'a token that was changed',
    signed: ({ temporary }) => {
      const token = temporary.securityToken ?? '';
      const changed = `${token.slice(0, 20)}${token[20] === 'A' ? 'B' : 'A'}${token.slice(21)}`;
      return { key: { ...temporary, securityToken: changed } };
    },
    rpc: [400, 'InvalidSecurityToken.Malformed'],
    fc: [403, 'InvalidSecurityToken.Malformed'],
  },
  {
    wrong: 'a token that is no token',
    signed: ({ temporary }) => ({ key: { ...temporary, securityToken: 'x' } }),
    rpc: [400, 'InvalidSecurityToken.Malformed'],
    fc: [403, 'InvalidSecurityToken.Malformed'],
  },
  {
    wrong: 'a token sealed by another server',
    signed: ({ temporary }, plane) => {
      const { securityToken } = createTokenSealer(Buffer.alloc(32)).issue(holderOf(plane));
      return { key: { ...temporary, securityToken } };
    },
    rpc: [400, 'InvalidSecurityToken.Malformed'],
    fc: [403, 'InvalidSecurityToken.Malformed'],
  },
  {
    wrong: 'the token of other credentials',
    signed: ({ temporary, others }) => ({ key: { ...temporary, securityToken: others.securityToken ?? '' } }),
    rpc: [400, 'InvalidSecurityToken.MismatchWithAccessKey'],
    fc: [403, 'InvalidSecurityToken.MismatchWithAccessKey'],
  },
  {
    wrong: 'a token with a key that is not temporary',
    signed: ({ root, temporary }) => ({ key: { ...root, securityToken: temporary.securityToken ?? '' } }),
    rpc: [400, 'InvalidSecurityToken.MismatchWithAccessKey'],
    fc: [403, 'InvalidSecurityToken.MismatchWithAccessKey'],
  },
  {
    wrong: 'a token that has expired',
    signed: (_, plane) => ({ key: sealerOf(plane).issue(holderOf(plane, Date.now() - 1)) }),
    rpc: [400, 'InvalidSecurityToken.Expired'],
    fc: [403, 'InvalidSecurityToken.Expired'],
  },
  {
    wrong: 'temporary credentials with another secret',
    signed: ({ temporary }) => ({ key: { ...temporary, accessKeySecret: 'wrong' } }),
    rpc: [400, 'SignatureDoesNotMatch'],
    fc: [403, 'SignatureNotMatch'],
  },
];

/** A write that is right but for the signature, at each version. */
const fcWrites: Readonly<Record<string, string>> = {
  '2016-08-15': '/2016-08-15/services',
  '2021-04-06': '/2021-04-06/services',
  '2023-03-30': '/2023-03-30/functions',
};

describe('the error matrix', () => {
  let plane: Plane;
  let keys: Keys;
  const seen: string[] = [];

  before(async () => {
    plane = await startPlane();
    const made = async (id: string, row: { isEnabled: boolean; access: 'admin' | 'read-only' }): Promise<Key> => {
      const key = { accessKeyId: id, accessKeySecret: `secret-of-${id}` };
      await plane.store.write((tx) => tx.rows.accessKeys.insert({ ...key, ...row, createdAt: 0 }));
      return key;
    };
    const { accessKeyId, accessKeySecret } = plane.credentials;
    const issue = (): Key => {
      const { expiresAt: _, ...key } = sealerOf(plane).issue(holderOf(plane, Date.now() + 60 * minute));
      return key;
    };
    keys = {
      root: { accessKeyId, accessKeySecret },
      disabled: await made('LTAIdisabled', { isEnabled: false, access: 'admin' }),
      readOnly: await made('LTAIreader', { isEnabled: true, access: 'read-only' }),
      temporary: issue(),
      others: issue(),
    };
  });
  after(() => plane.close());

  function checkRpc(answer: RawAnswer, [status, code]: Answered): void {
    seen.push(answer.text);
    assert.deepEqual([answer.status, textAt(answer.json, 'Code')], [status, code], answer.text);
    assert.deepEqual(Object.keys(answer.json as object), ['RequestId', 'HostId', 'Code', 'Message', 'Recommend']);
    assert.equal(textAt(answer.json, 'HostId'), plane.url.host);
    assert.match(textAt(answer.json, 'RequestId'), /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/);
    assert.equal(answer.headers['x-acs-request-id'], textAt(answer.json, 'RequestId'));
    assert.equal(answer.headers['content-type'], 'application/json;charset=utf-8');
  }

  function checkFc(answer: RawAnswer, [status, code]: Answered): void {
    seen.push(answer.text);
    assert.deepEqual([answer.status, textAt(answer.json, 'Code')], [status, code], answer.text);
    const names = ['RequestId', 'Code', 'Message', 'ErrorCode', 'ErrorMessage'];
    assert.deepEqual(Object.keys(answer.json as object), names);
    assert.equal(textAt(answer.json, 'ErrorCode'), code);
    assert.equal(textAt(answer.json, 'ErrorMessage'), textAt(answer.json, 'Message'));
    assert.match(
      textAt(answer.json, 'RequestId'),
      /^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|1-[0-9a-f]{8}-[0-9a-f]{24})$/,
    );
    assert.equal(answer.headers['x-fc-request-id'], textAt(answer.json, 'RequestId'));
    assert.equal(answer.headers['content-type'], 'application/json');
  }

  const rpcWrites = {
    CloudAPI: { action: 'CreateApiGroup', version: '2016-07-14', parameters: [['GroupName', 'never_made']] },
    Dysmsapi: { action: 'SendSms', version: '2017-05-25', parameters: [['PhoneNumbers', '13000000000']] },
  } as const;

  for (const { wrong, signed, rpc, fc, schemes = () => true } of rows) {
    it(`${wrong}: ${rpc.join(' ')}, or of Function Compute ${fc.join(' ')}`, async () => {
      for (const [product, { parameters, ...call }] of Object.entries(rpcWrites)) {
        for (const [name, scheme] of Object.entries(rpcSchemes)) {
          if (!schemes(name)) continue;
          const asked = { ...call, parameters: [...parameters, ['Format', 'JSON'] as const] };
          const chosen = signed(keys, plane);
          if (chosen.nonce !== undefined) {
            const nonce = `${product} ${name}`;
            await scheme(
              plane,
              { ...asked, action: product === 'CloudAPI' ? 'DescribeRegions' : call.action },
              { ...chosen, nonce },
            );
            checkRpc(await scheme(plane, asked, { ...chosen, nonce }), rpc);
            continue;
          }
          const code = rpc[1] === 'NoPermission' && product === 'Dysmsapi' ? 'Forbidden.RAM' : rpc[1];
          checkRpc(await scheme(plane, asked, chosen), [rpc[0], code]);
        }
      }
      for (const [version, path] of Object.entries(fcWrites)) {
        for (const [name, scheme] of Object.entries(fcSchemes)) {
          if (!schemes(name)) continue;
          const chosen = signed(keys, plane);
          const body = '{"serviceName":"never_made"}';
          const twice = chosen.nonce === undefined ? chosen : { ...chosen, nonce: `${version} ${name}` };
          if (chosen.nonce !== undefined) await scheme(plane, { method: 'GET', path }, twice);
          checkFc(await scheme(plane, { method: 'POST', path, body }, twice), fc);
        }
      }
    });
  }

  const requests: readonly [string, Parameters<(typeof rpcSchemes)[string]>[1], Answered][] = [
    [
      'an action that there is not',
      { action: 'MakeTea', version: '2016-07-14', parameters: [] },
      [404, 'InvalidApi.NotFound'],
    ],
    [
      'an action of another product',
      { action: 'SendSms', version: '2016-07-14', parameters: [] },
      [404, 'InvalidApi.NotFound'],
    ],
    [
      'an SMS action that there is not',
      { action: 'MakeTea', version: '2017-05-25', parameters: [] },
      [404, 'InvalidAction.NotFound'],
    ],
    [
      'a version that there is not',
      { action: 'DescribeRegions', version: '1999-01-01', parameters: [] },
      [400, 'InvalidVersion'],
    ],
    [
      'a missing parameter',
      { action: 'DescribeApi', version: '2016-07-14', parameters: [['GroupId', 'g']] },
      [400, 'MissingApiId'],
    ],
    [
      'a name that is not allowed',
      { action: 'CreateApiGroup', version: '2016-07-14', parameters: [['GroupName', '9 lives']] },
      [400, 'InvalidGroupName'],
    ],
    [
      'a number that is none',
      { action: 'DescribeApp', version: '2016-07-14', parameters: [['AppId', 'seven']] },
      [400, 'InvalidAppId'],
    ],
    [
      'a thing that there is not',
      { action: 'DescribeApiGroup', version: '2016-07-14', parameters: [['GroupId', 'nowhere']] },
      [400, 'NotFoundApiGroup'],
    ],
  ];
  for (const [wrong, call, expected] of requests) {
    it(`${wrong}: ${expected.join(' ')}`, async () => {
      for (const scheme of Object.values(rpcSchemes)) {
        const asked = { ...call, parameters: [...call.parameters, ['Format', 'JSON'] as const] };
        checkRpc(await scheme(plane, asked, { key: keys.root }), expected);
      }
    });
  }

  const fcRequests: readonly [
    string,
    (version: string) => { method: string; path: string; body?: string },
    Answered,
  ][] = [
    ['a path that there is not', (version) => ({ method: 'GET', path: `/${version}/tea` }), [400, 'PathNotSupported']],
    [
      'a method that there is not',
      (version) => ({ method: 'PATCH', path: `/${version}/functions` }),
      [400, 'PathNotSupported'],
    ],
    [
      'a missing member',
      (version) => ({ method: 'POST', path: fcWrites[version] ?? '', body: '{}' }),
      [400, 'InvalidArgument'],
    ],
    [
      'a body that is no JSON',
      (version) => ({ method: 'POST', path: fcWrites[version] ?? '', body: '{' }),
      [400, 'InvalidArgument'],
    ],
    [
      'a name that is not allowed',
      (version) => ({
        method: 'POST',
        path: fcWrites[version] ?? '',
        body: '{"serviceName":"9 lives","functionName":"9 lives"}',
      }),
      [400, 'InvalidArgument'],
    ],
    [
      'a thing that there is not',
      (version) =>
        version === '2023-03-30'
          ? { method: 'GET', path: `/${version}/functions/nowhere` }
          : { method: 'GET', path: `/${version}/services/nowhere` },
      [404, ''],
    ],
  ];
  for (const [wrong, request, [status, code]] of fcRequests) {
    it(`${wrong}, of Function Compute: ${status} ${code}`, async () => {
      for (const version of Object.keys(fcWrites)) {
        const known = version === '2023-03-30' ? 'FunctionNotFound' : 'ServiceNotFound';
        for (const scheme of Object.values(fcSchemes)) {
          checkFc(await scheme(plane, request(version), { key: keys.root }), [status, code === '' ? known : code]);
        }
      }
    });
  }

  it('a version of Function Compute that there is not is a path of no product', async () => {
    for (const scheme of Object.values(fcSchemes)) {
      checkRpc(await scheme(plane, { method: 'GET', path: '/1999-01-01/functions' }, { key: keys.root }), [
        404,
        'InvalidApi.NotFound',
      ]);
    }
  });

  it('wrote nothing, and shows and logs no secret or token', async () => {
    const groups = await plane.store.read((tx) => tx.rows.groups.list({ limit: 10 }));
    const services = await plane.store.read((tx) => tx.rows.services.list({ limit: 10 }));
    assert.deepEqual([groups.length, services.length], [0, 0]);
    const everything = [...seen, ...plane.logged].join('\n');
    for (const { accessKeySecret, securityToken } of Object.values(keys)) {
      assert.ok(!everything.includes(accessKeySecret));
      // The string to sign that a mismatch shows is the caller's own request; pieces of it are the token it sent.
      if (securityToken !== undefined) assert.ok(!plane.logged.join('\n').includes(securityToken));
    }
  });
});
