import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import type { ApiDefinition } from '../model/api.ts';
import type { Change } from '../model/published.ts';
import { api, app, definition, grant, group, open, request, signedRequest, startedAt, theApp } from './testing.ts';

const code = 'c0de0000000000000000000000c0de00';
const withCodes = (codes: readonly string[]): Change => ({
  kind: 'app',
  key: String(app.appId),
  value: { appId: app.appId, appName: app.appName, keys: [{ key: app.key, secret: app.secret }], codes },
});

describe('an AppCode', () => {
  const coded = (id: string, appCode: ApiDefinition['auth']['appCode']) =>
    api(id, definition({ auth: { type: 'APP', appCode }, request: { path: `/${id}`, mode: 'PASSTHROUGH' } }));
  const changes = [
    group(),
    withCodes(['another', code]),
    coded('default', 'DEFAULT'),
    coded('disabled', 'DISABLE'),
    coded('header', 'HEADER'),
    coded('both', 'HEADER_QUERY'),
    coded('ungranted', 'HEADER'),
    ...['default', 'disabled', 'header', 'both'].map((id) => grant(id)),
  ];
  const rows: readonly (readonly [what: string, target: string, authorization: string | null, answer: string])[] = [
    ['in the header is accepted where the API takes it there', '/header', `APPCODE ${code}`, '200'],
    ['in the header is accepted where the API takes both', '/both', `APPCODE ${code}`, '200'],
    ['is accepted with the word in lower case', '/header', `appcode ${code}`, '200'],
    ['of several of one app is accepted, whichever it is', '/header', 'APPCODE another', '200'],
    ...['AppCode', 'appcode', 'appCode', 'APPCODE', 'APPCode'].map(
      (name) => [`in the query as ${name} is accepted`, `/both?${name}=${code}`, null, '200'] as const,
    ),
    ['in the query is refused where only the header is taken', `/header?AppCode=${code}`, null, 'A400MA'],
    ['is refused where simple authentication is off by default', '/default', `APPCODE ${code}`, 'A400MA'],
    ['is refused where simple authentication is disabled', '/disabled', `APPCODE ${code}`, 'A400MA'],
    ['that no app has is refused', '/header', 'APPCODE 00000000000000000000000000000000', 'A400AC'],
    ['in another spelling of the query is none', `/both?app_code=${code}`, null, 'A400MA'],
    ['without the word is none', '/header', code, 'A400MA'],
    ['of an app without a grant is refused', '/ungranted', `APPCODE ${code}`, 'I403AA'],
  ];
  for (const [what, target, authorization, wanted] of rows) {
    it(what, async () => {
      const headers = authorization === null ? {} : { Authorization: authorization };
      const answer = await open(changes).send(request({ target, headers }));
      assert.equal(answer.headers['x-ca-error-code'] ?? String(answer.status), wanted);
      assert.ok(!JSON.stringify(answer.failure).includes(code), 'the code is in no explanation');
    });
  }

  it('is not looked at when the request names a key', async () => {
    const answer = await open(changes).send(
      request({ target: '/header', headers: { 'X-Ca-Key': app.key, Authorization: `APPCODE ${code}` } }),
    );
    assert.equal(answer.headers['x-ca-error-code'], 'I400MH');
  });

  it('tells why it is not taken, and is answered with A401AC where the settings say so', async () => {
    const off = await open(changes).send(
      request({ target: '/default', headers: { Authorization: `APPCODE ${code}` } }),
    );
    assert.match(off.failure?.message ?? '', /AppCodeAuthType is DEFAULT; set it to HEADER/);
    const unknown = await open(changes, { settings: { unknownCodeError: 'A401AC' } }).send(
      request({ target: '/header', headers: { Authorization: 'APPCODE x' } }),
    );
    assert.deepEqual(
      [unknown.status, unknown.headers['x-ca-error-code'], unknown.headers['x-ca-error-message']],
      [401, 'A401AC', 'Invalid AppCode not found'],
    );
  });

  it('is gone with its app, and when it is replaced', async () => {
    const bench = open(changes);
    const ask = () => bench.send(request({ target: '/header', headers: { Authorization: `APPCODE ${code}` } }));
    await bench.gateway.apply({ version: 2, changes: [withCodes(['another'])] });
    assert.equal((await ask()).headers['x-ca-error-code'], 'A400AC');
    await bench.gateway.apply({ version: 3, changes: [withCodes([code])] });
    assert.equal((await ask()).status, 200);
    await bench.gateway.apply({ version: 4, changes: [{ kind: 'app', key: String(app.appId), value: null }] });
    assert.equal((await ask()).headers['x-ca-error-code'], 'A400AC');
  });

  it('is taken where the group says, too, in a place that the API takes', async () => {
    const inHeader = { location: 'HEADER', name: 'x-code' } as const;
    const inQuery = { location: 'QUERY', name: 'k' } as const;
    const others = { passedHeaders: [], tracePlace: null, log: null, hidesServer: false, callsPerSecond: null };
    for (const [place, target, headers, wanted] of [
      [inHeader, '/header', { 'X-Code': code }, '200'],
      [inHeader, '/header', { 'X-Code': `APPCODE ${code}` }, '200'],
      [inHeader, '/header', { Authorization: `APPCODE ${code}` }, '200'],
      [inHeader, '/both', { 'X-Code': 'nobody' }, 'A400AC'],
      [inHeader, '/disabled', { 'X-Code': code }, 'A400MA'],
      [inQuery, `/both?k=${code}`, {}, '200'],
      [inQuery, `/header?k=${code}`, {}, 'A400MA'],
      [null, '/header', { 'X-Code': code }, 'A400MA'],
    ] as const) {
      const bench = open([
        group({ options: { ...others, codePlace: place }, stripsAppCode: true }),
        ...changes.slice(1),
      ]);
      const answer = await bench.send(request({ target, headers }));
      const what = `${target} ${JSON.stringify(headers)}`;
      assert.equal(answer.headers['x-ca-error-code'] ?? String(answer.status), wanted, what);
      if (wanted === '200') assert.ok(!JSON.stringify(bench.event()).includes(code), what);
    }
  });

  it('reaches the backend, unless the group keeps it', async () => {
    const send = async (stripsAppCode: boolean, target: string, headers: Record<string, string>) => {
      const bench = open([group({ stripsAppCode }), ...changes.slice(1)]);
      assert.equal((await bench.send(request({ target, headers }))).status, 200);
      return JSON.stringify(bench.event());
    };
    const inHeader = { Authorization: `APPCODE ${code}` };
    assert.match(await send(false, '/both', inHeader), new RegExp(code));
    assert.doesNotMatch(await send(true, '/both', inHeader), new RegExp(code));
    assert.match(await send(false, `/both?appcode=${code}&x=1`, {}), new RegExp(code));
    const kept = await send(true, `/both?appcode=${code}&x=1`, {});
    assert.doesNotMatch(kept, new RegExp(code));
    assert.match(kept, /"x":"1"/);
  });
});

