// Signs one call of a control plane by any scheme, right or wrong in a named way. Used by the tests of errors and credentials.
import { randomUUID } from 'node:crypto';
import { fcProxyResource, fcSignature, fcStringToSign } from '../../src/wire/openapi-signature-fc.ts';
import { roaSignature, roaStringToSign } from '../../src/wire/openapi-signature-roa.ts';
import { signRpc } from '../../src/wire/openapi-signature-rpc.ts';
import { signV3 } from '../../src/wire/openapi-signature-v3.ts';
import { formatQuery, type QueryPair } from '../../src/wire/percent-encoding.ts';
import { formatUtcSeconds } from '../../src/wire/utc-time.ts';
import { type Plane, type RawAnswer, rawCall } from './control-fixture.ts';

export type Key = {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string;
};

/** What is signed; parts that are wrong on purpose have names of their own. */
export type Signed = {
  readonly key: Key;
  /** The time that is signed, epoch ms; text is sent as it is. */
  readonly time?: number | string;
  readonly nonce?: string;
};

/** A call of Function Compute. `path` with its version. */
export type FcCall = { readonly method: string; readonly path: string; readonly body?: string };
export type RpcCall = { readonly action: string; readonly version: string; readonly parameters: readonly QueryPair[] };

export type RpcScheme = (plane: Plane, call: RpcCall, signed: Signed) => Promise<RawAnswer>;
export type FcScheme = (plane: Plane, call: FcCall, signed: Signed) => Promise<RawAnswer>;

const timeOf = (time: Signed['time'], form: (at: number) => string) =>
  typeof time === 'string' ? time : form(time ?? Date.now());
const httpDate = (at: number) => new Date(at).toUTCString();

function rpcV1(method: 'GET' | 'POST'): RpcScheme {
  return (plane, { action, version, parameters }, { key, time, nonce }) => {
    const token: QueryPair[] = key.securityToken === undefined ? [] : [['SecurityToken', key.securityToken]];
    const pairs = signRpc({
      method,
      accessKeyId: key.accessKeyId,
      accessKeySecret: key.accessKeySecret,
      timestamp: timeOf(time, formatUtcSeconds),
      nonce: nonce ?? randomUUID(),
      parameters: [['Action', action], ['Version', version], ...token, ...parameters],
    });
    const text = formatQuery(pairs);
    if (method === 'GET') return rawCall(plane, 'GET', `/?${text}`);
    return rawCall(plane, 'POST', '/', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: text,
    });
  };
}

type V3Request = {
  method: string;
  path: string;
  query: readonly QueryPair[];
  action: string;
  version: string;
  body: string;
};

function v3(plane: Plane, request: V3Request, { key, time, nonce }: Signed): Promise<RawAnswer> {
  const headers = signV3({
    ...request,
    host: plane.url.host,
    date: timeOf(time, formatUtcSeconds),
    nonce: nonce ?? randomUUID(),
    contentType: null,
    body: Buffer.from(request.body),
    ...key,
  });
  const text = formatQuery(request.query);
  return rawCall(plane, request.method, `${request.path}${text === '' ? '' : `?${text}`}`, {
    headers,
    body: request.body,
  });
}

/** Every scheme that an RPC product takes. */
export const rpcSchemes: Readonly<Record<string, RpcScheme>> = {
  'RPC v1, GET': rpcV1('GET'),
  'RPC v1, POST form': rpcV1('POST'),
  V3: (plane, { action, version, parameters }, signed) =>
    v3(plane, { method: 'POST', path: '/', query: parameters, action, version, body: '' }, signed),
};

const versionOf = (path: string) => path.split('/')[1] ?? '';

function roa(plane: Plane, { method, path, body = '' }: FcCall, { key, time, nonce }: Signed): Promise<RawAnswer> {
  const headers: Record<string, string> = {
    accept: 'application/json',
    'content-type': 'application/json',
    date: timeOf(time, httpDate),
    'x-acs-signature-method': 'HMAC-SHA1',
    'x-acs-signature-version': '1.0',
    'x-acs-signature-nonce': nonce ?? randomUUID(),
    'x-acs-version': versionOf(path),
    ...(key.securityToken === undefined
      ? {}
      : { 'x-acs-accesskey-id': key.accessKeyId, 'x-acs-security-token': key.securityToken }),
  };
  const signature = roaSignature(key.accessKeySecret, roaStringToSign({ method, path, query: [], headers }));
  return rawCall(plane, method, path, {
    headers: { ...headers, authorization: `acs ${key.accessKeyId}:${signature}` },
    body,
  });
}

function classic(plane: Plane, { method, path, body = '' }: FcCall, { key, time }: Signed): Promise<RawAnswer> {
  const headers: Record<string, string> = {
    date: timeOf(time, httpDate),
    'x-fc-account-id': plane.credentials.accountId,
    ...(key.securityToken === undefined ? {} : { 'x-fc-security-token': key.securityToken }),
  };
  const signature = fcSignature(key.accessKeySecret, fcStringToSign({ method, path, query: [], headers }, path));
  return rawCall(plane, method, path, {
    headers: { ...headers, authorization: `FC ${key.accessKeyId}:${signature}` },
    body,
  });
}

/** A pre-signed URL, good for a minute from the time that is signed. */
function classicQuery(plane: Plane, { method, path, body = '' }: FcCall, { key, time }: Signed): Promise<RawAnswer> {
  const query: QueryPair[] = [
    ['x-fc-access-key-id', key.accessKeyId],
    ['x-fc-expires', timeOf(time, (at) => String(Math.floor(at / 1000) + 60))],
    ...(key.securityToken === undefined ? [] : [['x-fc-security-token', key.securityToken] as const]),
  ];
  const signature = fcSignature(
    key.accessKeySecret,
    fcStringToSign({ method, path, query, headers: {} }, fcProxyResource(path, query)),
  );
  return rawCall(plane, method, `${path}?${formatQuery([...query, ['x-fc-signature', signature]])}`, { body });
}

/** Every scheme that Function Compute takes, at every version. */
export const fcSchemes: Readonly<Record<string, FcScheme>> = {
  V3: (plane, { method, path, body = '' }, signed) =>
    v3(plane, { method, path, query: [], action: 'Any', version: versionOf(path), body }, signed),
  'ROA v1': roa,
  'FC header': classic,
  'FC query': classicQuery,
};

/** Schemes whose requests carry a nonce. */
export const schemesWithNonce: ReadonlySet<string> = new Set(['RPC v1, GET', 'RPC v1, POST form', 'V3', 'ROA v1']);
