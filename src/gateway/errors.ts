// Every error that the gateway itself answers: code, status, message, source, and its words on classic-network groups.
// Steps throw a Refusal made by refuse(); pipeline.ts catches it in one place.
import type { Failure } from '../model/record.ts';

/**
 * Errors of classic-network instances: text → status. They carry no code. Slots as in gatewayErrors.
 * Source: docs.
 */
export const classicErrors = {
  // Kind is USER or APP.
  'Throttled by {Kind} Flow Control': 403,
  'Throttled by API Flow Control': 403,
  'Throttled by DOMAIN Flow Control': 403,
  'Throttled by GROUP Flow Control': 403,
  'Quota Exhausted': 403,
  'Quota Expired': 403,
  'User Arrears': 403,
  'Expiry of Authorization': 403,
  'Empty Request Body': 400,
  'Invalid Request Body': 400,
  'Invalid Param Location': 400,
  'Unsupported Multipart': 400,
  'Invalid Url': 400,
  'Invalid Domain': 400,
  'Invalid HttpMethod': 400,
  'Invalid AppKey': 400,
  'Invalid AppSecret': 400,
  'Timestamp Expired': 400,
  'Invalid Timestamp': 400,
  'Empty Signature': 404,
  'Invalid Signature, Server StringToSign:{StringToSign}': 400,
  'Invalid Content-MD5': 400,
  Unauthorized: 403,
  'Nonce Used': 400,
  'API Not Found': 400,
  'Invalid Parameter Required `{ParameterName}`': 400,
  'Internal Error': 500,
  'Failed To Invoke Backend Service': 500,
  'Service Unavailable': 503,
  'Async Service': 504,
} as const;
export type ClassicError = keyof typeof classicErrors;

type ErrorRow = {
  readonly status: number;
  /** `{Name}` is a slot. */
  readonly message: string;
  /** `docs`: code and message read in a help page. `sdk`: seen in a client or a log. `assumed`: the wording is ours. */
  readonly source: 'docs' | 'sdk' | 'assumed';
  /** Null: a classic group answers the same status and message, without the code. */
  readonly classic: ClassicError | null;
};

