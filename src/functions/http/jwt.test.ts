import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, it } from 'node:test';
import { SignJWT } from 'jose';
import type { JwtRule } from '../../model/http-function.ts';
import { checkToken, needsToken, passClaims, type TokenSources } from './jwt.ts';

const now = Date.parse('2026-11-27T10:00:00Z');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const secret = Buffer.from('a secret of thirty-two bytes, ok');
const jwkOf = (key: KeyObject, more: object = {}) => ({ ...key.export({ format: 'jwk' }), ...more });

const rule: JwtRule = {
  keys: [
    jwkOf(other.publicKey),
    jwkOf(rsa.publicKey, { kid: 'one', alg: 'RS256' }),
    jwkOf(ec.publicKey),
    jwkOf(ed.publicKey),
    { kty: 'oct', k: secret.toString('base64url') },
  ],
  lookup: [
    { place: 'header', name: 'Authorization', prefix: 'Bearer' },
    { place: 'cookie', name: 'session', prefix: '' },
    { place: 'query', name: 'token', prefix: '' },
    { place: 'form', name: 'token', prefix: '' },
  ],
  pass: [],
  paths: null,
};

function sign(alg: string, key: KeyObject | Uint8Array, more: { kid?: string; expires?: number; from?: number } = {}) {
  const token = new SignJWT({ sub: 'ann' }).setProtectedHeader({ alg, ...(more.kid ? { kid: more.kid } : {}) });
  if (more.from !== undefined) token.setNotBefore(more.from);
  return token.setExpirationTime(more.expires ?? now / 1000 + 60).sign(key);
}

function at(place: Partial<{ headers: Record<string, string>; query: string; form: string }>): TokenSources {
  return { header: (name) => place.headers?.[name] ?? '', query: place.query ?? '', form: place.form ?? null };
}
const bearer = (token: string) => at({ headers: { authorization: `Bearer ${token}` } });

async function why(token: string, changed: Partial<JwtRule> = {}): Promise<string> {
  const checked = await checkToken({ ...rule, ...changed }, bearer(token), now);
  return checked.ok ? 'taken' : checked.why;
}

describe('tokens of HTTP triggers', () => {
  it('takes those that one of the keys has signed, by its id or, without one, by trying', async () => {
    for (const token of [
      await sign('RS256', rsa.privateKey, { kid: 'one' }),
      await sign('RS256', rsa.privateKey),
      await sign('PS256', other.privateKey),
      await sign('ES256', ec.privateKey, { kid: 'named by nobody' }),
      await sign('EdDSA', ed.privateKey),
      await sign('HS256', secret),
    ]) {
      const checked = await checkToken(rule, bearer(token), now);
      assert.ok(checked.ok, JSON.stringify(checked));
      assert.equal(checked.claims.sub, 'ann');
    }
  });

  it('finds them wherever the trigger says, in that order', async () => {
    const token = await sign('ES256', ec.privateKey);
    for (const sources of [
      at({ headers: { authorization: `bearer ${token}` } }),
      at({ headers: { authorization: 'Basic eDp5', cookie: `a=b; session=${token}` } }),
      at({ query: `x=1&token=${token}` }),
      at({ form: `x=1&token=${token}` }),
    ]) {
      assert.equal((await checkToken(rule, sources, now)).ok, true);
    }
    const nowhere = await checkToken(rule, at({ headers: { authorization: token } }), now);
    assert.ok(!nowhere.ok && /no token in header Authorization, cookie session/.test(nowhere.why));
  });

  it('refuses what is late, early, changed, unsigned, or signed by another', async () => {
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const good = await sign('RS256', rsa.privateKey);
    const [head = '', payload = '', signature = ''] = good.split('.');
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    assert.match(await why(await sign('RS256', rsa.privateKey, { expires: now / 1000 - 1 })), /"exp"/);
    assert.match(await why(await sign('RS256', rsa.privateKey, { from: now / 1000 + 30 })), /"nbf"/);
    assert.match(await why(`${head}.${Buffer.from('{"sub":"bob"}').toString('base64url')}.${signature}`), /signature/);
    assert.match(await why(await sign('RS256', stranger.privateKey)), /signature/);
    assert.match(
      await why(await sign('RS256', rsa.privateKey, { kid: 'two' }), { keys: [rule.keys[1] ?? {}] }),
      /no key/,
    );
    assert.match(await why(unsigned), /algorithm/);
    for (const nonsense of ['x', 'a.b.c', '..', 'x'.repeat(9_000)]) assert.notEqual(await why(nonsense), 'taken');
  });

  it('never takes a public key for a shared secret', async () => {
    const text = rsa.publicKey.export({ format: 'pem', type: 'spki' });
    const forged = await sign('HS256', Buffer.from(text));
    assert.match(await why(forged, { keys: [jwkOf(rsa.publicKey)] }), /no key/);
  });

  it('knows which paths need none', () => {
    const free: JwtRule = { ...rule, paths: { are: 'free', patterns: ['/login', '/public/*'] } };
    const guarded: JwtRule = { ...rule, paths: { are: 'guarded', patterns: ['/admin*'] } };
    const paths = ['/login', '/login/x', '/public/a/b', '/publicity', '/admin/x'];
    assert.deepEqual(
      paths.map((path) => needsToken(free, path)),
      [false, true, false, true, true],
    );
    assert.deepEqual(
      paths.map((path) => needsToken(guarded, path)),
      [false, false, false, false, true],
    );
    assert.ok(needsToken(rule, '/login'));
    for (const path of [
      '/public/../admin',
      '/public/./x',
      '/public/..',
      '//admin',
      '/public\\..\\admin',
      '/public/x;y',
    ]) {
      assert.ok(needsToken(free, path) && needsToken(guarded, path), path);
    }
  });

  it('tells claims where the trigger says, in place of whatever the caller has sent there', () => {
    const pass: JwtRule['pass'] = [
      { place: 'header', claim: 'sub', target: 'X-User' },
      { place: 'query', claim: 'sub', target: 'user' },
      { place: 'cookie', claim: 'roles', target: 'roles' },
      { place: 'form', claim: 'sub', target: 'user' },
      { place: 'header', claim: 'absent', target: 'X-Absent' },
    ];
    const call = {
      headers: ['x-user', 'root', 'X-USER', 'root', 'X-Absent', 'forged', 'Cookie', 'a=1; roles=all'],
      query: 'q=%2F+x&us%65r=root&user=root',
      form: 'user=root&n=1',
    };
    const told = passClaims({ ...rule, pass }, { sub: '\u4e91 a&b', roles: ['x'] }, call);
    assert.deepEqual(told.headers, ['X-User', '%E4%BA%91%20a%26b', 'Cookie', 'a=1; roles=%5B%22x%22%5D']);
    assert.equal(told.query, 'q=%2F+x&user=%E4%BA%91%20a%26b');
    assert.equal(told.form, 'n=1&user=%E4%BA%91%20a%26b');
    const nobody = passClaims({ ...rule, pass }, {}, { ...call, form: null });
    assert.deepEqual([nobody.headers, nobody.query, nobody.form], [['Cookie', 'a=1'], 'q=%2F+x', null]);
  });
});
