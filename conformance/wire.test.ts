// Requests as they were captured from shipped clients, byte for byte: where parameters are, how they are spelled, what answers look like.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { Cleanup } from '../tests/harness/server.ts';
import { zipped } from './kit/clients.ts';
import { at, column, textAt } from './kit/read.ts';
import { formatPairs, send, signRpc, signV3, type WireAnswer } from './kit/wire.ts';
import { mockApi, nodeReturning, World } from './kit/world.ts';

type Pair = readonly [string, string];

const cleanup = new Cleanup();
after(() => cleanup.run());
const world = await World.start(cleanup);
const { ready, credentials } = world.server;
const version = '2016-07-14';
const form = { 'content-type': 'application/x-www-form-urlencoded' };
const draft = mockApi('/w', 'hi');

/** CreateApi as the clients send it: nested configurations as JSON text. */
function createApi(groupId: string, path: string): Pair[] {
  return [
    ['GroupId', groupId],
    ['ApiName', world.unique('天气_wire')],
    ['Visibility', 'PRIVATE'],
    ['RequestConfig', JSON.stringify({ ...draft.RequestConfig, RequestPath: path })],
    ['ServiceConfig', JSON.stringify(draft.ServiceConfig)],
  ];
}

const callV3 = (
  action: string,
  query: readonly Pair[],
  more: { body?: string; headers?: Record<string, string> } = {},
) => {
  const headers = signV3(ready, credentials, { action, version, query, ...more });
  const target = query.length === 0 ? '/' : `/?${formatPairs(query)}`;
  return send(ready, { method: 'POST', target, headers, ...(more.body === undefined ? {} : { body: more.body }) });
};

