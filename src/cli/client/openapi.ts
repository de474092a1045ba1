// Signed calls to a server's API listener: CloudAPI (RPC) and Function Compute (ROA) over ACS3-HMAC-SHA256.
import { systemClock } from '../../base/clock.ts';
import { randomHex } from '../../base/ids.ts';
import { signV3 } from '../../wire/openapi-signature-v3.ts';
import { formatQuery, type QueryPair } from '../../wire/percent-encoding.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import { CliError, failed } from '../errors.ts';
import { type HttpAnswer, sendRequest } from './http.ts';
import { isRecord, type JsonRecord, parseJson, readText } from './json.ts';

export type ApiTarget = {
  /** `http://host:port`. */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** How the target was found and what to do when nobody answers there; ends the message of exit 3. */
  readonly hint: string;
};

export type FcVersion = '2021-04-06' | '2023-03-30';

export type RoaCall = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Encoded segments, from the root. */
  readonly path: string;
  readonly action: string;
  readonly version: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly body?: Buffer;
  /** Sent but not signed, as the official clients do. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
};

const callTimeoutMs = 60_000;

/** The service refused a call: its own code, message and request id. */
export class ApiRefusal extends CliError {
  readonly status: number;

  constructor(status: number, code: string, message: string, requestId: string | null) {
    super(1, `${code}: ${message}${requestId === null ? '' : ` (request ${requestId})`}`, { code });
    this.status = status;
  }
}

/** Sends one signed call and hands back the answer whatever its status. Errors: exit 3 when nobody answers. */
export async function callRoa(target: ApiTarget, call: RoaCall): Promise<HttpAnswer> {
  const query: readonly QueryPair[] = Object.entries(call.query ?? {});
  const text = formatQuery(query);
  const url = new URL(`${call.path}${text === '' ? '' : `?${text}`}`, target.endpoint);
  const body = call.body ?? Buffer.alloc(0);
  const signed = signV3({
    method: call.method,
    path: call.path,
    query,
    host: url.host,
    action: call.action,
    version: call.version,
    date: formatUtcSeconds(systemClock.now()),
    nonce: randomHex(16),
    contentType: call.contentType ?? null,
    body,
    accessKeyId: target.accessKeyId,
    accessKeySecret: target.accessKeySecret,
  });
  const headers = { accept: 'application/json', ...signed, 'content-length': String(body.length), ...call.headers };
  try {
    const timeoutMs = call.timeoutMs ?? callTimeoutMs;
    return await sendRequest({ method: call.method, url, headers: Object.entries(headers), body, timeoutMs });
  } catch (error) {
    if (error instanceof CliError && error.exitCode === 3) {
      throw new CliError(3, `${error.message}. ${target.hint}`, { cause: error });
    }
    throw error;
  }
}

/**
 * Calls a Function Compute action with a JSON body and returns its JSON answer (an empty object for an empty one).
 *
 * Errors: ApiRefusal with the service's code.
 */
export async function callFc(
  target: ApiTarget,
  call: Omit<RoaCall, 'body' | 'version'> & { readonly version: FcVersion; readonly json?: unknown },
): Promise<JsonRecord> {
  const { json, ...rest } = call;
  const path = `/${call.version}${call.path}`;
  const withBody =
    json === undefined ? {} : { body: Buffer.from(JSON.stringify(json)), contentType: 'application/json' };
  return readAnswer(await callRoa(target, { ...rest, path, ...withBody }));
}

/** Calls a CloudAPI action; absent parameters are not sent. Errors: ApiRefusal with the service's code. */
export async function callCloudApi(
  target: ApiTarget,
  action: string,
  parameters: Readonly<Record<string, string | undefined>>,
): Promise<JsonRecord> {
  const pairs = Object.entries(parameters).flatMap(([name, value]): QueryPair[] =>
    value === undefined ? [] : [[name, value]],
  );
  const form = formatQuery(pairs);
  const answer = await callRoa(target, {
    method: 'POST',
    path: '/',
    action,
    version: '2016-07-14',
    ...(form === '' ? {} : { body: Buffer.from(form), contentType: 'application/x-www-form-urlencoded' }),
  });
  return readAnswer(answer);
}

/** The JSON object of a good answer. Errors: ApiRefusal for 4xx and 5xx; exit 1 when the answer is no JSON object. */
export function readAnswer(answer: HttpAnswer): JsonRecord {
  const text = answer.body.toString('utf8');
  const parsed = text === '' ? {} : parseJson(text);
  if (answer.status >= 400) throw refusalOf(answer, parsed);
  if (!isRecord(parsed)) throw failed(`the server answered ${answer.status} with something that is no JSON object`);
  return parsed;
}

function refusalOf(answer: HttpAnswer, parsed: unknown): ApiRefusal {
  const members = isRecord(parsed) ? parsed : {};
  const code = readText(members, 'Code') ?? readText(members, 'ErrorCode') ?? `HTTP ${answer.status}`;
  const message = readText(members, 'Message') ?? readText(members, 'ErrorMessage') ?? answer.statusText;
  const requestId = readText(members, 'RequestId') ?? answer.headers['x-acs-request-id'] ?? null;
  return new ApiRefusal(answer.status, code, message, requestId);
}
