// A record as a line of the access log: JSON with the field names that the cloud's log delivery has, and back.
// Written in the data process for every request, so the writer is built for speed; read by whoever searches the log.
import { quoted } from '../base/quick-json.ts';
import type { Failure, LoggedParts, RecordedColdStart, RequestRecord } from '../model/record.ts';

function member(name: string, text: string | null): string {
  return text === null ? '' : `,"${name}":${quoted(text)}`;
}

function numberMember(name: string, value: number | null): string {
  return value === null ? '' : `,"${name}":${value}`;
}

/** With one decimal: whole numbers become text much faster than others. */
function latencyMember(name: string, ms: number | null): string {
  if (ms === null) return '';
  const tenths = Math.round(ms * 10);
  return `,"${name}":${Math.floor(tenths / 10)}.${tenths % 10}`;
}

/**
 * One line, with its line end. What is null is left out.
 *
 * Shape: `{"requestId":"…","requestHandleTime":"2026-11-22T20:00:00.123Z","httpMethod":"GET",…,"exchangeTimestamp":{…}}`;
 * a failed request has `errorCode`, `errorMessage` (our sentence) and `failure` with the rest of the explanation; `weight` says
 * how many requests the line stands for when the log is sampled; `coldStart` of a cold call has `isSpare` and its parts in ms.
 * Units: times in ms, sizes in bytes. Source: docs for the names; `failure`, `weight`, `traceId`, `functionName`, `qualifier`, `coldStart` are ours.
 */
export function writeLogLine(record: RequestRecord, time: (at: number) => string, weight = 1): string {
  const { failure, backendAt, at, coldStart, logged } = record;
  const backend =
    backendAt === null
      ? ''
      : `"BackendRequestStart":${Math.round(backendAt)},"BackendResponseEnd":${Math.round(backendAt + (record.backendMs ?? 0))},`;
  return (
    `{"requestId":"${record.requestId}","requestHandleTime":"${time(at)}","statusCode":${record.status}` +
    `,"httpMethod":${quoted(record.method)},"domain":${quoted(record.host)},"path":${quoted(record.path)}` +
    `,"clientIp":"${record.clientIp}","requestProtocol":"${record.isTls ? 'HTTPS' : 'HTTP'}"` +
    member('apiGroupUid', record.groupId) +
    member('apiUid', record.apiId) +
    member('apiName', record.apiName) +
    member('apiStageName', record.stage) +
    member('functionName', record.functionName) +
    member('qualifier', record.qualifier) +
    (record.appId === null ? '' : `,"appId":${record.appId}`) +
    member('appName', record.appName) +
    member('consumerAppKey', record.appKey) +
    member('clientNonce', record.nonce) +
    member('initialRequestId', record.initialRequestId) +
    member('traceId', record.traceId) +
    member('customTraceId', record.customTraceId) +
    numberMember('requestSize', record.requestBytes) +
    numberMember('responseSize', record.responseBytes) +
    latencyMember('serviceLatency', record.backendMs) +
    latencyMember('totalLatency', record.totalMs) +
    (logged === null ? '' : loggedMembers(logged)) +
    (coldStart === null ? '' : `,"coldStart":${JSON.stringify(roundedMs(coldStart))}`) +
    (failure === null ? '' : writeFailure(failure)) +
    (weight === 1 ? '' : `,"weight":${weight}`) +
    `,"exchangeTimestamp":{"FrontRequestStart":${at},${backend}"FrontResponseEnd":${Math.round(at + record.totalMs)}}}\n`
  );
}

function loggedMembers(logged: LoggedParts): string {
  return (
    member('requestQueryString', logged.requestQueryString) +
    member('requestHeaders', logged.requestHeaders) +
    member('requestBody', logged.requestBody) +
    member('responseHeaders', logged.responseHeaders) +
    member('responseBody', logged.responseBody) +
    member('jwtClaims', logged.jwtClaims)
  );
}

function readLogged(members: Members): LoggedParts | null {
  const logged: LoggedParts = {
    requestQueryString: textOf(members, 'requestQueryString'),
    requestHeaders: textOf(members, 'requestHeaders'),
    requestBody: textOf(members, 'requestBody'),
    responseHeaders: textOf(members, 'responseHeaders'),
    responseBody: textOf(members, 'responseBody'),
    jwtClaims: textOf(members, 'jwtClaims'),
  };
  return Object.values(logged).every((text) => text === null) ? null : logged;
}

/** To a tenth, as all latencies are. */
function roundedMs({ isSpare, ...times }: RecordedColdStart): RecordedColdStart {
  const tenth = (ms: number) => Math.round(ms * 10) / 10;
  return {
    isSpare,
    waitMs: tenth(times.waitMs),
    startMs: tenth(times.startMs),
    codeMs: tenth(times.codeMs),
    loadMs: tenth(times.loadMs),
    initializerMs: tenth(times.initializerMs),
    handlerMs: tenth(times.handlerMs),
  };
}

function writeFailure(failure: Failure): string {
  const { code, message, ...rest } = failure;
  return `,"errorCode":${quoted(code)},"errorMessage":${quoted(message)},"failure":${JSON.stringify(rest)}`;
}

/** Writes times; lines of the same millisecond share the work. One per writer. */
export function createTimeWriter(): (at: number) => string {
  let last = Number.NaN;
  let text = '';
  return (at) => {
    if (at !== last) {
      last = at;
      text = new Date(at).toISOString();
    }
    return text;
  };
}

