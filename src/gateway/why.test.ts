// Why did my call fail: one explanation for each of the faults that people lose hours on, and none that is guessed.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InvokeFunction } from '../model/invocation.ts';
import type { FaultSide } from '../model/record.ts';
import { computeSignature } from '../wire/gateway-signature.ts';
import type { GatewayRequest } from './context.ts';
import {
  api,
  app,
  definition,
  facts,
  grant,
  group,
  open,
  parameter,
  request,
  returned,
  signedRequest,
  startedAt,
  theApp,
} from './testing.ts';

const changes = [
  group(),
  theApp,
  api('one', definition({ auth: { type: 'APP' }, request: { method: 'POST' } })),
  api('ungranted', definition({ auth: { type: 'APP' }, request: { path: '/ungranted' } })),
  api('ended', definition({ auth: { type: 'APP' }, request: { path: '/ended' } })),
  api('tested', definition({ request: { path: '/tested' } }), 'TEST'),
  api(
    'checked',
    definition({
      request: { path: '/checked' },
      rest: { parameters: [parameter({ name: 'age', required: true, regularExpression: '[0-9]{1,3}' })] },
    }),
  ),
  api('open', definition({ request: { path: '/open' } })),
  grant('one'),
  grant('ended', 'RELEASE', startedAt - 1),
];

/** One header exchanged, added or (null) dropped after signing. */
function changed(value: GatewayRequest, name: string, text: string | null): GatewayRequest {
  const rawHeaders: string[] = [];
  for (let i = 0; i < value.rawHeaders.length; i += 2) {
    if (value.rawHeaders[i]?.toLowerCase() !== name.toLowerCase()) {
      rawHeaders.push(value.rawHeaders[i] ?? '', value.rawHeaders[i + 1] ?? '');
    }
  }
  if (text !== null) rawHeaders.push(name, text);
  return { ...value, rawHeaders };
}

const post = (parts: Parameters<typeof signedRequest>[0] = {}) =>
  signedRequest({ method: 'POST', headers: { 'Content-Type': 'application/json' }, text: '{}', ...parts });

/** Signs the stage and does not say so. */
function unlistedHeader(): GatewayRequest {
  const text = `POST\n\n\n\n\nX-Ca-Key:${app.key}\nX-Ca-Stage:RELEASE\n/a`;
  return request({
    method: 'POST',
    headers: {
      'X-Ca-Key': app.key,
      'X-Ca-Stage': 'RELEASE',
      'X-Ca-Signature-Headers': 'X-Ca-Key',
      'X-Ca-Signature': computeSignature(text, app.secret, 'HmacSHA256'),
    },
  });
}

type Row = {
  readonly fault: string;
  readonly ask: () => GatewayRequest;
  readonly invoke?: InvokeFunction;
  readonly code: string;
  readonly side: FaultSide;
  readonly field: string | null;
  readonly message: RegExp;
  /** Side by side, where a signature is concerned: both strings to sign. */
  readonly expected: RegExp;
  readonly got: RegExp;
};