/** Source: docs, in the order of their tables. */
export const gatewayErrors = {
  // Parsing, routing, definition
  I400HD: { status: 400, message: 'Invalid Header `{HeaderName}` {Reason}', source: 'docs', classic: null },
  I400MH: { status: 400, message: 'Header `{HeaderName}` is Required', source: 'docs', classic: null },
  I400BD: { status: 400, message: 'Invalid Body: {Reason}', source: 'docs', classic: 'Invalid Request Body' },
  I400PA: { status: 400, message: 'Invalid Request Path `{Reason}`', source: 'docs', classic: 'Invalid Url' },
  I405UM: { status: 405, message: 'Unsupported Method `{Reason}`', source: 'docs', classic: 'Invalid HttpMethod' },
  I400RU: { status: 400, message: 'Invalid Request Uri `{Reason}`', source: 'docs', classic: 'Invalid Url' },
  I403PT: { status: 403, message: 'Invalid protocol {Protocol} unsupported', source: 'docs', classic: null },
  I413RL: { status: 413, message: 'Request body too Large', source: 'docs', classic: null },
  I413UL: { status: 413, message: 'Request URL too Large', source: 'docs', classic: null },
  I400CT: { status: 400, message: 'Invalid Content-Type: `{Reason}`', source: 'docs', classic: null },
  I404DO: { status: 404, message: 'Invalid Domain `{DomainName}`', source: 'docs', classic: 'Invalid Domain' },
  I410GG: { status: 410, message: "Group's instance invalid", source: 'docs', classic: null },
  I400SG: { status: 400, message: 'Invalid Stage', source: 'docs', classic: 'Invalid Url' },
  I404NF: { status: 404, message: 'API not found {Reason}', source: 'docs', classic: 'Invalid Url' },
  X400PM: { status: 400, message: 'Invalid plugin meta {PluginName} {Reason}', source: 'docs', classic: null },
  X500ED: { status: 500, message: 'Expired api definition', source: 'docs', classic: 'Internal Error' },
  X500AM: {
    status: 500,
    message: 'Invalid Api Meta, try deploy again or contact us via ticket',
    source: 'docs',
    classic: 'Internal Error',
  },
  X403DG: { status: 403, message: 'Bad Domain or Group: {Reason}', source: 'docs', classic: null },
  B451DO: { status: 451, message: 'Unavailable Domain for Legal Reasons', source: 'docs', classic: null },
  B451GO: { status: 451, message: 'Unavailable Group for Legal Reasons', source: 'docs', classic: null },
  B403OD: { status: 403, message: 'Provider Account Overdue', source: 'docs', classic: 'User Arrears' },
  I508LD: { status: 508, message: 'Loop Detected', source: 'assumed', classic: null },
  I404NR: { status: 404, message: '{Resource} not found', source: 'assumed', classic: null },
  I404SR: { status: 404, message: 'Stage route missing: {Reason}', source: 'assumed', classic: null },
  // Authentication
  A400MA: {
    status: 400,
    message: 'Need authorization, `X-Ca-Key` or `Authorization: APPCODE ...` is required',
    source: 'assumed',
    classic: 'Invalid AppKey',
  },
  A400AC: { status: 400, message: 'Invalid AppCode {Reason}', source: 'docs', classic: null },
  A401AC: { status: 401, message: 'Invalid AppCode {Reason}', source: 'sdk', classic: null },
  A400IK: { status: 400, message: 'Invalid AppKey', source: 'docs', classic: 'Invalid AppKey' },
  A403IS: {
    status: 403,
    message: 'Invalid Signature, Server StringToSign:`{StringToSign}`',
    source: 'docs',
    classic: 'Invalid Signature, Server StringToSign:{StringToSign}',
  },
  A403EP: { status: 403, message: 'App authorization expired', source: 'sdk', classic: 'Expiry of Authorization' },
  I403AA: { status: 403, message: 'Unauthorized', source: 'sdk', classic: 'Unauthorized' },
  A403AA: { status: 403, message: 'Unauthorized', source: 'assumed', classic: 'Unauthorized' },
  A403PR: { status: 403, message: 'Plugin Authorization Needed', source: 'assumed', classic: null },
  I400I5: { status: 400, message: 'Invalid Content-MD5 {Reason}', source: 'assumed', classic: 'Invalid Content-MD5' },
  I400NC: { status: 400, message: 'X-Ca-Nonce is required', source: 'assumed', classic: null },
  S403NU: { status: 403, message: 'Nonce Used', source: 'assumed', classic: 'Nonce Used' },
  S403TE: { status: 403, message: 'X-Ca-Timestamp is expired', source: 'assumed', classic: 'Timestamp Expired' },
  // Parameters
  I400MP: {
    status: 400,
    message: 'Parameter `{ParameterName}` is required',
    source: 'assumed',
    classic: 'Invalid Parameter Required `{ParameterName}`',
  },
  I400IP: { status: 400, message: 'Invalid parameter `{ParameterName}` {Reason}', source: 'assumed', classic: null },
  // Tokens
  I400JR: { status: 400, message: 'JWT required', source: 'assumed', classic: null },
  I400JD: { status: 400, message: 'JWT Deserialize Failed: `{Token}`', source: 'assumed', classic: null },
  A403JT: { status: 403, message: 'Invalid JWT: {Reason}', source: 'assumed', classic: null },
  A403JK: { status: 403, message: 'No matching JWK, `kid:{kid}` not found', source: 'assumed', classic: null },
  A403JE: { status: 403, message: 'JWT is expired at `{Date}`', source: 'assumed', classic: null },
  S403JI: {
    status: 403,
    message: 'Claim `jti` is required when `preventJtiReplay:true`',
    source: 'assumed',
    classic: null,
  },
  S403JU: { status: 403, message: 'Claim `jti` in JWT is used', source: 'assumed', classic: null },
  I400JP: { status: 400, message: 'Invalid JWT plugin config: {JWT}', source: 'sdk', classic: null },
  A401OT: { status: 401, message: 'Invalid OAuth2 Access Token', source: 'sdk', classic: null },
  A401OM: { status: 401, message: 'OAuth2 Access Token is required', source: 'assumed', classic: null },
  A403OL: { status: 403, message: 'OAuth2 Login failed: {Reason}', source: 'assumed', classic: null },
  A403OU: { status: 403, message: 'OAuth2 Get User Info failed: {Reason}', source: 'assumed', classic: null },
  // Access rules and CORS
  A403IP: { status: 403, message: 'Access denied by IP Control Policy', source: 'assumed', classic: null },
  A403IN: { status: 403, message: 'Access from internet is disabled {Reason}', source: 'assumed', classic: null },
  A403VN: { status: 403, message: 'Access from invalid VPC is disabled', source: 'assumed', classic: null },
  A403AC: { status: 403, message: 'Access Control Forbidden by {RuleName}', source: 'docs', classic: null },
  A403CO: { status: 403, message: 'Cross origin resource forbidden {Domain}', source: 'assumed', classic: null },
  I404CO: {
    status: 404,
    message: 'Cross origin resource not found {Method} - {Path}',
    source: 'assumed',
    classic: null,
  },
  I404CH: {
    status: 404,
    message: 'Content not cached, with `Cache-Control:only-if-cached`',
    source: 'assumed',
    classic: null,
  },
  // Traffic and quota
  T429ID: {
    status: 429,
    message: 'Throttled by INNER DOMAIN Flow Control, {Domain} is a test domain, only {Limit} requests per day',
    source: 'assumed',
    classic: 'Throttled by DOMAIN Flow Control',
  },
  T429IN: { status: 429, message: 'Throttled by INSTANCE Flow Control', source: 'assumed', classic: null },
  T429GR: {
    status: 429,
    message: 'Throttled by GROUP Flow Control',
    source: 'sdk',
    classic: 'Throttled by GROUP Flow Control',
  },
  T429PA: {
    status: 429,
    message: 'Throttled by API Flow Control',
    source: 'sdk',
    classic: 'Throttled by API Flow Control',
  },
  T429PR: {
    status: 429,
    message: 'Throttled by {Kind} Flow Control',
    source: 'assumed',
    classic: 'Throttled by {Kind} Flow Control',
  },
  T429SR: { status: 429, message: 'Throttled by SERVER Flow Control', source: 'assumed', classic: null },
  T429MR: {
    status: 429,
    message: 'Too Many Requests, throttle by `{Description}`',
    source: 'assumed',
    classic: null,
  },
  B403MO: { status: 403, message: 'Api Market Subscription overdue', source: 'assumed', classic: 'User Arrears' },
  B403MQ: {
    status: 403,
    message: 'Api Market Subscription quota exhausted',
    source: 'sdk',
    classic: 'Quota Exhausted',
  },
  B403ME: { status: 403, message: 'Api Market Subscription expired', source: 'sdk', classic: 'Quota Expired' },
  B403MI: { status: 403, message: 'Api Market Subscription invalid', source: 'sdk', classic: null },
  // Backend
  D504RE: {
    status: 504,
    message: 'Backend domain `{Domain}` resolve failed',
    source: 'assumed',
    classic: 'Failed To Invoke Backend Service',
  },
  D504IL: {
    status: 504,
    message: 'Backend domain `{Domain}` resolve to illegal address `{Address}`',
    source: 'assumed',
    classic: 'Failed To Invoke Backend Service',
  },
  D504CO: {
    status: 504,
    message: 'Backend service connect failed `{Reason}`',
    source: 'docs',
    classic: 'Failed To Invoke Backend Service',
  },
  D504CS: {
    status: 504,
    message: 'Backend http ssl connect failed `{Reason}`',
    source: 'assumed',
    classic: 'Failed To Invoke Backend Service',
  },
  D504TO: { status: 504, message: 'Backend service request timeout', source: 'sdk', classic: 'Async Service' },
  X504VE: {
    status: 504,
    message: 'Backend service vpc mapped failed',
    source: 'assumed',
    classic: 'Failed To Invoke Backend Service',
  },
  I504RB: { status: 504, message: 'Invalid Route Backend: {Reason}', source: 'assumed', classic: null },
  D503BB: { status: 503, message: 'Backend circuit breaker busy', source: 'assumed', classic: 'Service Unavailable' },
  D503CB: {
    status: 503,
    message: 'Backend circuit breaker open, {Reason}',
    source: 'assumed',
    classic: 'Service Unavailable',
  },
  A403FC: {
    status: 403,
    message: 'Function Compute AssumeRole failed {RequestId}:{Reason}',
    source: 'assumed',
    classic: null,
  },
  D502FC: {
    status: 502,
    message: 'Function Compute response invalid: {Reason}',
    source: 'sdk',
    classic: 'Service Unavailable',
  },
  I404DD: { status: 404, message: 'Device id {DeviceId} not found', source: 'assumed', classic: null },
  // Gateway-internal and client network
  X500ER: { status: 500, message: 'Service Internal Error', source: 'sdk', classic: 'Internal Error' },
  X503BZ: { status: 503, message: 'Service Busy', source: 'sdk', classic: 'Service Unavailable' },
  X504TO: { status: 504, message: 'Service timeout', source: 'assumed', classic: 'Async Service' },
  N502RE: {
    status: 502,
    message: 'Response Error: {Reason}',
    source: 'assumed',
    classic: 'Failed To Invoke Backend Service',
  },
} as const satisfies Record<string, ErrorRow>;

