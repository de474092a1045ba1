import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { computeSignature } from '../wire/gateway-signature.ts';
import { api, app, definition, grant, group, open, request, signedRequest, startedAt, theApp } from './testing.ts';

const form = 'application/x-www-form-urlencoded';
const changes = [
  group(),
  theApp,
  api('get', definition({ auth: { type: 'APP' } })),
  api('post', definition({ auth: { type: 'APP' }, request: { method: 'POST' } })),
  api(
    'sha1',
    definition({ auth: { type: 'APP', signatureMethods: ['HmacSHA1', 'HmacSHA256'] }, request: { path: '/sha1' } }),
  ),
  api('forced', definition({ auth: { type: 'APP', forceNonce: true }, request: { path: '/forced' } })),
  api('granted', definition({ auth: { type: 'APP' }, request: { path: '/ended' } })),
  ...['get', 'post', 'sha1', 'forced'].map((id) => grant(id)),
  grant('granted', 'RELEASE', startedAt - 1),
];

/** Exchanges or adds one header of a signed request. */
function changed(value: ReturnType<typeof request>, name: string, text: string) {
  const rawHeaders = [...value.rawHeaders];
  const index = rawHeaders.findIndex((item, i) => i % 2 === 0 && item.toLowerCase() === name.toLowerCase());
  if (index === -1) rawHeaders.push(name, text);
  else rawHeaders[index + 1] = text;
  return { ...value, rawHeaders };
}

