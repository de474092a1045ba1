// What shipped clients sign must be accepted, what was changed after signing must not: the official Node client as it is, the
// Java core and the Python demo by their behaviour on the wire (written from the facts that are known of them).
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { parse } from 'node:url';
import fc from 'fast-check';
import { counted } from '../../scripts/test/torture.ts';
import {
  computeSignature,
  contentMd5,
  isFormType,
  type SignatureAlgorithm,
  type SignedRequest,
  verifySignature,
} from './gateway-signature.ts';
import { decodePath, parseParameters, parseRawBareNames } from './query.ts';

/** Of each client: so many requests as they are, so many forged and so many harmlessly changed, over all kinds of change. */
const numRuns = counted(300, 100_000);
const key = '203753385';
const secret = 'MOCKSECRET0123456789abcdef01234567';
const formType = 'application/x-www-form-urlencoded; charset=utf-8';

/** A request as it goes on the wire. */
type Wire = {
  readonly method: string;
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
};

/** What a caller wants to send; names and values are plain text. */
type Intent = {
  readonly method: string;
  readonly segments: readonly string[];
  readonly query: ReadonlyMap<string, string>;
  readonly payload:
    | { readonly kind: 'none' }
    | { readonly kind: 'form'; readonly fields: ReadonlyMap<string, string> }
    | { readonly kind: 'raw'; readonly type: string; readonly text: string };
  readonly nonce: string;
  readonly timestamp: number;
};

function accepts(wire: Wire): boolean {
  const path = decodePath(wire.rawPath);
  const query = parseParameters(wire.rawQuery);
  const headers = new Map([...wire.headers].map(([name, value]) => [name.toLowerCase(), value]));
  if (path === null || query === null) return false;
  const isForm = isFormType(headers.get('content-type'));
  const text = wire.body.toString('utf8');
  const form = isForm ? parseParameters(text) : null;
  const rawNames = isForm ? parseRawBareNames(text) : null;
  const request: SignedRequest = {
    method: wire.method,
    rawPath: wire.rawPath,
    path,
    query,
    form,
    ...(rawNames === null ? {} : { formWithRawNames: rawNames }),
    header: (name) => headers.get(name),
  };
  const md5 = headers.get('content-md5');
  if (md5 !== undefined && md5 !== contentMd5(wire.body)) return false;
  const algorithm: SignatureAlgorithm = headers.get('x-ca-signature-method') === 'HmacSHA1' ? 'HmacSHA1' : 'HmacSHA256';
  return verifySignature(request, headers.get('x-ca-signature') ?? '', secret, algorithm).ok;
}

const escaped = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
const joined = (fields: ReadonlyMap<string, string>) =>
  [...fields].map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&');

// ---- the clients

type NodeClient = {
  buildHeaders(headers: object, signHeaders: object): Record<string, string>;
  getSignHeaderKeys(headers: object, signHeaders: object): string[];
  getSignedHeadersString(keys: string[], headers: object): string;
  buildStringToSign(method: string, headers: object, signed: string, url: object, data: unknown): string;
  sign(text: string): string;
  md5(text: string): string;
};
const { Client } = createRequire(import.meta.url)('aliyun-api-gateway') as {
  Client: new (key: string, secret: string) => NodeClient;
};

/** The official client's own steps, in the order of its request(), without the network. */
function nodeClient(intent: Intent): Wire {
  const client = new Client(key, secret);
  const { payload } = intent;
  const type: Record<string, string> =
    payload.kind === 'none' ? {} : { 'content-type': payload.kind === 'form' ? formType : payload.type };
  const headers = client.buildHeaders(
    { ...type, 'x-ca-timestamp': String(intent.timestamp), 'x-ca-nonce': intent.nonce },
    {},
  );
  const body = payload.kind === 'none' ? '' : payload.kind === 'form' ? joined(payload.fields) : payload.text;
  if (intent.method === 'POST' && payload.kind === 'raw') headers['content-md5'] = client.md5(body);
  const keys = client.getSignHeaderKeys(headers, {});
  headers['x-ca-signature-headers'] = keys.join(',');
  const rawPath = `/${intent.segments.map(escaped).join('/')}`;
  const rawQuery = joined(intent.query);
  const url = parse(`http://gateway.test${rawPath}${rawQuery === '' ? '' : `?${rawQuery}`}`, true);
  const data = payload.kind === 'form' ? Object.fromEntries(payload.fields) : undefined;
  const text = client.buildStringToSign(
    intent.method,
    headers,
    client.getSignedHeadersString(keys, headers),
    url,
    data,
  );
  headers['x-ca-signature'] = client.sign(text);
  return {
    method: intent.method,
    rawPath,
    rawQuery,
    headers: new Map(Object.entries(headers)),
    body: Buffer.from(body),
  };
}

