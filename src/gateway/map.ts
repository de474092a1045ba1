// Step 5, Mapped: reads, checks and maps the parameters; makes the backend request by the API's plan. Called by pipeline.ts.
import type { SchemaCheck } from '../base/json-schema.ts';
import { hidden, isSecretName } from '../base/secret-names.ts';
import { parseJson } from '../model/value-check.ts';
import { allValues, encodeForm, noParameters, type Parameters } from '../wire/query.ts';
import { fillVariables } from './backends/stage-variables.ts';
import { forwardedFor } from './client-address.ts';
import type { Admitted, BackendRequest, Mapped } from './context.ts';
import { refuse } from './errors.ts';
import { readHeaderText } from './header-text.ts';
import type { InputPlan, MappingPlan, SentThrough, Target } from './mapping-plan.ts';
import { toMapped } from './states.ts';
import { systemValues } from './system-values.ts';
import { traceParentFor } from './trace.ts';

/** The four places of the backend request while it is being made. */
type Draft = {
  readonly headers: Map<string, string>;
  readonly moreHeaders: BackendRequest['moreHeaders'];
  readonly query: Map<string, string>;
  readonly path: Map<string, string>;
  readonly form: Map<string, string>;
};

/** Errors: X500AM, I400MP, I400IP, I400BD, I400CT, I413RL. A promise only where something has to be waited for. */
export function mapRequest(admitted: Admitted): Mapped | Promise<Mapped> {
  const { mapping } = admitted.api;
  if (mapping.kind !== 'plan' || mapping.plan.bodyCheck !== null) return prepare(admitted);
  return mapByPlan(admitted, mapping.plan);
}

async function prepare(admitted: Admitted): Promise<Mapped> {
  if (admitted.api.mapping.kind === 'pending') await admitted.api.mapping.settled;
  const { mapping } = admitted.api;
  if (mapping.kind !== 'plan') throw brokenDefinition(admitted, mapping.kind === 'broken' ? mapping.reason : 'unknown');
  if (mapping.plan.bodyCheck !== null) await checkBody(admitted, mapping.plan.bodyCheck);
  return mapByPlan(admitted, mapping.plan);
}

function mapByPlan(admitted: Admitted, plan: MappingPlan): Mapped | Promise<Mapped> {
  if (plan.body === 'form' && admitted.body.isPresent) refuseMultipart(admitted);
  const form = plan.readsForm && admitted.body.isForm ? admitted.body.form() : noParameters;
  if (form instanceof Promise || plan.inputs.some(isList)) return mapInputs(admitted, plan, form);
  const draft = startDraft(admitted, plan, form);
  for (const input of plan.inputs) putAll(draft, input, readInput(admitted, input, form));
  return finish(admitted, plan, draft);
}

const isList = (input: InputPlan) => input.isList;

async function mapInputs(
  admitted: Admitted,
  plan: MappingPlan,
  reading: Parameters | Promise<Parameters>,
): Promise<Mapped> {
  const form = await reading;
  const draft = startDraft(admitted, plan, form);
  for (const input of plan.inputs) {
    putAll(draft, input, input.isList ? await readList(admitted, input) : readInput(admitted, input, form));
  }
  return finish(admitted, plan, draft);
}

function putAll(draft: Draft, { targets }: InputPlan, value: string | null): void {
  if (value !== null) for (const target of targets) put(draft, target, value);
}

/** What comes from no parameter of the client. */
function finish(admitted: Admitted, plan: MappingPlan, draft: Draft): Mapped {
  for (const { name, segment } of plan.plainSegments) draft.path.set(name, segmentValue(admitted, segment) ?? '');
  for (const constant of plan.constants) put(draft, constant, fillVariables(constant.value, admitted));
  for (const system of plan.systems) put(draft, system, systemValues[system.system](admitted));
  const body: BackendRequest['body'] =
    plan.body === 'raw' ? { kind: 'raw' } : { kind: 'text', text: encodeForm(draft.form) };
  return toMapped(admitted, plan, {
    method: admitted.method,
    path: admitted.path,
    headers: draft.headers,
    moreHeaders: draft.moreHeaders,
    query: draft.query,
    pathParameters: draft.path,
    body,
  });
}

function brokenDefinition(admitted: Admitted, reason: string): Error {
  return refuse(
    'X500AM',
    {},
    {
      side: 'api-owner',
      field: 'API definition',
      got: reason,
      message: `The definition of the API ${admitted.api.apiName} cannot be used: ${reason}. Correct it and deploy again.`,
    },
  );
}

/** The header and query parameter that a group keeps from its backends; null where there is none. */
function withheldCode({ caller, group }: Admitted): { header: string | null; query: string | null } {
  const place = caller.kind === 'app' && group.stripsAppCode === true ? caller.code : null;
  return {
    header: place?.location === 'HEADER' ? place.name : null,
    query: place?.location === 'QUERY' ? place.name : null,
  };
}

