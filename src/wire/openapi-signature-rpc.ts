// RPC signature version 1: every parameter, query and form, signed with HMAC-SHA1. Control verifies, the CLI signs.
import { createHmac } from 'node:crypto';
import { compareText, encodeRfc3986, type QueryPair } from './percent-encoding.ts';

/** `SignatureMethod` values that are understood. */
export const rpcSignatureMethods = ['HMAC-SHA1', 'HMAC-SHA256'] as const;
export type RpcSignatureMethod = (typeof rpcSignatureMethods)[number];

/**
 * The text that is signed.
 *
 * Shape: `GET&%2F&AccessKeyId%3D...`: verb, encoded `/`, and the encoded sorted query without `Signature`.
 * Source: sdk.
 */
export function rpcStringToSign(method: string, parameters: readonly QueryPair[]): string {
  const sorted = parameters
    .filter(([name]) => name !== 'Signature')
    .sort((left, right) => compareText(left[0], right[0]) || compareText(left[1], right[1]));
  const canonical = sorted.map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`).join('&');
  return `${method}&${encodeRfc3986('/')}&${encodeRfc3986(canonical)}`;
}

/** Base64 of the HMAC with the key `secret&`. */
export function rpcSignature(secret: string, stringToSign: string, algorithm: RpcSignatureMethod): string {
  const hash = algorithm === 'HMAC-SHA1' ? 'sha1' : 'sha256';
  return createHmac(hash, `${secret}&`).update(stringToSign).digest('base64');
}

export type RpcCall = {
  readonly method: 'GET' | 'POST';
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** `YYYY-MM-DDThh:mm:ssZ`. */
  readonly timestamp: string;
  readonly nonce: string;
  /** `Action`, `Version` and the operation's own parameters; `Format` is JSON unless it is among them. */
  readonly parameters: readonly QueryPair[];
};

/** All parameters of a call, `Signature` last: put them in the query (GET) or a form body (POST). */
export function signRpc(call: RpcCall): QueryPair[] {
  const pairs: QueryPair[] = [
    ...(call.parameters.some(([name]) => name === 'Format') ? [] : [['Format', 'JSON'] as const]),
    ['AccessKeyId', call.accessKeyId],
    ['SignatureMethod', 'HMAC-SHA1'],
    ['SignatureVersion', '1.0'],
    ['SignatureNonce', call.nonce],
    ['Timestamp', call.timestamp],
    ...call.parameters,
  ];
  const signature = rpcSignature(call.accessKeySecret, rpcStringToSign(call.method, pairs), 'HMAC-SHA1');
  return [...pairs, ['Signature', signature]];
}
