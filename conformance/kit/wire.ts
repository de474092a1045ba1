// Requests byte for byte, signed as the cloud's documents say and not by the server's code: what captured clients sent.
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Credentials, Ready } from '../../tests/harness/server.ts';

type Pair = readonly [name: string, value: string];

export type WireAnswer = {
  readonly status: number;
  readonly headers: Readonly<NodeJS.Dict<string | string[]>>;
  readonly text: string;
  /** `{}` when the body is no JSON. */
  readonly json: unknown;
};

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** `a=1&b=2` in the order given. */
export function formatPairs(pairs: readonly Pair[]): string {
  return pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
}

function sorted(pairs: readonly Pair[]): Pair[] {
  return pairs.toSorted(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
}

const utcSeconds = () => new Date().toISOString().replace(/\.\d+Z$/, 'Z');

/** The parameters with the system parameters of RPC v1 and the signature; `form` is signed together with them. */
export function signRpc(
  { accessKeyId, accessKeySecret }: Credentials,
  method: string,
  query: readonly Pair[],
  form: readonly Pair[] = [],
): Pair[] {
  const all: Pair[] = [
    ...query,
    ['AccessKeyId', accessKeyId],
    ['SignatureMethod', 'HMAC-SHA1'],
    ['SignatureNonce', randomUUID()],
    ['SignatureVersion', '1.0'],
    ['Timestamp', utcSeconds()],
  ];
  const text = `${method}&%2F&${encode(formatPairs(sorted([...all, ...form])))}`;
  const signature = createHmac('sha1', `${accessKeySecret}&`).update(text).digest('base64');
  return [...all, ['Signature', signature]];
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');

/** Headers of V3 for a POST of an RPC product; `query` is what the server is to read, however the URL spells it. */
export function signV3(
  ready: Ready,
  { accessKeyId, accessKeySecret }: Credentials,
  call: {
    readonly action: string;
    readonly version: string;
    readonly query: readonly Pair[];
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Record<string, string> {
  const { action, version, query, body = '', headers = {} } = call;
  const all: Record<string, string> = {
    ...headers,
    host: new URL(ready.api).host,
    'x-acs-action': action,
    'x-acs-version': version,
    'x-acs-date': utcSeconds(),
    'x-acs-signature-nonce': randomUUID().replaceAll('-', ''),
    'x-acs-content-sha256': sha256(body),
  };
  const names = Object.keys(all)
    .filter((name) => name.startsWith('x-acs-') || name === 'host' || name === 'content-type')
    .sort();
  const lines = names.map((name) => `${name}:${all[name]}\n`).join('');
  const canonical = ['POST', '/', formatPairs(sorted(query)), lines, names.join(';'), sha256(body)].join('\n');
  const text = `ACS3-HMAC-SHA256\n${sha256(canonical)}`;
  const signature = createHmac('sha256', accessKeySecret).update(text).digest('hex');
  const credential = `Credential=${accessKeyId},SignedHeaders=${names.join(';')},Signature=${signature}`;
  return { ...all, accept: 'application/json', authorization: `ACS3-HMAC-SHA256 ${credential}` };
}

export type WireRequest = {
  readonly method: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Sent as `Transfer-Encoding: chunked`, in two chunks. */
  readonly isChunked?: boolean;
};

/** One request on a connection of its own. */
export function send(
  ready: Ready,
  { method, target, headers = {}, body = '', isChunked }: WireRequest,
): Promise<WireAnswer> {
  const { hostname, port } = new URL(ready.api);
  const length = isChunked === true ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const call = request({
      host: hostname,
      port,
      method,
      path: target,
      agent: false,
      headers: { ...length, ...headers },
    });
    call.on('error', reject).on('response', (answer) => {
      buffer(answer).then((bytes) => {
        const text = bytes.toString();
        const json: unknown = text.startsWith('{') ? JSON.parse(text) : {};
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json });
      }, reject);
    });
    if (isChunked === true) call.write(body.slice(0, 5));
    call.end(isChunked === true ? body.slice(5) : body);
  });
}
