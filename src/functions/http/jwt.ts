// Who calls a trigger with the authType `jwt`: finds the token, checks it, and tells the function the claims that it is to know.
// Called by http-door.ts.
import type { importJWK, JWK, JWTPayload } from 'jose';
import type { JwtRule, TokenPlace } from '../../model/http-function.ts';
import { decodePercent, parseQuery } from '../../wire/percent-encoding.ts';

export type Claims = JWTPayload;
export type CheckedToken =
  | { readonly ok: true; readonly claims: Claims }
  /** What is wrong, for the trigger's owner; it holds nothing of the token. */
  | { readonly ok: false; readonly why: string };

/** What of a call may hold a token. */
export type TokenSources = {
  header(name: string): string;
  /** As sent. */
  readonly query: string;
  /** Of a form; null when the body is none. */
  readonly form: string | null;
};

type Key = Awaited<ReturnType<typeof importJWK>>;

/** Longest token that is looked at. */
const tokenLimit = 8_192;
/** Which keys an algorithm takes: without this a public key could pass for a shared secret. */
const keyTypes = [
  [/^(RS|PS)(256|384|512)$/, 'RSA'],
  [/^ES(256|384|512)$/, 'EC'],
  [/^(EdDSA|Ed25519)$/, 'OKP'],
  [/^HS(256|384|512)$/, 'oct'],
] as const;
/** Imported keys go with the rule that they belong to. */
const importedKeys = new WeakMap<JwtRule['keys'][number], Map<string, Promise<Key>>>();

/** What servers read as another path than is written: dot segments, doubled and backward slashes, parameters of a segment. */
const oddPath = /(^|\/)\.{1,2}(\/|$)|\/\/|[\\;]/;

/** Whether a call of this (decoded) path needs a token; one that is written oddly always does. */
export function needsToken({ paths }: JwtRule, path: string): boolean {
  if (paths === null || oddPath.test(path)) return true;
  const isNamed = paths.patterns.some((pattern) =>
    pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern,
  );
  return paths.are === 'free' ? !isNamed : isNamed;
}

/** Whether a token may be in the body, which has to be there then before it is known who calls. */
export function readsForm({ lookup }: JwtRule): boolean {
  return lookup.some(({ place }) => place === 'form');
}

/** Never rejects. `now`: epoch ms. */
export async function checkToken(rule: JwtRule, sources: TokenSources, now: number): Promise<CheckedToken> {
  const token = findToken(rule, sources);
  if (token === null) {
    const places = rule.lookup.map(({ place, name }) => `${place} ${name}`).join(', ');
    return { ok: false, why: `there is no token in ${places}` };
  }
  if (token.length > tokenLimit) return { ok: false, why: `the token is longer than ${tokenLimit} characters` };
  // Loaded when the first trigger wants it: most servers have none.
  const jose = await import('jose');
  try {
    return await verify(jose, rule, { token, currentDate: new Date(now) });
  } catch (error) {
    if (error instanceof jose.errors.JOSEError || error instanceof TypeError) return { ok: false, why: error.message };
    throw error;
  }
}

async function verify(
  { decodeProtectedHeader, errors, importJWK, jwtVerify }: typeof import('jose'),
  rule: JwtRule,
  { token, currentDate }: { readonly token: string; readonly currentDate: Date },
): Promise<CheckedToken> {
  const { alg = '', kid } = decodeProtectedHeader(token);
  const type = keyTypes.find(([names]) => names.test(alg))?.[1];
  if (type === undefined) return { ok: false, why: 'the token is signed by an algorithm that is not taken' };
  const keys = rule.keys.filter(
    (key) =>
      key['kty'] === type &&
      (key['alg'] === undefined || key['alg'] === alg) &&
      (kid === undefined || key['kid'] === undefined || key['kid'] === kid),
  );
  let why = 'no key of the trigger fits the token (kid, alg)';
  for (const key of keys) {
    try {
      const imported = await keyFor(key, alg, importJWK);
      const { payload } = await jwtVerify(token, imported, { algorithms: [alg], currentDate });
      return { ok: true, claims: payload };
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      why = 'the signature of the token is not of the key that it names';
    }
  }
  return { ok: false, why };
}