/** path?name=value&…, an empty value as the name alone. */
function resource(
  path: string,
  parameters: ReadonlyMap<string, string>,
  compare: (a: string, b: string) => number,
): string {
  const names = [...parameters.keys()].sort(compare);
  const items = names.map((name) => (parameters.get(name) === '' ? name : `${name}=${parameters.get(name)}`));
  return items.length === 0 ? path : `${path}?${items.join('&')}`;
}

/**
 * Java core: Date, ca_version and the method of signing are headers too; the list of signed headers is in hash order, the
 * lines are sorted; MD5 of every raw body that is not empty; parameters in a TreeMap (UTF-16 order); form beats query.
 */
function javaClient(intent: Intent): Wire {
  const { payload } = intent;
  const body = payload.kind === 'none' ? '' : payload.kind === 'form' ? joined(payload.fields) : payload.text;
  const headers = new Map([
    ['date', 'Wed, 09 May 2018 13:30:29 GMT+00:00'],
    ['x-ca-timestamp', String(intent.timestamp)],
    ['x-ca-nonce', intent.nonce],
    ['user-agent', 'ALIYUN-ANDROID-DEMO'],
    ['host', 'gateway.test'],
    ['x-ca-key', key],
    ['ca_version', '1.1.2'],
    ['x-ca-signature-method', 'HmacSHA256'],
    ['accept', 'application/json; charset=utf-8'],
    ['content-type', payload.kind === 'raw' ? `${payload.type}; charset=utf-8` : formType],
  ]);
  if (payload.kind === 'raw' && body !== '') headers.set('content-md5', contentMd5(Buffer.from(body)));
  const list = ['x-ca-timestamp', 'x-ca-key', 'x-ca-nonce', 'x-ca-signature-method'];
  headers.set('x-ca-signature-headers', list.join(','));
  const lines = [...list].sort().map((name) => `${name}:${headers.get(name)}\n`);
  const fields = new Map([...intent.query, ...(payload.kind === 'form' ? payload.fields : [])]);
  const units = (a: string, b: string) => (a < b ? -1 : 1);
  const text =
    `${intent.method}\n${headers.get('accept')}\n${headers.get('content-md5') ?? ''}\n${headers.get('content-type')}\n` +
    `${headers.get('date')}\n${lines.join('')}${resource(`/${intent.segments.join('/')}`, fields, units)}`;
  headers.set('x-ca-signature', computeSignature(text, secret, 'HmacSHA256'));
  const rawPath = `/${intent.segments.map(escaped).join('/')}`;
  return { method: intent.method, rawPath, rawQuery: joined(intent.query), headers, body: Buffer.from(body) };
}

/** Python demo: names in mixed case, JSON as the type of a GET, MD5 for octet streams only, names by code point. */
function pythonClient(intent: Intent): Wire {
  const { payload } = intent;
  const body = payload.kind === 'none' ? '' : payload.kind === 'form' ? joined(payload.fields) : payload.text;
  const type = { none: 'application/json', form: 'application/x-www-form-urlencoded', raw: 'application/octet-stream' };
  const headers = new Map([
    ['X-Ca-Timestamp', String(intent.timestamp)],
    ['X-Ca-Key', key],
    ['X-Ca-Nonce', intent.nonce],
    ['Content-Type', type[payload.kind]],
    ['Accept', 'application/json'],
  ]);
  if (payload.kind === 'raw' && intent.method === 'POST') headers.set('Content-MD5', contentMd5(Buffer.from(body)));
  const list = ['X-Ca-Key', 'X-Ca-Nonce', 'X-Ca-Timestamp'];
  headers.set('X-Ca-Signature-Headers', list.join(','));
  const fields = new Map([...intent.query, ...(payload.kind === 'form' ? payload.fields : [])]);
  const codePoints = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const text =
    `${intent.method}\napplication/json\n${headers.get('Content-MD5') ?? ''}\n${headers.get('Content-Type')}\n\n` +
    `${list.map((name) => `${name}:${headers.get(name)}\n`).join('')}` +
    resource(`/${intent.segments.join('/')}`, fields, codePoints);
  headers.set('X-Ca-Signature', computeSignature(text, secret, 'HmacSHA256'));
  const rawPath = `/${intent.segments.map(escaped).join('/')}`;
  return { method: intent.method, rawPath, rawQuery: joined(intent.query), headers, body: Buffer.from(body) };
}