/** What the backend always gets, and in the pass-through modes what the client sent. */
function startDraft(admitted: Admitted, plan: MappingPlan, form: Parameters): Draft {
  const { sentThrough } = plan;
  const headers = new Map<string, string>();
  headers.set('X-Ca-Api-Gateway', admitted.requestId);
  const forwarded = admitted.headers.has('x-forwarded-for') ? forwardedFor(admitted.request.rawHeaders) : '';
  headers.set('X-Forwarded-For', forwarded === '' ? admitted.clientIp : `${forwarded}, ${admitted.clientIp}`);
  const contentType =
    plan.contentType.kind === 'fixed'
      ? plan.contentType.value
      : (admitted.headers.get('content-type') ?? plan.contentType.fallback);
  if (contentType !== null) headers.set('Content-Type', contentType);
  // A function's event has it only where the caller sent one or traces are kept: handlers that compare whole events must not see
  // more than before.
  if (admitted.headers.has('traceparent') || admitted.deps.settings.traceRatio !== null) {
    headers.set('traceparent', traceParentFor(admitted));
    const state = admitted.headers.get('tracestate');
    if (state !== undefined && plan.sentThrough === null) headers.set('tracestate', state);
  }
  const repeated = sentThrough === null ? noHeaders : sendHeadersThrough(admitted, sentThrough, headers);
  if (admitted.group.options !== undefined) passHeaders(admitted, plan, headers);
  const withheld = withheldCode(admitted);
  if (withheld.header !== null) deleteHeader(headers, withheld.header);
  const moreHeaders =
    repeated.length === 0 ? noHeaders : repeated.filter(([name]) => name.toLowerCase() !== withheld.header);
  if (sentThrough === null) return { headers, moreHeaders, query: new Map(), path: new Map(), form: new Map() };
  const query = without(admitted.query, sentThrough.exceptQuery);
  if (withheld.query !== null) query.delete(withheld.query);
  return {
    headers,
    moreHeaders,
    query,
    path: new Map(),
    form: without(form, sentThrough.exceptForm),
  };
}

function deleteHeader(headers: Map<string, string>, lowerName: string): void {
  for (const name of headers.keys()) if (name.toLowerCase() === lowerName) headers.delete(name);
}

function without(parameters: Parameters, except: ReadonlySet<string>): Map<string, string> {
  const kept = new Map<string, string>();
  for (const [name, value] of parameters) if (!except.has(name)) kept.set(name, value);
  return kept;
}

/**
 * Headers of the client that never reach a backend: hop-by-hop, what the gateway writes itself, and the signature.
 * Source: live (no Host, no Connection), assumed (the rest).
 */
const heldBack: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'content-type',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-real-ip',
  'ca-host',
  'traceparent',
  'x-ca-api-gateway',
  'x-ca-signature',
  'x-ca-signature-headers',
  'x-ca-signature-method',
]);

const noHeaders: BackendRequest['moreHeaders'] = [];

/** Puts the client's headers in its spelling, the first of each name, and returns the others. */
function sendHeadersThrough(
  admitted: Admitted,
  sentThrough: SentThrough,
  headers: Map<string, string>,
): BackendRequest['moreHeaders'] {
  let more: [name: string, value: string][] | null = null;
  const { rawHeaders } = admitted.request;
  const connection = admitted.headers.has('connection') ? connectionOf(rawHeaders) : undefined;
  const seen = new Set<string>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const lowerName = name.toLowerCase();
    if (heldBack.has(lowerName) || sentThrough.exceptHeaders.has(lowerName)) continue;
    if (connection !== undefined && isNamedIn(connection, lowerName)) continue;
    const value = readHeaderText(rawHeaders[i + 1] ?? '');
    if (!seen.has(lowerName)) headers.set(name, value);
    else if (more === null) more = [[name, value]];
    else more.push([name, value]);
    seen.add(lowerName);
  }
  headers.set('X-Real-IP', admitted.clientIp);
  headers.set('X-Forwarded-Proto', admitted.request.isTls ? 'https' : 'http');
  headers.set('CA-Host', admitted.hostHeader);
  return more ?? noHeaders;
}

/** Headers that the group passes on in every mode, in its spelling; what the API maps to such a name comes later. Source: docs. */
function passHeaders({ group, headers: sent }: Admitted, plan: MappingPlan, headers: Map<string, string>): void {
  for (const { name, lowerName } of group.options?.passedHeaders ?? []) {
    const value = sent.get(lowerName);
    if (value === undefined || plan.headerTargets.has(lowerName)) continue;
    deleteHeader(headers, lowerName);
    headers.set(name, value);
  }
}

/** The lines of Connection as one list, in lower case. */
function connectionOf(rawHeaders: readonly string[]): string {
  let list = '';
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (name.length === 10 && name.toLowerCase() === 'connection')
      list += `,${(rawHeaders[i + 1] ?? '').toLowerCase()}`;
  }
  return list;
}

function isNamedIn(connection: string, lowerName: string): boolean {
  return connection.includes(lowerName) && connection.split(',').some((item) => item.trim() === lowerName);
}