const rows: readonly Row[] = [
  {
    fault: 'a wrong secret',
    ask: () => post({ appSecret: 'wrong' }),
    code: 'A403IS',
    side: 'client',
    field: 'X-Ca-Signature',
    message: /make the same string to sign of the request that arrived; .* the secret is wrong/,
    expected: /^POST\n\*\/\*\nmZFLkyvTelC5g8XnyQrpOw==\napplication\/json\n\nX-Ca-Key:203753385\n\/a$/,
    got: /^POST\n\*\/\*\nmZFLkyvTelC5g8XnyQrpOw==\napplication\/json\n\nX-Ca-Key:203753385\n\/a$/,
  },
  {
    fault: 'a header that was signed and is not in the list',
    ask: unlistedHeader,
    code: 'A403IS',
    side: 'client',
    field: 'X-Ca-Signature-Headers',
    message: /the client signed X-Ca-Stage too, but does not name it/,
    expected: /\nX-Ca-Key:203753385\n\/a$/,
    got: /\nX-Ca-Key:203753385\nX-Ca-Stage:RELEASE\n\/a$/,
  },
  {
    fault: 'Accept, changed by a proxy',
    ask: () =>
      changed(post({ headers: { Accept: 'application/json', 'Content-Type': 'text/plain' } }), 'Accept', '*/*'),
    code: 'A403IS',
    side: 'client',
    field: 'Accept',
    message: /the client signed Accept "application\/json", but "\*\/\*" arrived/,
    expected: /^POST\n\*\/\*\n/,
    got: /^POST\napplication\/json\n/,
  },
  {
    fault: 'a wrong Content-MD5',
    ask: () => ({ ...post(), body: request({ body: '[]' }).body }),
    code: 'I400I5',
    side: 'client',
    field: 'Content-MD5',
    message: /not the Base64 MD5 of the 2 bytes of body that arrived/,
    expected: /^11FxOYiYfpMxmANj4kGJzg==$/,
    got: /^mZFLkyvTelC5g8XnyQrpOw==$/,
  },
  {
    fault: 'a clock that is wrong',
    ask: () => post({ timestamp: startedAt - 3_600_000 }),
    code: 'S403TE',
    side: 'client',
    field: 'X-Ca-Timestamp',
    message: /3600 s behind the gateway's clock/,
    expected: /^within 900 s of 1525872629832$/,
    got: /^1525869029832$/,
  },
  {
    fault: 'a replay',
    ask: () => post({ nonce: 'used' }),
    code: 'S403NU',
    side: 'client',
    field: 'X-Ca-Nonce',
    message: /used already: it is a replay/,
    expected: /^a value not used by this app in 15 minutes$/,
    got: /^used$/,
  },
  {
    fault: 'an unknown key',
    ask: () => post({ appKey: '1' }),
    code: 'A400IK',
    side: 'client',
    field: 'X-Ca-Key',
    message: /No app has the key "1"/,
    expected: /^the key of an app$/,
    got: /^1$/,
  },
  {
    fault: 'a missing grant',
    ask: () => signedRequest({ target: '/ungranted' }),
    code: 'I403AA',
    side: 'api-owner',
    field: 'grant',
    message: /signature is right, but the app caller \(110\) may not call .* grant it/,
    expected: /^a grant of the API testadd \(ungranted\) in stage RELEASE to the app caller \(110\)$/,
    got: /^none$/,
  },
  {
    fault: 'a grant that has ended',
    ask: () => signedRequest({ target: '/ended' }),
    code: 'A403EP',
    side: 'api-owner',
    field: 'grant',
    message: /has ended: grant it again/,
    expected: /^a grant that has not ended$/,
    got: /^ended at 2018-05-09T13:30:29\.831Z$/,
  },
  {
    fault: 'another stage',
    ask: () => request({ target: '/tested' }),
    code: 'I404NF',
    side: 'client',
    field: 'X-Ca-Stage',
    message: /it is published in TEST\. Send X-Ca-Stage or publish it to RELEASE/,
    expected: /^TEST$/,
    got: /^GET \/tested in stage RELEASE$/,
  },
  {
    fault: 'another method',
    ask: () => request({ method: 'PUT', target: '/open' }),
    code: 'I404NF',
    side: 'client',
    field: 'method',
    message: /this path is published for GET/,
    expected: /^GET$/,
    got: /^PUT \/open in stage RELEASE$/,
  },
  {
    fault: 'a required parameter that is missing',
    ask: () => request({ target: '/checked' }),
    code: 'I400MP',
    side: 'client',
    field: 'age',
    message: /age is required in the query and was not sent/,
    expected: /^age in the query$/,
    got: /^nothing$/,
  },
  {
    fault: 'a value that does not match',
    ask: () => request({ target: '/checked?age=old' }),
    code: 'I400IP',
    side: 'client',
    field: 'age',
    message: /age \(query\) does not match the regular expression/,
    expected: /^a value of type String, all of it matching \[0-9\]\{1,3\}$/,
    got: /^old$/,
  },
  {
    fault: 'a result that is not of the shape',
    ask: () => request({ target: '/open' }),
    invoke: async () => returned({ msg: 'hello' }),
    code: 'D502FC',
    side: 'function',
    field: 'statusCode',
    message: /must return JSON with statusCode, headers, body and isBase64Encoded/,
    expected: /^\{"isBase64Encoded":false,"statusCode":200,/,
    got: /^\{"msg":"hello"\}$/,
  },
  {
    fault: 'the function’s own time-out',
    ask: () => request({ target: '/open' }),
    invoke: async () => ({
      kind: 'function-error',
      errorType: 'UnhandledInvocationError',
      // As the compute plane writes it.
      body: Buffer.from(
        '{"errorMessage":"Function timed out after 3 seconds (duration: 3001ms, maxMemoryUsage: 9.20MB)"}',
      ),
      ...facts,
    }),
    code: 'D502FC',
    side: 'function',
    field: "the function's timeout",
    message: /its own time-out of 3 s \(not into the API's ServiceTimeout\)/,
    expected: /^a result within 3 s$/,
    got: /Function timed out after 3 seconds/,
  },
];

describe('a failed call is explained:', () => {
  for (const row of rows) {
    it(row.fault, async () => {
      const bench = open(changes, row.invoke === undefined ? {} : { invoke: row.invoke });
      if (row.code === 'S403NU') assert.equal((await bench.send(row.ask())).status, 200);
      const { failure } = await bench.send(row.ask());
      assert.deepEqual([failure?.code, failure?.side, failure?.field], [row.code, row.side, row.field]);
      assert.match(failure?.message ?? '', row.message);
      assert.match(failure?.expected ?? '', row.expected);
      assert.match(failure?.got ?? '', row.got);
      assert.deepEqual(bench.bugs, []);
    });
  }

  it('the API’s time-out, as another one than the function’s', async () => {
    const bench = open(changes, { invoke: () => new Promise(() => {}) });
    const answer = bench.send(request({ target: '/open' }));
    while (bench.clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    bench.clock.advance(60_000);
    const { failure } = await answer;
    assert.deepEqual([failure?.code, failure?.side, failure?.field], ['D504TO', 'api-owner', 'ServiceTimeout']);
    assert.deepEqual([failure?.expected, failure?.got], ['an answer within 10000 ms', 'no answer yet']);
    assert.match(failure?.message ?? '', /did not answer within the API's ServiceTimeout/);
  });

  it('an exception of a function that has the words of its time-out, as an exception', async () => {
    const body = Buffer.from('{"errorMessage":"Function timed out after 3 seconds","errorType":"Exception"}');
    const invoke: InvokeFunction = async () => ({
      kind: 'function-error',
      errorType: 'HandledInvocationError',
      body,
      ...facts,
    });
    const { failure } = await open(changes, { invoke }).send(request({ target: '/open' }));
    assert.deepEqual([failure?.code, failure?.field], ['D502FC', 'result']);
  });

  it('a missing grant of an app that named itself by its code, without a word of a signature', async () => {
    const code = 'c'.repeat(32);
    const auth = { type: 'APP', appCode: 'HEADER' } as const;
    const bench = open([
      group(),
      { kind: 'app', key: String(app.appId), value: { ...app, keys: [app], codes: [code] } },
      api('coded', definition({ auth, request: { path: '/coded' } })),
    ]);
    const { failure } = await bench.send(request({ target: '/coded', headers: { Authorization: `APPCODE ${code}` } }));
    assert.equal(failure?.code, 'I403AA');
    assert.match(failure?.message ?? '', /^The AppCode is right, but the app caller/);
  });

  it('a fault that nobody foresaw is called unknown, and nothing is guessed', async () => {
    const bench = open(changes, { invoke: () => Promise.reject(new Error('a secret detail')) });
    const { failure, headers } = await bench.send(request({ target: '/open' }));
    assert.deepEqual(
      [failure?.code, failure?.side, failure?.field, failure?.expected, failure?.got],
      ['X500ER', 'unknown', null, null, null],
    );
    assert.match(failure?.message ?? '', /does not know why/);
    assert.ok(!JSON.stringify([failure, headers]).includes('a secret detail'));
    assert.equal(bench.bugs.length, 1);
  });
});

describe('an explanation', () => {
  const secretParts = {
    target: '/a?password=hunter2&x=1',
    headers: { 'Content-Type': 'text/plain' },
    appSecret: 'wrong',
  };

  it('hides what looks like a secret, and no computed signature is in it', async () => {
    const value = signedRequest({ method: 'POST', text: 'x', ...secretParts });
    const { failure, headers } = await open(changes).send(value);
    assert.equal(failure?.code, 'A403IS');
    assert.doesNotMatch(JSON.stringify(failure), /hunter2/);
    assert.match(failure?.expected ?? '', /\/a\?password=[^&]*&x=1$/);
    // The answer on the wire is the cloud's own and holds what the client sent.
    assert.match(headers['x-ca-error-message'] ?? '', /password=hunter2&x=1`$/);
    const right = computeSignature(
      `POST\n*/*\nnd4pXTmPfaYEfMFq40+D1w==\ntext/plain\n\nX-Ca-Key:${app.key}\n/a?password=hunter2&x=1`,
      app.secret,
      'HmacSHA256',
    );
    assert.ok(!JSON.stringify([failure, headers]).includes(right));
  });

  it('shows how the official clients read the request, where that is another string than the gateway’s', async () => {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const value = signedRequest({
      method: 'POST',
      target: '/%61?k=query',
      headers,
      text: 'k=form',
      appSecret: 'wrong',
    });
    const { failure } = await open(changes).send(value);
    assert.match(failure?.message ?? '', /if your client's is one of them, the secret is wrong/);
    assert.match(failure?.expected ?? '', /\n\/a\?k=query$/);
    assert.match(failure?.got ?? '', /\n\/%61\?k=form$/);
  });

  it('shows one string twice where only the algorithm is another than the header says', async () => {
    const stringToSign = `GET\n\n\n\n\nX-Ca-Key:${app.key}\n/open2`;
    const bench = open([...changes, api('sha', definition({ auth: { type: 'APP' }, request: { path: '/open2' } }))]);
    const { failure } = await bench.send(
      request({
        target: '/open2',
        headers: { 'X-Ca-Key': app.key, 'X-Ca-Signature': computeSignature(stringToSign, app.secret, 'HmacSHA1') },
      }),
    );
    assert.equal(failure?.field, 'X-Ca-Signature-Method');
    assert.deepEqual([failure?.expected, failure?.got], [stringToSign, stringToSign]);
  });

  it('says which signed header did not arrive', async () => {
    const value = changed(post({ headers: { 'X-Ca-Own': 'v', 'Content-Type': 'text/plain' } }), 'X-Ca-Own', null);
    const { failure } = await open(changes).send(value);
    assert.deepEqual([failure?.code, failure?.field], ['A403IS', 'X-Ca-Own']);
    assert.match(failure?.message ?? '', /did not arrive/);
    assert.match(failure?.expected ?? '', /\nX-Ca-Own:\n/);
    assert.match(failure?.got ?? '', /\nX-Ca-Own:\(did not arrive\)\n/);
  });

  it('goes with the answer to callers on this machine in dev, in at most 1 KB of ASCII, and to nobody else', async () => {
    const ask = (peerAddress: string, showWhyToLoopback: boolean) =>
      open(changes, { settings: { showWhyToLoopback } }).send(
        request({ target: `/checked?age=${'猫'.repeat(50)}`, peerAddress }),
      );
    const why = (await ask('127.0.0.1', true)).headers['x-yunmen-why'] ?? '';
    assert.match(why, /^client: The parameter age \(query\)/);
    assert.match(why, /^[\x20-\x7e]{1,1024}$/);
    assert.equal((await ask('127.0.0.1', false)).headers['x-yunmen-why'], undefined);
    assert.equal((await ask('198.51.100.7', true)).headers['x-yunmen-why'], undefined);
  });
});