describe('an id token', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = (claims: object, header: object = {}, key: KeyObject = rsa.privateKey) => {
    const signed = `${part({ alg: 'RS256', kid: 'k1', ...header })}.${part(claims)}`;
    return `${signed}.${createSign('sha256').update(signed).sign(key).toString('base64url')}`;
  };
  const openId = (parts: Partial<NonNullable<ApiDefinition['auth']['openId']>>) => ({
    openIdApiType: 'BUSINESS',
    idTokenParamName: 'token',
    publicKeyId: '',
    publicKey: '',
    ...parts,
  });
  const issuer = (id: string, keyId: string, publicKey: string) =>
    api(
      id,
      definition({
        auth: { type: 'OPENID', openId: openId({ openIdApiType: 'IDTOKEN', publicKeyId: keyId, publicKey }) },
        request: { path: `/${id}` },
      }),
    );
  const jwk = JSON.stringify({ keys: [{ ...ec.publicKey.export({ format: 'jwk' }), kid: 'k2' }] });
  const changes = [
    group(),
    theApp,
    issuer('issue', 'k1', rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()),
    issuer('issue2', 'k2', jwk),
    api('business', definition({ auth: { type: 'OPENID', openId: openId({}) }, request: { method: 'ANY' } })),
    api('signed', definition({ auth: { type: 'APPOPENID', openId: openId({}) }, request: { path: '/signed' } })),
    grant('signed'),
  ];
  const seconds = Math.floor(startedAt / 1000);
  const ask = (text: string) => open(changes).send(request({ headers: { Token: text } }));

  it('is not needed to get one', async () => {
    assert.equal((await open(changes).send(request({ target: '/issue' }))).status, 200);
  });

  it('is accepted from header, query and form', async () => {
    const bench = open(changes);
    const text = token({ exp: seconds + 60 });
    assert.equal((await bench.send(request({ headers: { Token: text } }))).status, 200);
    assert.equal((await bench.send(request({ headers: { Token: `Bearer ${text}` } }))).status, 200);
    assert.equal((await bench.send(request({ target: `/a?token=${text}` }))).status, 200);
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    assert.equal((await bench.send(request({ method: 'POST', headers, body: `token=${text}` }))).status, 200);
  });

  it('is accepted with a key on a curve, from a key set', async () => {
    const signed = `${part({ alg: 'ES256', kid: 'k2' })}.${part({})}`;
    const mac = sign('sha256', Buffer.from(signed), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' });
    assert.equal((await ask(`${signed}.${mac.toString('base64url')}`)).status, 200);
  });

  const forged = token({}).split('.');
  const rows: readonly (readonly [what: string, text: string, code: string])[] = [
    ['that is missing', '', 'I400JR'],
    ['that is no token', 'abc', 'I400JD'],
    ['of two parts', 'e30.e30', 'I400JD'],
    ['that was changed', `${forged[0]}.${part({ sub: 'admin' })}.${forged[2]}`, 'A403JT'],
    ['of another key', token({}, {}, other.privateKey), 'A403JT'],
    ['of a key that no API publishes', token({}, { kid: 'k9' }), 'A403JK'],
    ['without a signature', `${part({ alg: 'none', kid: 'k1' })}.${part({})}.AA`, 'A403JT'],
    ['signed with the public key as a secret', token({}, { alg: 'HS256' }), 'A403JT'],
    ['whose algorithm is not the key’s', token({}, { alg: 'ES256' }), 'A403JT'],
    ['that has ended', token({ exp: seconds - 1 }), 'A403JE'],
    ['that ends just now', token({ exp: startedAt / 1000 }), 'A403JE'],
    ['that is not yet valid', token({ nbf: seconds + 60 }), 'A403JT'],
    ['with an end that is no number', token({ exp: 'never' }), 'A403JT'],
  ];
  for (const [what, text, wanted] of rows) {
    it(`is refused ${what}`, async () => {
      const answer = await ask(text);
      assert.equal(answer.headers['x-ca-error-code'], wanted);
      if (text !== '') assert.ok(!JSON.stringify([answer.failure, answer.headers]).includes(text));
    });
  }

  it('leaves its claims in the record where the group logs them', async () => {
    const log = { query: [], requestHeaders: [], responseHeaders: [], requestBody: false, responseBody: false };
    const options = { passedHeaders: [], codePlace: null, tracePlace: null, hidesServer: false, callsPerSecond: null };
    const claimsOf = async (jwtClaims: 'all' | readonly string[], text: string) => {
      const logging = group({ options: { ...options, log: { ...log, jwtClaims } } });
      const { record } = await open([logging, ...changes.slice(1)]).gateway.run(request({ headers: { Token: text } }));
      return record.logged?.jwtClaims;
    };
    const text = token({ sub: 'ann', role: 'r', access_token: 'hunter2' });
    assert.equal(await claimsOf('all', text), '{"sub":"ann","role":"r","access_token":"(hidden)"}');
    assert.equal(await claimsOf(['sub'], text), '{"sub":"ann"}');
    assert.equal(await claimsOf('all', token({ sub: 'ann' }, {}, other.privateKey)), null);
  });

  it('is wanted beside the signature where the API says so', async () => {
    const bench = open(changes);
    const text = token({});
    assert.equal((await bench.send(signedRequest({ target: '/signed', headers: { Token: text } }))).status, 200);
    assert.equal((await bench.send(signedRequest({ target: '/signed' }))).headers['x-ca-error-code'], 'I400JR');
    const unsigned = await bench.send(request({ target: '/signed', headers: { Token: text } }));
    assert.equal(unsigned.headers['x-ca-error-code'], 'A400MA');
  });

  it('is worth nothing once the API that issued it is gone', async () => {
    const bench = open(changes);
    await bench.gateway.apply({ version: 2, changes: [{ kind: 'api', key: 'issue/RELEASE', value: null }] });
    const answer = await bench.send(request({ headers: { Token: token({}) } }));
    assert.equal(answer.headers['x-ca-error-code'], 'A403JK');
  });
});