function succeeded(answer: WireAnswer): WireAnswer {
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

describe('captured calls of CloudAPI', () => {
  it('pop-core GET: everything in the query, a list of objects flattened, the action in headers too', async () => {
    const name = world.unique('group');
    const tags: Pair[] = [
      ['Tag.1.Key', 'env'],
      ['Tag.1.Value', 'dev'],
      ['Tag.2.Key', 'k 2'],
      ['Tag.2.Value', 'v+2'],
    ];
    const call: Pair[] = [
      ['Action', 'CreateApiGroup'],
      ['Format', 'JSON'],
      ['Version', version],
      ['RegionId', ready.region],
    ];
    const query = signRpc(credentials, 'GET', [...call, ['GroupName', name], ['Description', '天气 a*b~c'], ...tags]);
    const headers = { 'x-sdk-client': 'Node.js', 'x-acs-action': 'CreateApiGroup', 'x-acs-version': version };
    const made = succeeded(await send(ready, { method: 'GET', target: `/?${formatPairs(query)}`, headers }));
    assert.match(String(made.headers['content-type']), /^application\/json;charset=utf-8$/);
    assert.match(textAt(made.json, 'RequestId'), /^[0-9A-F]{8}-([0-9A-F]{4}-){3}[0-9A-F]{12}$/);
    assert.equal(made.headers['x-acs-request-id'], at(made.json, 'RequestId'));
    const found = await world.ask('DescribeApiGroups', { Tag: [{ Key: 'k 2', Value: 'v+2' }] });
    assert.deepEqual(column(found, 'ApiGroupAttributes.ApiGroupAttribute', 'GroupName'), [name]);
    assert.deepEqual(column(found, 'ApiGroupAttributes.ApiGroupAttribute', 'Description'), ['天气 a*b~c']);
  });

  it('pop-core POST: the same text as a form, with an empty query', async () => {
    const groupId = await world.newGroup();
    const call: Pair[] = [
      ['Action', 'CreateApi'],
      ['Format', 'JSON'],
      ['Version', version],
    ];
    const body = formatPairs(signRpc(credentials, 'POST', [...call, ...createApi(groupId, '/form')]));
    const made = succeeded(await send(ready, { method: 'POST', target: '/', headers: form, body }));
    assert.match(textAt(made.json, 'ApiId'), /^[0-9a-f]{32}$/);
  });

  it('cloudapi20160714: V3 over a POST with everything in the query and no body', async () => {
    const groupId = await world.newGroup();
    const headers = { 'x-acs-credentials-provider': 'static_ak' };
    const shown = succeeded(await callV3('DescribeApiGroup', [['GroupId', groupId]], { headers }));
    assert.equal(at(shown.json, 'GroupId'), groupId);
  });

  it('cloudapi20160714: V3 with parameters split over query and chunked form, a raw * in the URL', async () => {
    const groupId = await world.newGroup();
    const query: Pair[] = [...createApi(groupId, '/split'), ['Description', 'a*b~c'], ['ForceNonceCheck', 'true']];
    const parameters = [{ ApiParameterName: 'a', Location: 'QUERY', ParameterType: 'String', Required: 'OPTIONAL' }];
    const body = formatPairs([['RequestParameters', JSON.stringify(parameters)]]);
    const headers = signV3(ready, credentials, { action: 'CreateApi', version, query, body, headers: form });
    const target = `/?${formatPairs(query).replaceAll('%2A', '*')}`;
    const made = succeeded(await send(ready, { method: 'POST', target, headers, body, isChunked: true }));
    const shown = await world.ask('DescribeApi', { GroupId: groupId, ApiId: textAt(made.json, 'ApiId') });
    assert.equal(at(shown, 'Description'), 'a*b~c');
    assert.equal(at(shown, 'RequestParameters.RequestParameter.0.ApiParameterName'), 'a');
  });

  it('a bound of 64 bits comes back with every digit, as a number', async () => {
    const groupId = await world.newGroup();
    const rule =
      '"ParameterType":"Long","Required":"OPTIONAL","MinValue":"-9223372036854775808","MaxValue":9007199254740993';
    const parameters: Pair = ['RequestParameters', `[{"ApiParameterName":"a","Location":"QUERY",${rule}}]`];
    const made = succeeded(await callV3('CreateApi', [...createApi(groupId, '/bounds'), parameters]));
    const ApiId = textAt(made.json, 'ApiId');
    const asked: Pair[] = [
      ['GroupId', groupId],
      ['ApiId', ApiId],
    ];
    const shown = succeeded(await callV3('DescribeApi', asked));
    assert.match(shown.text, /"MaxValue":9007199254740993[,}]/);
    assert.match(shown.text, /"MinValue":-9223372036854775808[,}]/);
  });

  it('alibabacloud for Python: V3 with + for a blank in the URL, signed as %20', async () => {
    const name = world.unique('group');
    const query: Pair[] = [
      ['GroupName', name],
      ['Description', 'a b'],
    ];
    const headers = signV3(ready, credentials, { action: 'CreateApiGroup', version, query });
    const target = `/?${formatPairs(query).replaceAll('%20', '+')}`;
    const made = succeeded(await send(ready, { method: 'POST', target, headers }));
    const shown = await world.ask('DescribeApiGroup', { GroupId: textAt(made.json, 'GroupId') });
    assert.equal(at(shown, 'Description'), 'a b');
  });

  it('openapi-client in its v2 mode: RPC v1 in the query, signed together with a form', async () => {
    const groupId = await world.newGroup();
    const fields: Pair[] = [['RequestParameters', '[]']];
    const call: Pair[] = [
      ['Action', 'CreateApi'],
      ['Format', 'json'],
      ['Version', version],
    ];
    const query = signRpc(credentials, 'POST', [...call, ...createApi(groupId, '/v2')], fields);
    const target = `/?${formatPairs(query)}`;
    succeeded(await send(ready, { method: 'POST', target, headers: form, body: formatPairs(fields) }));
  });

  it('the core of Python: an empty SignatureType is part of what is signed', async () => {
    const call: Pair[] = [
      ['Action', 'DescribeRegions'],
      ['Format', 'JSON'],
      ['Version', version],
      ['SignatureType', ''],
    ];
    const query = signRpc(credentials, 'GET', [...call, ['RegionId', ready.region]]);
    succeeded(await send(ready, { method: 'GET', target: `/?${formatPairs(query)}` }));
  });

  it('SetAppsAuthorities: a list as text with commas', async () => {
    const groupId = await world.newGroup();
    const ApiId = await world.newApi(groupId, draft);
    const [one, two] = [await world.newApp(), await world.newApp()];
    const query: Pair[] = [
      ['ApiId', ApiId],
      ['AppIds', `${one.appId},${two.appId}`],
      ['StageName', 'RELEASE'],
    ];
    succeeded(await callV3('SetAppsAuthorities', query));
    const apps = await world.ask('DescribeAuthorizedApps', { GroupId: groupId, ApiId, StageName: 'RELEASE' });
    assert.equal(at(apps, 'TotalCount'), 2);
  });

  it('lists may start at any index and have gaps', async () => {
    const name = world.unique('sparse');
    const query: Pair[] = [
      ['GroupName', name],
      ['Tag.7.Key', 'b'],
      ['Tag.7.Value', '2'],
      ['Tag.3.Key', 'a'],
      ['Tag.3.Value', name],
    ];
    succeeded(await callV3('CreateApiGroup', query));
    const found = await world.ask('DescribeApiGroups', { Tag: [{ Key: 'a', Value: name }] });
    assert.equal(at(found, 'TotalCount'), 1);
  });

  it('without Format an RPC v1 call is answered in XML, errors too', async () => {
    const query = signRpc(credentials, 'GET', [
      ['Action', 'DescribeRegions'],
      ['Version', version],
    ]);
    const answer = succeeded(await send(ready, { method: 'GET', target: `/?${formatPairs(query)}` }));
    assert.match(answer.text, /<DescribeRegionsResponse>.*<RegionId>/s);
    assert.equal(answer.headers['content-type'], 'text/xml;charset=utf-8');
    const wrong = signRpc(credentials, 'GET', [
      ['Action', 'NoSuchThing'],
      ['Version', version],
    ]);
    const refused = await send(ready, { method: 'GET', target: `/?${formatPairs(wrong)}` });
    assert.equal(refused.status, 404);
    assert.match(refused.text, /<Error>.*<Code>InvalidApi.NotFound<\/Code>/s);
  });

  it('TagResources, BatchDeployApis and ImportOAS are read as they come: no complaint about signature or parameters', async () => {
    const rows: [string, Pair[], string?][] = [
      [
        'TagResources',
        [
          ['ResourceId.1', 'r1'],
          ['ResourceType', 'apiGroup'],
          ['Tag.1.Key', 'a'],
          ['Tag.1.Value', 'b'],
        ],
      ],
      [
        'BatchDeployApis',
        [
          ['Api.1.ApiUid', 'a1'],
          ['Api.1.GroupId', 'g1'],
          ['Description', 'd'],
          ['StageName', 'RELEASE'],
        ],
      ],
      [
        'ImportOAS',
        [
          ['GroupId', 'g'],
          ['IgnoreWarning', 'true'],
          ['Overwrite', 'false'],
        ],
        'Data=%7B%22openapi%22%3A%223.0.0%22%7D',
      ],
    ];
    for (const [action, query, body] of rows) {
      const answer = await callV3(action, query, body === undefined ? {} : { body, headers: form });
      const code = String(at(answer.json, 'Code'));
      assert.doesNotMatch(
        code,
        /^(Missing|Invalid(?!Api\.NotFound)|Signature|Incomplete)/,
        `${action}: ${answer.text}`,
      );
    }
  });

  it('a bearer token is no signature here, in neither place', async () => {
    const bearer: Pair[] = [
      ['ApiId', 'x'],
      ['SignatureType', 'BEARERTOKEN'],
    ];
    const headers = { 'x-acs-action': 'DescribeApi', 'x-acs-version': version, 'x-acs-bearer-token': 'token' };
    const target = `/?${formatPairs(bearer)}`;
    const inHeader = await send(ready, { method: 'POST', target, headers });
    const call: Pair[] = [
      ['Action', 'DescribeApi'],
      ['Version', version],
      ['Format', 'JSON'],
      ['BearerToken', 'token'],
    ];
    const inQuery = await send(ready, { method: 'POST', target: `/?${formatPairs([...call, ...bearer])}` });
    for (const answer of [inHeader, inQuery]) {
      assert.ok(answer.status >= 400 && answer.status < 500, answer.text);
      assert.match(answer.text, /Code/);
    }
  });

  it('parameters added or changed after signing are refused, with the text that the server signed', async () => {
    const query: Pair[] = [['GroupId', 'a']];
    const headers = signV3(ready, credentials, { action: 'DescribeApiGroup', version, query });
    const answer = await send(ready, { method: 'POST', target: '/?GroupId=b', headers });
    assert.equal(at(answer.json, 'Code'), 'SignatureDoesNotMatch');
    assert.match(textAt(answer.json, 'Message'), /GroupId=b/);
    const fields = signV3(ready, credentials, { action: 'CreateApi', version, query: [], body: 'a=1', headers: form });
    const other = await send(ready, { method: 'POST', target: '/', headers: fields, body: 'a=2' });
    assert.equal(at(other.json, 'Code'), 'SignatureDoesNotMatch');
  });
});