describe('a signed request', () => {
  it('is accepted with query, form and text outside ASCII', async () => {
    const bench = open(changes);
    assert.equal((await bench.send(signedRequest({ target: '/a?x=%E7%8C%AB&b=2' }))).status, 200);
    const posted = signedRequest({ method: 'POST', headers: { 'Content-Type': form }, text: 'a=12323&b=%E7%8C%AB' });
    assert.equal((await bench.send(posted)).status, 200);
    const json = signedRequest({
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      text: '{"name":"猫"}',
    });
    assert.equal((await bench.send(json)).status, 200);
    const header = signedRequest({ headers: { 'X-Ca-Name': '猫' } });
    assert.equal((await bench.send(header)).status, 200);
  });

  it('is accepted with HmacSHA1 where the API allows it, and refused by name elsewhere', async () => {
    const bench = open(changes);
    assert.equal((await bench.send(signedRequest({ target: '/sha1', algorithm: 'HmacSHA1' }))).status, 200);
    const refused = await bench.send(signedRequest({ algorithm: 'HmacSHA1' }));
    assert.equal(refused.headers['x-ca-error-code'], 'I400HD');
    assert.match(refused.headers['x-ca-error-message'] ?? '', /^Invalid Header `X-Ca-Signature-Method` HmacSHA1/);
  });

  it('is refused with the server’s string to sign, line feeds as #, when a parameter was changed', async () => {
    const value = signedRequest({ target: '/a?x=1', stage: 'RELEASE' });
    const answer = await open(changes).send({ ...value, target: '/a?x=2' });
    assert.equal(answer.status, 403);
    assert.equal(answer.headers['x-ca-error-code'], 'A403IS');
    assert.equal(
      answer.headers['x-ca-error-message'],
      `Invalid Signature, Server StringToSign:\`GET#*/*####X-Ca-Key:${app.key}#X-Ca-Stage:RELEASE#/a?x=2\``,
    );
    assert.equal(answer.failure?.field, 'X-Ca-Signature');
    assert.equal(answer.failure?.expected, `GET\n*/*\n\n\n\nX-Ca-Key:${app.key}\nX-Ca-Stage:RELEASE\n/a?x=2`);
    assert.equal(answer.failure?.got, answer.failure?.expected, 'the official clients read it so, too');
  });

  it('is refused with text outside Latin-1 in the message as UTF-8', async () => {
    const answer = await open(changes).send(
      changed(signedRequest({ target: '/a?x=%E7%8C%AB' }), 'X-Ca-Signature', 'AAAA'),
    );
    assert.match(answer.headers['x-ca-error-message'] ?? '', /\/a\?x=猫`$/);
  });

  it('is refused with at most 8 KB of string to sign', async () => {
    const value = signedRequest({ target: `/a?x=${'%E7%8C%AB'.repeat(5000)}` });
    const answer = await open(changes).send(changed(value, 'X-Ca-Signature', 'AAAA'));
    const message = answer.headers['x-ca-error-message'] ?? '';
    assert.ok(Buffer.byteLength(message) <= 8192 && Buffer.byteLength(message) > 8180);
    assert.ok(!message.includes('\ufffd'), 'not cut within a character');
  });
});

describe('a refused signature is explained', () => {
  const rows: [sentence: string, change: () => ReturnType<typeof request>, field: string, message: RegExp][] = [
    [
      'when a proxy changed Accept',
      () => changed(signedRequest({ headers: { Accept: 'application/json' } }), 'Accept', 'text/html'),
      'Accept',
      /the client signed Accept "application\/json", but "text\/html" arrived/,
    ],
    [
      'when a library added Accept',
      () => {
        const unsigned = { method: 'GET', target: '/a', headers: { 'X-Ca-Key': app.key } };
        const signature = computeSignature(`GET\n\n\n\n\nX-Ca-Key:${app.key}\n/a`, app.secret, 'HmacSHA256');
        return request({ headers: { ...unsigned.headers, 'X-Ca-Signature': signature, Accept: '*/*' } });
      },
      'Accept',
      /the client signed no Accept, but "\*\/\*" arrived/,
    ],
    [
      'when the charset was added to Content-Type',
      () =>
        changed(
          signedRequest({ method: 'POST', headers: { 'Content-Type': 'text/plain' }, text: 'x' }),
          'Content-Type',
          'text/plain; charset=utf-8',
        ),
      'Content-Type',
      /signed Content-Type "text\/plain", but "text\/plain; charset=utf-8" arrived/,
    ],
    [
      'when the query was not signed',
      () => ({ ...signedRequest({}), target: '/a?x=1' }),
      'query',
      /did not sign the query parameters/,
    ],
    [
      'when the algorithm is not the one named',
      () => changed(signedRequest({ target: '/sha1', algorithm: 'HmacSHA1' }), 'X-Ca-Signature-Method', 'HmacSHA256'),
      'X-Ca-Signature',
      /make the same string to sign .* the secret is wrong/,
    ],
    [
      'as a wrong secret when nothing else explains it',
      () => signedRequest({ appSecret: 'other' }),
      'X-Ca-Signature',
      /make the same string to sign .* the secret is wrong/,
    ],
  ];
  for (const [sentence, make, field, message] of rows) {
    it(sentence, async () => {
      const answer = await open(changes).send(make());
      assert.equal(answer.headers['x-ca-error-code'], 'A403IS');
      assert.equal(answer.failure?.field, field);
      assert.match(answer.failure?.message ?? '', message);
    });
  }

  it('as the other algorithm when the header does not name it', async () => {
    const signature = computeSignature(`GET\n\n\n\n\nX-Ca-Key:${app.key}\n/a`, app.secret, 'HmacSHA1');
    const answer = await open(changes).send(request({ headers: { 'X-Ca-Key': app.key, 'X-Ca-Signature': signature } }));
    assert.equal(answer.failure?.field, 'X-Ca-Signature-Method');
    assert.match(answer.failure?.message ?? '', /made with HmacSHA1/);
  });
});

describe('credentials', () => {
  const rows: [sentence: string, value: () => ReturnType<typeof request>, code: string, text: RegExp][] = [
    ['no credential', () => request({}), 'A400MA', /^Need authorization, `X-Ca-Key` or/],
    [
      'a key without a signature',
      () => request({ headers: { 'X-Ca-Key': app.key } }),
      'I400MH',
      /^Header `X-Ca-Signature` is Required$/,
    ],
    ['an unknown key', () => signedRequest({ appKey: '1' }), 'A400IK', /^Invalid AppKey$/],
    ['an AppCode where it is off', () => request({ headers: { Authorization: 'APPCODE x' } }), 'A400MA', /./],
    ['a grant that has ended', () => signedRequest({ target: '/ended' }), 'A403EP', /^App authorization expired$/],
  ];
  for (const [sentence, make, code, text] of rows) {
    it(`refuse ${sentence}`, async () => {
      const bench = open(changes);
      const answer = await bench.send(make());
      assert.equal(answer.headers['x-ca-error-code'], code);
      assert.match(answer.headers['x-ca-error-message'] ?? '', text);
      assert.equal(bench.invoked.length, 0);
    });
  }

  it('name app, API and stage when the grant is missing', async () => {
    const bench = open([group(), theApp, api('get', definition({ auth: { type: 'APP' } })), grant('get', 'TEST')]);
    const answer = await bench.send(signedRequest({}));
    assert.deepEqual(
      [answer.status, answer.headers['x-ca-error-code'], answer.headers['x-ca-error-message']],
      [403, 'I403AA', 'Unauthorized'],
    );
    assert.match(
      answer.failure?.message ?? '',
      /app caller \(110\) may not call the API testadd \(get\) in stage RELEASE/,
    );
    assert.equal(answer.failure?.side, 'api-owner');
  });

  it('are not looked at on an ANONYMOUS API', async () => {
    const bench = open([group(), api('one', definition({}))]);
    const headers = { 'X-Ca-Key': 'unknown', 'X-Ca-Signature': 'AAAA', 'X-Ca-Timestamp': 'x', 'Content-MD5': 'x' };
    assert.equal((await bench.send(request({ headers }))).status, 200);
  });

  it('end when the app is deleted or its key is replaced, and a grant is withdrawn', async () => {
    const bench = open(changes);
    await bench.gateway.apply({
      version: 2,
      changes: [{ kind: 'grant', key: `${app.appId}/get/RELEASE`, value: null }],
    });
    assert.equal((await bench.send(signedRequest({}))).headers['x-ca-error-code'], 'I403AA');
    const keys = [{ key: 'next', secret: 's' }];
    const value = { appId: app.appId, appName: app.appName, keys };
    await bench.gateway.apply({ version: 3, changes: [grant('get'), { kind: 'app', key: String(app.appId), value }] });
    assert.equal((await bench.send(signedRequest({}))).headers['x-ca-error-code'], 'A400IK');
    assert.equal((await bench.send(signedRequest({ appKey: 'next', appSecret: 's' }))).status, 200);
    await bench.gateway.apply({ version: 4, changes: [{ kind: 'app', key: String(app.appId), value: null }] });
    assert.equal(
      (await bench.send(signedRequest({ appKey: 'next', appSecret: 's' }))).headers['x-ca-error-code'],
      'A400IK',
    );
  });
});

describe('Content-MD5', () => {
  const post = (parts: Parameters<typeof signedRequest>[0]) => signedRequest({ method: 'POST', ...parts });

  it('must be that of the body', async () => {
    const bench = open(changes);
    const value = post({ headers: { 'Content-Type': 'application/json' }, text: '{}' });
    const other = request({ body: '[]' });
    const answer = await bench.send({ ...value, body: other.body });
    assert.equal(answer.headers['x-ca-error-code'], 'I400I5');
    assert.equal(answer.failure?.field, 'Content-MD5');
  });

  it('is refused with an empty body', async () => {
    const answer = await open(changes).send(post({ headers: { 'Content-MD5': '1B2M2Y8AsgTpgAmY7PhCfg==' } }));
    assert.equal(answer.headers['x-ca-error-message'], 'Invalid Content-MD5 body is empty');
  });

  it('is accepted on a form when it is right', async () => {
    const headers = { 'Content-Type': form, 'Content-MD5': 'Q1D8iiWzXDcnX9n+8HQOMw==' };
    const wrong = await open(changes).send(post({ headers, text: 'a=1' }));
    assert.equal(wrong.headers['x-ca-error-code'], 'I400I5');
    const right = wrong.failure?.expected ?? '';
    assert.equal(
      (await open(changes).send(post({ headers: { ...headers, 'Content-MD5': right }, text: 'a=1' }))).status,
      200,
    );
  });
});

describe('timestamp and nonce', () => {
  const window = 15 * 60 * 1000;
  for (const [off, status] of [
    [window, 200],
    [-window, 200],
    [window + 1, 403],
    [-window - 1, 403],
  ] as const) {
    it(`${status === 200 ? 'accept' : 'refuse'} a clock that is ${off} ms off`, async () => {
      const answer = await open(changes).send(signedRequest({ timestamp: startedAt + off }));
      assert.equal(answer.status, status);
      if (status === 403) {
        assert.equal(answer.headers['x-ca-error-code'], 'S403TE');
        assert.match(answer.failure?.message ?? '', off > 0 ? /900 s ahead of/ : /900 s behind/);
      }
    });
  }

  it('refuse a timestamp in seconds and say so', async () => {
    const answer = await open(changes).send(signedRequest({ timestamp: Math.floor(startedAt / 1000) }));
    assert.equal(answer.headers['x-ca-error-code'], 'S403TE');
    assert.match(answer.failure?.message ?? '', /in seconds/);
  });

  it('refuse a timestamp that is no number', async () => {
    for (const text of ['now', '-1', '1e3', '']) {
      const answer = await open(changes).send(signedRequest({ headers: { 'X-Ca-Timestamp': text } }));
      assert.equal(answer.headers['x-ca-error-code'], 'I400HD', text);
    }
  });

  it('are asked for where the key or the signature is empty', async () => {
    const codeOf = async (headers: Record<string, string>) =>
      (await open(changes).send(request({ headers }))).headers['x-ca-error-code'];
    assert.equal(await codeOf({ 'X-Ca-Key': '', 'X-Ca-Signature': 'x' }), 'A400MA');
    assert.equal(await codeOf({ 'X-Ca-Key': app.key, 'X-Ca-Signature': '' }), 'I400MH');
  });

  it('refuse a replayed nonce, and let a call without nonce be repeated', async () => {
    const bench = open(changes);
    const value = () => signedRequest({ nonce: 'n' });
    assert.equal((await bench.send(value())).status, 200);
    const replay = await bench.send(value());
    assert.deepEqual(
      [replay.status, replay.headers['x-ca-error-code'], replay.headers['x-ca-error-message']],
      [403, 'S403NU', 'Nonce Used'],
    );
    assert.equal((await bench.send(signedRequest({}))).status, 200);
    assert.equal((await bench.send(signedRequest({}))).status, 200);
  });

  it('do not let a forged request burn a nonce', async () => {
    const bench = open(changes);
    assert.equal((await bench.send(signedRequest({ nonce: 'n', appSecret: 'forged' }))).status, 403);
    assert.equal((await bench.send(signedRequest({ nonce: 'n', timestamp: 1 }))).status, 403);
    assert.equal((await bench.send(signedRequest({ nonce: 'n' }))).status, 200);
  });

  it('demand a nonce where the API forces it', async () => {
    const bench = open(changes);
    const missing = await bench.send(signedRequest({ target: '/forced' }));
    assert.equal(missing.headers['x-ca-error-code'], 'I400NC');
    assert.equal((await bench.send(signedRequest({ target: '/forced', nonce: 'n' }))).status, 200);
  });
});