type Members = Readonly<Record<string, unknown>>;

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The members of a line of any log; null for a line that is none (the last one before a crash may be cut). */
export function readMembers(line: string): Members | null {
  try {
    const members: unknown = JSON.parse(line);
    return isMembers(members) ? members : null;
  } catch {
    return null; // SyntaxError: not a whole line.
  }
}

function textOf(members: Members, name: string): string | null {
  const value = members[name];
  return typeof value === 'string' ? value : null;
}

function numberOf(members: Members, name: string): number | null {
  const value = members[name];
  return typeof value === 'number' ? value : null;
}

const sides: ReadonlySet<string> = new Set(['client', 'api-owner', 'function', 'platform', 'unknown']);

function isSide(text: string | null): text is Failure['side'] {
  return text !== null && sides.has(text);
}

function readFailure(members: Members): Failure | null {
  const code = textOf(members, 'errorCode');
  if (code === null) return null;
  const rest = isMembers(members['failure']) ? members['failure'] : {};
  const side = textOf(rest, 'side');
  return {
    code,
    side: isSide(side) ? side : 'unknown',
    field: textOf(rest, 'field'),
    expected: textOf(rest, 'expected'),
    got: textOf(rest, 'got'),
    message: textOf(members, 'errorMessage') ?? '',
    functionLog: textOf(rest, 'functionLog'),
  };
}

function readColdStart(members: unknown): RecordedColdStart | null {
  if (!isMembers(members)) return null;
  const ms = (name: string) => numberOf(members, name) ?? 0;
  return {
    isSpare: members['isSpare'] === true,
    waitMs: ms('waitMs'),
    startMs: ms('startMs'),
    codeMs: ms('codeMs'),
    loadMs: ms('loadMs'),
    initializerMs: ms('initializerMs'),
    handlerMs: ms('handlerMs'),
  };
}

/** What is looked for in many lines. */
export type IndexedMembers = Pick<RequestRecord, 'requestId' | 'at' | 'status' | 'apiId' | 'appId'>;

const lineStart = '{"requestId":"';

/**
 * What readLogLine() would say of these members, for less than half its cost: looks for them where writeLogLine() puts them. Quotes
 * inside texts are escaped, so a member's name and quotes are found nowhere else. Null for a line that is not whole.
 */
export function readIndexedMembers(line: string): IndexedMembers | null {
  if (!line.startsWith(lineStart) || !line.endsWith('}}')) return null;
  const requestId = line.slice(lineStart.length, line.indexOf('"', lineStart.length));
  const status = numberAfter(line, '"statusCode":');
  const at = numberAfter(line, '"FrontRequestStart":');
  if (status === null || at === null) return null;
  const apiAt = line.indexOf(',"apiUid":"');
  const apiStart = apiAt + ',"apiUid":"'.length;
  const apiId = apiAt === -1 ? null : line.slice(apiStart, line.indexOf('"', apiStart));
  // An id with an escape in it is none of ours.
  if (requestId.includes('\\') || apiId?.includes('\\') === true) return readLogLine(line);
  return { requestId, at, status, apiId, appId: numberAfter(line, ',"appId":') };
}

/** How many requests the line stands for. */
export function readWeight(line: string): number {
  return numberAfter(line, ',"weight":') ?? 1;
}

function numberAfter(line: string, name: string): number | null {
  const at = line.indexOf(name);
  if (at === -1) return null;
  const value = Number.parseFloat(line.slice(at + name.length, at + name.length + 20));
  return Number.isNaN(value) ? null : value;
}

/** The record of a line; null for a line that is none (the last one before a crash may be cut). */
export function readLogLine(line: string): RequestRecord | null {
  const members = readMembers(line);
  if (members === null) return null;
  const requestId = textOf(members, 'requestId');
  const times = isMembers(members['exchangeTimestamp']) ? members['exchangeTimestamp'] : {};
  const at = numberOf(times, 'FrontRequestStart');
  const status = numberOf(members, 'statusCode');
  if (requestId === null || at === null || status === null) return null;
  return {
    requestId,
    at,
    status,
    method: textOf(members, 'httpMethod') ?? '',
    host: textOf(members, 'domain') ?? '',
    path: textOf(members, 'path') ?? '',
    clientIp: textOf(members, 'clientIp') ?? '',
    isTls: textOf(members, 'requestProtocol') === 'HTTPS',
    groupId: textOf(members, 'apiGroupUid'),
    apiId: textOf(members, 'apiUid'),
    apiName: textOf(members, 'apiName'),
    functionName: textOf(members, 'functionName'),
    qualifier: textOf(members, 'qualifier'),
    stage: textOf(members, 'apiStageName'),
    appId: numberOf(members, 'appId'),
    appName: textOf(members, 'appName'),
    appKey: textOf(members, 'consumerAppKey'),
    nonce: textOf(members, 'clientNonce'),
    initialRequestId: textOf(members, 'initialRequestId'),
    traceId: textOf(members, 'traceId'),
    customTraceId: textOf(members, 'customTraceId'),
    requestBytes: numberOf(members, 'requestSize'),
    responseBytes: numberOf(members, 'responseSize'),
    totalMs: numberOf(members, 'totalLatency') ?? 0,
    backendAt: numberOf(times, 'BackendRequestStart'),
    backendMs: numberOf(members, 'serviceLatency'),
    coldStart: readColdStart(members['coldStart']),
    logged: readLogged(members),
    failure: readFailure(members),
  };
}