describe('captured calls of other products', () => {
  it('SMS by V3 and by RPC v1 answers its own unknown action, whatever is in query and form', async () => {
    const sms = '2017-05-25';
    const query: Pair[] = [
      ['PhoneNumbers', '13000000000'],
      ['SignName', '阿里云'],
      ['TemplateCode', 'SMS_1'],
      ['TemplateParam', '{}'],
    ];
    const headers = signV3(ready, credentials, { action: 'SendSms', version: sms, query });
    const byV3 = await send(ready, { method: 'POST', target: `/?${formatPairs(query)}`, headers });
    const call: Pair[] = [
      ['Action', 'SendSms'],
      ['Version', sms],
      ['Format', 'JSON'],
    ];
    const signed = formatPairs(signRpc(credentials, 'GET', [...call, ...query]));
    const byRpc = await send(ready, { method: 'GET', target: `/?${signed}` });
    for (const answer of [byV3, byRpc]) {
      assert.deepEqual([answer.status, at(answer.json, 'Code')], [404, 'InvalidAction.NotFound']);
    }
  });

  it('CreateFunction of the fun tool: JSON as a chunked octet stream, classic signature, host without its port', async () => {
    const service = world.unique('svc');
    await world.fc2('createService', service);
    const body = JSON.stringify({
      ...{ FunctionName: 'f', HANDLER: 'index.handler', runtime: 'nodejs20', Unknown: { a: 1 } },
      Code: { ZipFile: await zipped(nodeReturning('"wire"')) },
    });
    const path = `/2016-08-15/services/${service}/functions`;
    const date = new Date().toUTCString();
    const type = 'application/octet-stream';
    const text = `POST\n\n${type}\n${date}\nx-fc-account-id:${ready.accountId}\n${path}`;
    const signature = createHmac('sha256', credentials.accessKeySecret).update(text).digest('base64');
    const headers = {
      ...{ date, host: '127.0.0.1', 'content-type': type, 'x-fc-account-id': ready.accountId },
      authorization: `FC ${credentials.accessKeyId}:${signature}`,
    };
    const made = succeeded(await send(ready, { method: 'POST', target: path, headers, body, isChunked: true }));
    assert.equal(at(made.json, 'functionName'), 'f');
    assert.match(String(made.headers['x-fc-request-id']), /^.{36}$/);
    assert.equal(at(await world.fc2('invokeFunction', service, 'f', 'e'), 'data'), 'wire');
  });

  it('ROA of the core of Python: no nonce, the digest of the body in Content-MD5', async () => {
    const path = '/2023-03-30/functions';
    const body = '{}';
    const date = new Date().toUTCString();
    const digest = createHash('md5').update(body).digest('base64');
    const own = [
      ['x-acs-region-id', ready.region],
      ['x-acs-signature-method', 'HMAC-SHA1'],
      ['x-acs-signature-version', '1.0'],
      ['x-acs-version', '2023-03-30'],
    ] as const;
    const lines = own.map(([name, value]) => `${name}:${value}\n`).join('');
    const resource = `${path}?RegionId=${ready.region}`;
    const text = `POST\napplication/json\n${digest}\napplication/json\n${date}\n${lines}${resource}`;
    const signature = createHmac('sha1', credentials.accessKeySecret).update(text).digest('base64');
    const headers = {
      ...{ ...Object.fromEntries(own), accept: 'application/json', 'content-md5': digest, date },
      ...{ 'content-type': 'application/json', authorization: `acs ${credentials.accessKeyId}:${signature}` },
    };
    const answer = await send(ready, { method: 'POST', target: resource, headers, body });
    assert.deepEqual([answer.status, at(answer.json, 'Code')], [400, 'InvalidArgument']);
  });
});
