// Function Compute actions that commands and the dev project use: 2021-04-06 below a service, 2023-03-30 without one.
import { encodeRfc3986 } from '../../wire/percent-encoding.ts';
import { isRecord, type JsonRecord, readRecords, readText } from './json.ts';
import { ApiRefusal, type ApiTarget, callFc, callRoa, type FcVersion, readAnswer } from './openapi.ts';

/** `serviceName` null means an FC 3 function. */
export type FunctionName = { readonly serviceName: string | null; readonly functionName: string };

/** `service/function` or `function`. */
export function formatName(name: FunctionName): string {
  return name.serviceName === null ? name.functionName : `${name.serviceName}/${name.functionName}`;
}

/** The API version that holds a function, and the path of its collection below that version. */
function placeOf(serviceName: string | null): { readonly version: FcVersion; readonly collection: string } {
  if (serviceName === null) return { version: '2023-03-30', collection: '/functions' };
  return { version: '2021-04-06', collection: `/services/${encodeRfc3986(serviceName)}/functions` };
}

/** The API version that holds a function, and its path below that version. */
export function pathOf(name: FunctionName): { readonly version: FcVersion; readonly path: string } {
  const { version, collection } = placeOf(name.serviceName);
  return { version, path: `${collection}/${encodeRfc3986(name.functionName)}` };
}

/** The answer, or null when the service says that the thing is not there. */
export async function orMissing(call: Promise<JsonRecord>): Promise<JsonRecord | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ApiRefusal && error.status === 404) return null;
    throw error;
  }
}

export function getService(target: ApiTarget, serviceName: string): Promise<JsonRecord | null> {
  const path = `/services/${encodeRfc3986(serviceName)}`;
  return orMissing(callFc(target, { method: 'GET', version: '2021-04-06', path, action: 'GetService' }));
}

export function createService(target: ApiTarget, serviceName: string, settings: JsonRecord = {}): Promise<JsonRecord> {
  const json = { serviceName, ...settings };
  return callFc(target, { method: 'POST', version: '2021-04-06', path: '/services', action: 'CreateService', json });
}

export function updateService(target: ApiTarget, serviceName: string, settings: JsonRecord): Promise<JsonRecord> {
  const path = `/services/${encodeRfc3986(serviceName)}`;
  return callFc(target, { method: 'PUT', version: '2021-04-06', path, action: 'UpdateService', json: settings });
}

export async function getFunction(target: ApiTarget, name: FunctionName): Promise<JsonRecord> {
  return (await describeFunction(target, name)).answer;
}

/** The same with what the server says keeps its instances apart; null: it is not ours, or does not say. */
export async function describeFunction(
  target: ApiTarget,
  name: FunctionName,
): Promise<{ readonly answer: JsonRecord; readonly isolation: string | null }> {
  const { version, path } = pathOf(name);
  const got = await callRoa(target, { method: 'GET', action: 'GetFunction', version, path: `/${version}${path}` });
  return { answer: readAnswer(got), isolation: got.headers['x-yunmen-isolation'] ?? null };
}

/** `zip` travels as base64. Sizes in bytes are limited by the service. */
export function createFunction(
  target: ApiTarget,
  name: FunctionName,
  settings: JsonRecord,
  zip: Buffer,
): Promise<JsonRecord> {
  const { version, collection } = placeOf(name.serviceName);
  const json = { functionName: name.functionName, ...settings, code: { zipFile: zip.toString('base64') } };
  return callFc(target, { method: 'POST', version, path: collection, action: 'CreateFunction', json });
}

/** Changes what is given; a null `zip` keeps the code. */
export function updateFunction(
  target: ApiTarget,
  name: FunctionName,
  settings: JsonRecord,
  zip: Buffer | null,
): Promise<JsonRecord> {
  const json = zip === null ? settings : { ...settings, code: { zipFile: zip.toString('base64') } };
  return callFc(target, { method: 'PUT', action: 'UpdateFunction', json, ...pathOf(name) });
}

export async function deleteFunction(target: ApiTarget, name: FunctionName): Promise<void> {
  await callFc(target, { method: 'DELETE', action: 'DeleteFunction', ...pathOf(name) });
}

/** Pages that are read at most; 100 functions each. */
const pageLimit = 100;

/** All functions of a service, or all FC 3 functions. `isCut` when there are more than are read. */
export async function listFunctions(
  target: ApiTarget,
  serviceName: string | null,
): Promise<{ readonly functions: readonly JsonRecord[]; readonly isCut: boolean }> {
  const { version, collection } = placeOf(serviceName);
  const functions: JsonRecord[] = [];
  let nextToken: string | null = null;
  for (let page = 0; page < pageLimit; page++) {
    const query: Record<string, string> = { limit: '100', ...(nextToken === null ? {} : { nextToken }) };
    const answer: JsonRecord = await callFc(target, {
      method: 'GET',
      version,
      path: collection,
      action: 'ListFunctions',
      query,
    });
    functions.push(...readRecords(answer, 'functions'));
    nextToken = readText(answer, 'nextToken');
    if (nextToken === null || nextToken === '') return { functions, isCut: false };
  }
  return { functions, isCut: true };
}

/** How an invocation ended. `errorType` is null for a success. */
export type InvocationAnswer = {
  readonly requestId: string | null;
  readonly errorType: string | null;
  readonly body: Buffer;
  readonly log: string | null;
  readonly durationMs: string | null;
  readonly maxMemoryMb: string | null;
  /** What a cold start was made of; only development servers say it. */
  readonly coldStart: string | null;
};

/** Longest that an invocation is waited for: the longest time-out that a function can have, and a minute. */
const invokeTimeoutMs = 86_460_000;

/** Invokes and waits. Errors: ApiRefusal when the invocation was refused; a function's own failure is an answer. */
export async function invokeFunction(
  target: ApiTarget,
  name: FunctionName,
  event: Buffer,
  options: { readonly qualifier?: string; readonly wantsLog: boolean },
): Promise<InvocationAnswer> {
  const { version, path } = pathOf(name);
  const answer = await callRoa(target, {
    method: 'POST',
    path: `/${version}${path}/invocations`,
    action: 'InvokeFunction',
    version,
    query: options.qualifier === undefined ? {} : { qualifier: options.qualifier },
    contentType: 'application/octet-stream',
    body: event,
    headers: { 'x-fc-invocation-type': 'Sync', 'x-fc-log-type': options.wantsLog ? 'Tail' : 'None' },
    timeoutMs: invokeTimeoutMs,
  });
  if (answer.status >= 400) readAnswer(answer);
  const log = answer.headers['x-fc-log-result'];
  return {
    requestId: answer.headers['x-fc-request-id'] ?? null,
    errorType: answer.headers['x-fc-error-type'] ?? null,
    body: answer.body,
    log: log === undefined ? null : Buffer.from(log, 'base64').toString('utf8'),
    durationMs: answer.headers['x-fc-invocation-duration'] ?? null,
    maxMemoryMb: answer.headers['x-fc-max-memory-usage'] ?? null,
    coldStart: answer.headers['x-yunmen-cold-start'] ?? null,
  };
}

/** Whether every member of `wanted` is already so in `actual`; an answer's extra members do not matter. */
export function isAlready(actual: JsonRecord, wanted: JsonRecord): boolean {
  return Object.entries(wanted).every(([name, value]) => {
    const found = actual[name];
    if (isRecord(value)) return isRecord(found) && isAlready(found, value);
    return JSON.stringify(found) === JSON.stringify(value);
  });
}
