// The options of a group: what ModifyApiGroup takes, keeps, shows and tells the gateway.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { PublishedGroup } from '../../src/model/published.ts';
import { at, type Loose, type Plane, popRpc, startPlane, textAt } from './control-fixture.ts';

let plane: Plane;
let counter = 0;
before(async () => {
  plane = await startPlane();
});
after(() => plane.close());
const ask = (action: string, params: Record<string, unknown> = {}): Promise<Loose> =>
  popRpc(plane, 'POST')(action, params);
const newGroup = async () => textAt(await ask('CreateApiGroup', { GroupName: `options_${++counter}` }), 'GroupId');
const optionsOf = async (GroupId: string) =>
  ((await plane.published()).get(`group ${GroupId}`) as PublishedGroup | undefined)?.options;

const log =
  '{"requestBody":true,"responseBody":false,"queryString":"*","requestHeaders":"X-A, x-b","responseHeaders":"","jwtClaims":"sub"}';
const options = {
  PassthroughHeaders: 'eagleeye-rpcid, X-B3-TraceId',
  CustomAppCodeConfig: '{"location":"HEADER","name":"myAppCodeHeader"}',
  CustomTraceConfig: '{"parameterLocation":"QUERY","parameterName":"traceId"}',
  CustomerConfigs: 'removeResponseServerHeader',
  RpsLimitForServerless: '20',
  SupportSSE: 'true',
  UserLogConfig: log,
};

describe('the options of a group', () => {
  it('are told to the gateway, shown as they were given, kept by other changes, and taken away one by one', async () => {
    const GroupId = await newGroup();
    assert.equal(await optionsOf(GroupId), undefined);
    await ask('ModifyApiGroup', { GroupId, ...options });
    const wanted = {
      passedHeaders: [
        { name: 'eagleeye-rpcid', lowerName: 'eagleeye-rpcid' },
        { name: 'X-B3-TraceId', lowerName: 'x-b3-traceid' },
      ],
      codePlace: { location: 'HEADER', name: 'myappcodeheader' },
      tracePlace: { location: 'QUERY', name: 'traceId' },
      log: {
        query: 'all',
        requestHeaders: ['x-a', 'x-b'],
        responseHeaders: [],
        jwtClaims: ['sub'],
        requestBody: true,
        responseBody: false,
      },
      hidesServer: true,
      callsPerSecond: 20,
    };
    assert.deepEqual(await optionsOf(GroupId), wanted);
    const shown = await ask('DescribeApiGroup', { GroupId });
    for (const name of [
      'PassthroughHeaders',
      'CustomAppCodeConfig',
      'CustomTraceConfig',
      'CustomerConfigs',
      'UserLogConfig',
    ] as const) {
      assert.equal(at(shown, name), options[name], name);
    }
    assert.equal(at(shown, 'TrafficLimit'), 20);
    assert.equal(at(shown, 'VpcDomain'), `${GroupId}-cn-hangzhou-vpc.alicloudapi.com`);
    await ask('ModifyApiGroup', { GroupId, Description: 'd' });
    assert.deepEqual(await optionsOf(GroupId), wanted);
    await ask('ModifyApiGroup', { GroupId, RpsLimitForServerless: '', UserLogConfig: '{}' });
    assert.deepEqual(await optionsOf(GroupId), { ...wanted, callsPerSecond: null, log: null });
    const cleared = Object.fromEntries(Object.keys(options).map((name) => [name, '']));
    await ask('ModifyApiGroup', { GroupId, ...cleared });
    assert.equal(await optionsOf(GroupId), undefined);
    assert.equal(at(await ask('DescribeApiGroup', { GroupId }), 'TrafficLimit'), 500);
  });

  it('pass on the client’s Host where that is among the headers', async () => {
    const GroupId = await newGroup();
    await ask('ModifyApiGroup', { GroupId, PassthroughHeaders: 'X-A,Host' });
    const { passedHeaders, passesHost } = (await optionsOf(GroupId)) ?? {};
    assert.deepEqual([passedHeaders, passesHost], [[{ name: 'X-A', lowerName: 'x-a' }], true]);
    await ask('ModifyApiGroup', { GroupId, PassthroughHeaders: 'host' });
    assert.equal((await optionsOf(GroupId))?.passesHost, true);
    await ask('ModifyApiGroup', { GroupId, PassthroughHeaders: '' });
    assert.equal(await optionsOf(GroupId), undefined);
  });

  it('name a default domain of the group’s own', async () => {
    const GroupId = await newGroup();
    const set = (DefaultDomain: string) => ask('ModifyApiGroup', { GroupId, DefaultDomain });
    await assert.rejects(set('options.example.com'), { code: 'InvalidDefaultDomain' });
    await ask('SetDomain', { GroupId, DomainName: 'options.example.com' });
    await set('options.example.com');
    assert.equal(at(await ask('DescribeApiGroup', { GroupId }), 'DefaultDomain'), 'options.example.com');
  });

  it('that cannot be used are refused by name, and change nothing', async () => {
    const GroupId = await newGroup();
    const rows: readonly (readonly [name: string, text: string])[] = [
      ['PassthroughHeaders', 'a b'],
      ['PassthroughHeaders', 'host, Connection'],
      ['PassthroughHeaders', 'X-Ca-Api-Gateway'],
      ['PassthroughHeaders', Array.from({ length: 51 }, (_, n) => `x-${n}`).join()],
      ['CustomAppCodeConfig', '{'],
      ['CustomAppCodeConfig', '[]'],
      ['CustomAppCodeConfig', '{"location":"BODY","name":"a"}'],
      ['CustomAppCodeConfig', '{"location":"HEADER","name":"a b"}'],
      ['CustomTraceConfig', '{"parameterLocation":"QUERY"}'],
      ['CustomerConfigs', 'other'],
      ['RpsLimitForServerless', '0'],
      ['RpsLimitForServerless', 'many'],
      ['SupportSSE', 'maybe'],
      ['UserLogConfig', '{"requestBody":"perhaps"}'],
      ['UserLogConfig', 'true'],
    ];
    for (const [name, text] of rows) {
      await assert.rejects(
        ask('ModifyApiGroup', { GroupId, [name]: text }),
        { code: `Invalid${name}` },
        `${name} ${text}`,
      );
    }
    await assert.rejects(ask('ModifyApiGroup', { GroupId, RpcPattern: 'x' }), { code: 'UnsupportedParameter' });
    assert.equal(await optionsOf(GroupId), undefined);
  });
});