function put(draft: Draft, target: Target, value: string): void {
  switch (target.location) {
    case 'HEAD':
      if (target.replaces !== undefined) draft.headers.delete(target.replaces);
      draft.headers.set(target.name, value);
      return;
    case 'QUERY':
      draft.query.set(target.name, value);
      return;
    case 'PATH':
      draft.path.set(target.name, value);
      return;
    case 'BODY':
      draft.form.set(target.name, value);
      return;
  }
}

function segmentValue(admitted: Admitted, segment: number): string | undefined {
  return admitted.segments[admitted.baseLength + segment];
}

function readSent(admitted: Admitted, input: InputPlan, form: Parameters): string | undefined {
  switch (input.location) {
    case 'QUERY':
      return admitted.query.get(input.key);
    case 'HEAD':
      return admitted.headers.get(input.key);
    case 'BODY':
      return form.get(input.key);
    case 'PATH':
      return segmentValue(admitted, input.segment);
  }
}

/** Source: docs; that instances of the VPC kind refuse it too is assumed. */
function refuseMultipart({ headers }: Admitted): void {
  const type = headers.get('content-type') ?? '';
  if (!/^multipart\//i.test(type)) return;
  throw refuse(
    'I400CT',
    { Reason: 'multipart is not supported with BodyFormat FORM' },
    {
      side: 'client',
      field: 'Content-Type',
      expected: 'application/x-www-form-urlencoded',
      got: type.slice(0, 100),
      message:
        'The API maps the fields of a URL-encoded form and cannot read multipart: send such a form, or make the API pass the body through (BodyFormat STREAM or RequestMode PASSTHROUGH).',
    },
    'Unsupported Multipart',
  );
}

/** Source: docs, that it is read by its charset assumed. Errors: I400BD, I400CT, and those of reading the body. */
async function checkBody({ body }: Admitted, check: SchemaCheck): Promise<void> {
  const text = await body.text();
  const parsed = parseJson(text);
  const reason = text === '' ? 'is empty' : parsed === undefined ? 'is not JSON' : check(parsed);
  if (reason === null) return;
  throw refuse(
    'I400BD',
    { Reason: `body ${reason}` },
    {
      side: 'client',
      field: 'body',
      expected: "JSON as the API's model describes it",
      got: reason,
      message: `The body does not fit the model of the API: it ${reason}.`,
    },
    text === '' ? 'Empty Request Body' : undefined,
  );
}

/** The values of an Array parameter, each checked, joined by commas. Source: assumed. */
async function readList(admitted: Admitted, input: InputPlan): Promise<string | null> {
  const values = await readAllSent(admitted, input);
  if (values.length === 0) return absent(admitted, input);
  for (const value of values) checkValue(input, value);
  return values.join(',');
}

async function readAllSent(admitted: Admitted, input: InputPlan): Promise<readonly string[]> {
  switch (input.location) {
    case 'QUERY':
      return allValues(readHeaderText(admitted.rawQuery), input.key);
    case 'BODY':
      return admitted.body.isForm ? admitted.body.formValues(input.key) : [];
    case 'HEAD':
    case 'PATH': {
      const text = readSent(admitted, input, noParameters);
      return text === undefined ? [] : text.split(',').map((item) => item.trim());
    }
  }
}

/** The checked value, the default, or null when it is absent and may be. Source: docs. */
function readInput(admitted: Admitted, input: InputPlan, form: Parameters): string | null {
  const value = readSent(admitted, input, form);
  if (value === undefined) return absent(admitted, input);
  checkValue(input, value);
  return value;
}

/** The default of a parameter that was not sent. Errors: I400MP. */
function absent(admitted: Admitted, input: InputPlan): string | null {
  if (input.defaultValue !== null) return input.defaultValue;
  if (!input.isRequired) return null;
  throw missingParameter(admitted, input);
}

/** Errors: I400IP. */
function checkValue(input: InputPlan, value: string): void {
  const reason = input.check === null ? null : input.check(value);
  if (reason === null) return;
  throw refuse(
    'I400IP',
    { ParameterName: input.name, Reason: reason },
    {
      side: 'client',
      field: input.name,
      expected: input.expected,
      got: isSecretName(input.name) ? hidden : value.slice(0, 200),
      message: `The parameter ${input.name} (${placeNames[input.location]}) ${reason}.`,
    },
  );
}

const placeNames = { QUERY: 'query', HEAD: 'header', BODY: 'form field', PATH: 'path' } as const;
function missingParameter(admitted: Admitted, input: InputPlan): Error {
  const isUnreadBody = input.location === 'BODY' && !admitted.body.isForm && admitted.body.isPresent;
  return refuse(
    'I400MP',
    { ParameterName: input.name },
    {
      side: 'client',
      field: input.name,
      expected: `${input.name} in the ${placeNames[input.location]}`,
      got: 'nothing',
      message: isUnreadBody
        ? `The form field ${input.name} is required, and the body is not application/x-www-form-urlencoded.`
        : `The parameter ${input.name} is required in the ${placeNames[input.location]} and was not sent.`,
    },
  );
}