const clients = {
  'the official Node client': nodeClient,
  'the Java core': javaClient,
  'the Python demo': pythonClient,
};

// ---- what is sent

/**
 * Text of every plane of Unicode. The scheme joins decoded names and values without escapes, so `=` and `&` in them, and `%`
 * and `/` in a segment, let two different requests have one string to sign; changes are only tested without those.
 */
const plain = fc
  .string({ unit: 'grapheme', maxLength: 8 })
  .map((text) => text.toWellFormed().replace(/[=&%/\\#?]/g, '-'));
const name = plain.filter((text) => text !== '' && text !== '__proto__');
const fields = fc
  .uniqueArray(fc.tuple(name, plain), { maxLength: 4, selector: ([item]) => item })
  .map((all) => new Map(all));
const segment = plain.filter((text) => text !== '' && !/^\.{1,2}$/.test(text));
const payload: fc.Arbitrary<Intent['payload']> = fc.oneof(
  fc.constant({ kind: 'none' as const }),
  fc.record({ kind: fc.constant('form' as const), fields }),
  fc.record({
    kind: fc.constant('raw' as const),
    type: fc.constantFrom('application/json', 'text/plain', 'application/octet-stream'),
    text: fc.string({ unit: 'grapheme', minLength: 1 }).map((text) => text.toWellFormed()),
  }),
);
const intents: fc.Arbitrary<Intent> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH'),
  segments: fc.array(segment, { minLength: 1, maxLength: 3 }),
  query: fields,
  payload,
  nonce: fc.uuid(),
  timestamp: fc.integer({ min: 1_500_000_000_000, max: 1_900_000_000_000 }),
});

/** A form and a query that share a name leave one of the two values unsigned, whichever reading is taken. */
function hasClash({ query, payload: sent }: Intent): boolean {
  return sent.kind === 'form' && [...sent.fields.keys()].some((item) => query.has(item));
}

// ---- what may be changed on the way

const withHeader = (wire: Wire, lowerName: string, value: string): Wire => ({
  ...wire,
  headers: new Map([...wire.headers].map(([item, old]) => [item, item.toLowerCase() === lowerName ? value : old])),
});
const headerOf = (wire: Wire, lowerName: string) =>
  [...wire.headers].find(([item]) => item.toLowerCase() === lowerName)?.[1] ?? null;

/** Changes of what is signed; null where a request has no such thing. */
const forgeries: Readonly<Record<string, (wire: Wire) => Wire | null>> = {
  'the method': (wire) => ({ ...wire, method: wire.method === 'GET' ? 'HEAD' : 'GET' }),
  'the path': (wire) => ({ ...wire, rawPath: `${wire.rawPath}x` }),
  'the path by a segment': (wire) => ({ ...wire, rawPath: `${wire.rawPath}/` }),
  'a parameter more': (wire) => ({ ...wire, rawQuery: `${wire.rawQuery}${wire.rawQuery === '' ? '' : '&'}%00new=1` }),
  'a parameter less': (wire) =>
    wire.rawQuery === '' ? null : { ...wire, rawQuery: wire.rawQuery.split('&').slice(1).join('&') },
  'a value': (wire) => (wire.rawQuery === '' ? null : { ...wire, rawQuery: `${wire.rawQuery}x` }),
  'the key': (wire) => withHeader(wire, 'x-ca-key', '203753386'),
  'the nonce': (wire) => withHeader(wire, 'x-ca-nonce', 'another'),
  'the timestamp': (wire) => withHeader(wire, 'x-ca-timestamp', '1'),
  'the stage': (wire) => (headerOf(wire, 'x-ca-stage') === null ? null : withHeader(wire, 'x-ca-stage', 'TEST')),
  Accept: (wire) => withHeader(wire, 'accept', '*/*'),
  'the content type': (wire) =>
    headerOf(wire, 'content-type') === null ? null : withHeader(wire, 'content-type', 'text/html'),
  'a form field': (wire) =>
    isFormType(headerOf(wire, 'content-type') ?? '') && wire.body.length > 0
      ? { ...wire, body: Buffer.concat([wire.body, Buffer.from('x')]) }
      : null,
  'a body under Content-MD5': (wire) =>
    headerOf(wire, 'content-md5') === null ? null : { ...wire, body: Buffer.concat([wire.body, Buffer.from(' ')]) },
  'Content-MD5 together with the body': (wire) => {
    const body = Buffer.concat([wire.body, Buffer.from(' ')]);
    if (headerOf(wire, 'content-md5') === null) return null;
    return { ...withHeader(wire, 'content-md5', contentMd5(body)), body };
  },
};

/** Changes of what nobody signed, or of spelling only. */
const harmless: Readonly<Record<string, (wire: Wire) => Wire | null>> = {
  'another header': (wire) => ({ ...wire, headers: new Map([...wire.headers, ['X-Proxy', 'passed']]) }),
  'the agent': (wire) => ({ ...wire, headers: new Map([...wire.headers, ['User-Agent', 'proxy']]) }),
  'the case of header names': (wire) => ({
    ...wire,
    headers: new Map([...wire.headers].map(([item, value]) => [item.toUpperCase(), value])),
  }),
  'the order of parameters': (wire) => ({ ...wire, rawQuery: wire.rawQuery.split('&').reverse().join('&') }),
  'the spelling of blanks': (wire) => ({ ...wire, rawQuery: wire.rawQuery.replaceAll('%20', '+') }),
  'a parameter without a name': (wire) => ({ ...wire, rawQuery: `${wire.rawQuery}&=x` }),
  'a body without Content-MD5 that is no form': (wire) => {
    const isCovered = headerOf(wire, 'content-md5') !== null || isFormType(headerOf(wire, 'content-type') ?? '');
    return isCovered ? null : { ...wire, body: Buffer.concat([wire.body, Buffer.from('x')]) };
  },
};

for (const [who, sign] of Object.entries(clients)) {
  describe(`what ${who} signs`, () => {
    it('is accepted', () => {
      fc.assert(
        fc.property(intents, (intent) => assert.equal(accepts(sign(intent)), true)),
        { numRuns },
      );
    });
    for (const [what, change] of Object.entries(forgeries)) {
      it(`is refused when somebody changed ${what}`, () => {
        const safe = intents.filter((intent) => !hasClash(intent));
        fc.assert(
          fc.property(safe, (intent) => {
            const changed = change(sign(intent));
            if (changed !== null) assert.equal(accepts(changed), false);
          }),
          { numRuns: Math.ceil(numRuns / Object.keys(forgeries).length) },
        );
      });
    }
    for (const [what, change] of Object.entries(harmless)) {
      it(`is accepted when somebody changed ${what}`, () => {
        fc.assert(
          fc.property(intents, (intent) => {
            const changed = change(sign(intent));
            if (changed !== null) assert.equal(accepts(changed), true);
          }),
          { numRuns: Math.ceil(numRuns / Object.keys(harmless).length) },
        );
      });
    }
  });
}

describe('readings that clients differ in', () => {
  const signed = (resourceText: string, wire: { rawQuery?: string; body?: string }): Wire => {
    const text = `POST\n\n\n${formType}\n\nX-Ca-Key:${key}\n${resourceText}`;
    return {
      method: 'POST',
      rawPath: '/f',
      rawQuery: wire.rawQuery ?? '',
      headers: new Map([
        ['Content-Type', formType],
        ['X-Ca-Key', key],
        ['X-Ca-Signature', computeSignature(text, secret, 'HmacSHA256')],
      ]),
      body: Buffer.from(wire.body ?? ''),
    };
  };
  const rows: readonly (readonly [what: string, resource: string, wire: { rawQuery?: string; body?: string }])[] = [
    ['a form item without = by its name as written', '/f?a%20b&x=1', { body: 'a%20b&x=1' }],
    ['a form item without = by its decoded name', '/f?a b&x=1', { body: 'a%20b&x=1' }],
    [
      'names beyond U+FFFF after U+FFFD, by bytes',
      '/f?\ufffd=1&\u{1f600}=2',
      { rawQuery: '%F0%9F%98%80=2&%EF%BF%BD=1' },
    ],
    [
      'names beyond U+FFFF before U+FFFD, by units',
      '/f?\u{1f600}=2&\ufffd=1',
      { rawQuery: '%F0%9F%98%80=2&%EF%BF%BD=1' },
    ],
    ['the same name, form first', '/f?k=f', { rawQuery: 'k=q', body: 'k=f' }],
    ['the same name, query first', '/f?k=q', { rawQuery: 'k=q', body: 'k=f' }],
  ];
  for (const [what, text, wire] of rows) {
    it(`accepts ${what}`, () => assert.equal(accepts(signed(text, wire)), true));
  }

  it('refuses what no client writes', () => {
    assert.equal(accepts(signed('/f?x=1&a=2', { rawQuery: 'a=2&x=1' })), false);
    assert.equal(accepts(signed('/f?k=', { rawQuery: 'k=' })), false);
  });
});
