// The HTTP document that an event handler of Function Compute 3 gets for an HTTP call, and what its result means.
// Called by the gateway's function backend, and for any other HTTP call of a function.

/** One HTTP call. Texts are decoded unless said; several values of a name joined by `,`. */
export type FunctionHttpCall = {
  readonly method: string;
  /** Still URL-encoded. */
  readonly rawPath: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly query: ReadonlyMap<string, string>;
  readonly body: Buffer;
  readonly contentType: string | null;
  /** Host without port. */
  readonly domainName: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  readonly requestId: string;
  /** Epoch ms. */
  readonly at: number;
  readonly accountId: string;
  readonly triggerId: string;
};

const textTypes =
  /^(text\/|application\/(json|xml|javascript|x-javascript|x-www-form-urlencoded)\b|[^;]+\+(json|xml)\b)/i;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Source: assumed: text for text types, and without a type for what is UTF-8; else base64. */
function textOf(body: Buffer, contentType: string | null): string | null {
  if (contentType !== null && contentType !== '' && !textTypes.test(contentType)) return null;
  try {
    return utf8.decode(body);
  } catch {
    return null; // Not UTF-8: TextDecoder's one failure.
  }
}

/**
 * The event, UTF-8 JSON.
 *
 * Shape: `{"version":"v1","rawPath":"/a","body":"","isBase64Encoded":false,"headers":{…},"queryParameters":{…},"requestContext":{…}}`.
 * Source: docs.
 */
export function writeHttpEvent(call: FunctionHttpCall): Buffer {
  const text = textOf(call.body, call.contentType);
  const event = {
    version: 'v1',
    rawPath: call.rawPath,
    headers: Object.fromEntries(call.headers),
    queryParameters: Object.fromEntries(call.query),
    body: text ?? call.body.toString('base64'),
    isBase64Encoded: text === null,
    requestContext: {
      accountId: call.accountId,
      domainName: call.domainName,
      domainPrefix: call.domainName.split('.')[0] ?? '',
      http: {
        method: call.method,
        path: call.path,
        protocol: 'HTTP/1.1',
        sourceIp: call.sourceIp,
        userAgent: call.userAgent,
      },
      requestId: call.requestId,
      time: `${new Date(call.at).toISOString().slice(0, 19)}Z`,
      timeEpoch: String(call.at),
      triggerId: call.triggerId,
    },
  };
  return Buffer.from(JSON.stringify(event));
}

/**
 * What a result is to the caller: `document` says status, headers and body itself; `json` and `text` are sent as they are, with 200.
 * Source: docs, the latter two unconfirmed.
 */
export function kindOfHttpResult(result: Buffer): 'document' | 'json' | 'text' {
  let value: unknown;
  try {
    value = JSON.parse(result.toString('utf8'));
  } catch {
    return 'text'; // SyntaxError: no JSON.
  }
  return typeof value === 'object' && value !== null && 'statusCode' in value ? 'document' : 'json';
}