function keyFor(key: JwtRule['keys'][number], alg: string, read: typeof importJWK): Promise<Key> {
  const known = importedKeys.get(key) ?? new Map<string, Promise<Key>>();
  importedKeys.set(key, known);
  const made = known.get(alg) ?? Promise.resolve(read(key as JWK, alg));
  known.set(alg, made);
  return made;
}

function findToken({ lookup }: JwtRule, sources: TokenSources): string | null {
  for (const { place, name, prefix } of lookup) {
    const value = valueAt(place, name, sources);
    if (value === null || value === '') continue;
    if (prefix === '') return value;
    if (value.toLowerCase().startsWith(`${prefix.toLowerCase()} `)) return value.slice(prefix.length).trim();
  }
  return null;
}

function valueAt(place: TokenPlace, name: string, { header, query, form }: TokenSources): string | null {
  switch (place) {
    case 'header':
      return header(name.toLowerCase());
    case 'cookie':
      return cookiesOf(header('cookie')).find(([cookie]) => cookie === name)?.[1] ?? null;
    case 'query':
      return parseQuery(query, true).find(([given]) => given === name)?.[1] ?? null;
    case 'form':
      return form === null ? null : (parseQuery(form, true).find(([given]) => given === name)?.[1] ?? null);
  }
}

function cookiesOf(header: string): (readonly [name: string, value: string])[] {
  return header.split(';').map((part) => {
    const [name = '', ...rest] = part.trim().split('=');
    return [name, rest.join('=')];
  });
}

/** What the function sees of a call, as far as claims can change it. Headers as names and values in turn. */
export type ToldCall = { readonly headers: readonly string[]; readonly query: string; readonly form: string | null };

/**
 * Puts the claims where the rule says. What the caller has sent there goes, also when the token lacks the claim or none is needed:
 * the function must be able to believe it.
 */
export function passClaims({ pass }: JwtRule, claims: Claims, { headers, query, form }: ToldCall): ToldCall {
  const told = { headers: [...headers], query, form };
  for (const { place, claim, target } of pass) {
    const value = textOf(claims[claim]);
    if (place === 'header') told.headers = withHeader(told.headers, target, value);
    else if (place === 'cookie') told.headers = withCookie(told.headers, target, value);
    else if (place === 'query') told.query = withParameter(told.query, target, value);
    else if (told.form !== null) told.form = withParameter(told.form, target, value);
  }
  return told;
}

function textOf(claim: unknown): string | null {
  if (claim === undefined || claim === null) return null;
  return typeof claim === 'string' ? claim : JSON.stringify(claim);
}

function withHeader(headers: readonly string[], target: string, value: string | null): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() !== target.toLowerCase()) kept.push(headers[at] ?? '', headers[at + 1] ?? '');
  }
  // What no header may hold is told as in a URL.
  if (value !== null) kept.push(target, /^[\x20-\x7e]*$/.test(value) ? value : encodeURIComponent(value));
  return kept;
}

function withCookie(headers: readonly string[], target: string, value: string | null): string[] {
  const given: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() === 'cookie') given.push(headers[at + 1] ?? '');
  }
  const kept = cookiesOf(given.join('; ')).filter(([name]) => name !== '' && name !== target);
  const cookies = kept.map(([name, text]) => `${name}=${text}`);
  if (value !== null) cookies.push(`${target}=${encodeURIComponent(value)}`);
  return withHeader(headers, 'Cookie', cookies.length === 0 ? null : cookies.join('; '));
}

/** The other parameters stay as they were sent. */
function withParameter(text: string, target: string, value: string | null): string {
  const kept = text
    .split('&')
    .filter((part) => part !== '' && decodePercent(part.split('=')[0] ?? '', true) !== target);
  if (value !== null) kept.push(`${encodeURIComponent(target)}=${encodeURIComponent(value)}`);
  return kept.join('&');
}
