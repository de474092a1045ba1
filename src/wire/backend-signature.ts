// The signature by which a backend knows that a request came from the gateway. Pure; called by the gateway's backends.
import { createHmac } from 'node:crypto';

export type BackendRequestToSign = {
  readonly method: string;
  /** The Content-MD5 header of the backend request; empty when it has none. */
  readonly contentMd5: string;
  /** The headers to sign, by name as it is sent. */
  readonly headers: readonly (readonly [string, string])[];
  /** Without the query. */
  readonly path: string;
  /** Query and form parameters as they are sent, decoded; of a repeated name the first value. */
  readonly parameters: ReadonlyMap<string, string>;
};

const byText = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);

/**
 * What is signed.
 *
 * Shape: `METHOD LF Content-MD5 LF`, then `name:value LF` for each signed header (lower-case names, sorted), then
 * `path?name=value&…` sorted by name, values not encoded, an empty one as `name=`.
 * Source: sdk (the vendor's backend-signature demo).
 */
export function backendStringToSign(request: BackendRequestToSign): string {
  const headers = request.headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .sort(([left], [right]) => byText(left, right))
    .map(([name, value]) => `${name}:${value}\n`);
  const parameters = [...request.parameters]
    .sort(([left], [right]) => byText(left, right))
    .map(([name, value]) => `${name}=${value}`);
  const query = parameters.length === 0 ? '' : `?${parameters.join('&')}`;
  return `${request.method}\n${request.contentMd5}\n${headers.join('')}${request.path}${query}`;
}

/** The three headers that go with a signed request, name and value. The third names the key, so that keys can be changed in turn. */
export function signBackendRequest(
  request: BackendRequestToSign,
  { key, secret }: { readonly key: string; readonly secret: string },
): readonly (readonly [string, string])[] {
  const signature = createHmac('sha256', secret).update(backendStringToSign(request), 'utf8').digest('base64');
  return [
    ['X-Ca-Proxy-Signature', signature],
    ['X-Ca-Proxy-Signature-Headers', request.headers.map(([name]) => name).join(',')],
    ['X-Ca-Proxy-Signature-Secret-Key', key],
  ];
}