export type GatewayErrorCode = keyof typeof gatewayErrors;

/** The slots in a message, as a type. */
type SlotNames<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | SlotNames<Rest>
  : never;
/** A value for each slot of a code's message; nothing more, nothing less. */
export type Slots<Code extends GatewayErrorCode> = {
  readonly [Name in SlotNames<(typeof gatewayErrors)[Code]['message']>]: string;
};

/** What the failing step knows about the reason. `message` may be shown to the caller; `expected`, `got` may not. */
export type Why = Pick<Failure, 'side' | 'message'> &
  Partial<Pick<Failure, 'field' | 'expected' | 'got' | 'functionLog'>>;

/** Ends a request with one of the gateway's own errors. Made by refuse(), caught in pipeline.ts. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: GatewayErrorCode;
  readonly slots: Readonly<Record<string, string>>;
  readonly failure: Failure;
  /** What a classic group says here, where that is not what its table says for the code. */
  readonly classic: ClassicError | null;

  constructor(
    code: GatewayErrorCode,
    slots: Readonly<Record<string, string>>,
    failure: Failure,
    classic: ClassicError | null = null,
  ) {
    super(`${code}: ${failure.message}`);
    this.classic = classic;
    this.code = code;
    this.slots = slots;
    this.failure = failure;
  }
}

/** The caller closed the connection before the answer; nothing can be sent. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** Makes the one error that a step throws. */
export function refuse<Code extends GatewayErrorCode>(
  code: Code,
  slots: Slots<Code>,
  why: Why,
  classic?: ClassicError,
): Refusal {
  const failure: Failure = {
    code,
    side: why.side,
    field: why.field ?? null,
    expected: why.expected ?? null,
    got: why.got ?? null,
    message: why.message,
    functionLog: why.functionLog ?? null,
  };
  return new Refusal(code, slots, failure, classic);
}

const slot = /\{(\w+)\}/g;

/** Status and text of an error as the caller's kind of instance words it. `code` is null on classic groups. */
export function wordError(
  code: GatewayErrorCode,
  slots: Readonly<Record<string, string>>,
  isClassic: boolean,
  ownClassic: ClassicError | null = null,
): { readonly status: number; readonly code: GatewayErrorCode | null; readonly message: string } {
  const row: ErrorRow = gatewayErrors[code];
  const fill = (template: string) => template.replace(slot, (_, name: string) => slots[name] ?? '').trimEnd();
  if (!isClassic) return { status: row.status, code, message: fill(row.message) };
  const classic = ownClassic ?? row.classic;
  if (classic === null) return { status: row.status, code: null, message: fill(row.message) };
  return { status: classicErrors[classic], code: null, message: fill(classic) };
}
