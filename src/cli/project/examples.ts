// The lines that `dev` prints for trying a project: a signed call, its curl, a plain curl, an invocation. Pure.

import { formatName } from '../client/functions.ts';
import type { DevApp } from '../client/local-server.ts';
import { curlText, type GatewayCall, prepareCall, quote } from '../gateway-call.ts';
import { type ApiPlan, type FunctionPlan, mappedParameters } from './plan.ts';

export type ApiView = { readonly api: ApiPlan; readonly stage: string; readonly url: URL };
export type ProjectView = {
  readonly app: DevApp | null;
  readonly functions: readonly FunctionPlan[];
  /** Of functions with HTTP triggers. */
  readonly urls: readonly { readonly functionName: string; readonly url: string }[];
  readonly apis: readonly ApiView[];
};

/** One thing to try: what it is and the command. */
export type Example = { readonly title: string; readonly command: string };

/** The address of an API; with `groupId` on the group's own local host name. Path parameters stay as `[name]`, encoded. */
export function apiUrl(gateway: string, groupId: string | null, path: string): URL {
  const url = new URL(path, gateway);
  if (groupId !== null) url.hostname = `${groupId}.localhost`;
  return url;
}

/** How the user calls us from where they are: `yunmen` or `bin/yunmen`, and a `--data-dir` when it is not the usual one. */
export type CallForm = { readonly program: string; readonly dataDir: string | null };

export function exampleLines(view: ProjectView, form: CallForm): readonly Example[] {
  const program = form.program;
  const where = form.dataDir === null ? '' : ` --data-dir ${quote(form.dataDir)}`;
  const examples: Example[] = [];
  const signed = view.apis.find(({ api }) => api.auth === 'APP');
  const open = view.apis.find(({ api }) => api.auth === 'ANONYMOUS');
  if (signed !== undefined && view.app !== null) {
    examples.push({ title: 'call it, signed as the app of this project', command: callLine(signed, program) + where });
    const call = sampleCall(signed, view.app);
    examples.push({
      title: 'the same as curl: the signature holds as long as you change nothing',
      command: curlText(call),
    });
  }
  if (open !== undefined) {
    examples.push({ title: 'anonymous, nothing to sign', command: curlText(sampleCall(open, null)) });
  }
  for (const { functionName, url } of view.urls) {
    examples.push({ title: `${functionName} by its URL`, command: `curl ${quote(url)}` });
  }
  const first = signed ?? open;
  if (first !== undefined) {
    const name = formatName(first.api.target);
    const event = quote(JSON.stringify(sampleEvent(first.api)));
    examples.push({
      title: 'the function alone',
      command: `${program} invoke ${quote(name)} --event ${event}${where}`,
    });
  } else if (view.functions[0] !== undefined) {
    const name = formatName(view.functions[0]);
    examples.push({ title: 'a function alone', command: `${program} invoke ${quote(name)} --event '{}'${where}` });
  }
  return examples;
}

/** The request to an API with the template's sample values; signed without nonce and timestamp when there is an app. */
export function sampleCall(view: ApiView, app: DevApp | null): GatewayCall {
  const parts = sampleParts(view);
  return prepareCall({
    method: methodOf(view.api),
    url: parts.url,
    data: parts.form.map((piece) => Buffer.from(piece)),
    headers: parts.headers,
    host: null,
    stage: view.stage === 'RELEASE' && app === null ? null : view.stage,
    app,
    timestamp: null,
    nonce: null,
  });
}

function callLine(view: ApiView, program: string): string {
  const parts = sampleParts(view);
  const isLocalHost = view.url.hostname.endsWith('.localhost');
  const where = isLocalHost ? parts.url.href : parts.url.pathname + parts.url.search;
  const words = [program, 'call', methodOf(view.api), quote(where)];
  if (view.stage !== 'RELEASE') words.push('--stage', view.stage);
  for (const [name, value] of parts.headers) words.push('-H', quote(`${name}: ${value}`));
  for (const piece of parts.form) words.push('-d', quote(piece));
  return words.join(' ');
}

function sampleParts(view: ApiView) {
  const url = new URL(view.url);
  const form: string[] = [];
  const headers: [string, string][] = [];
  for (const parameter of view.api.parameters) {
    const value = parameter.sample ?? defaultSample(parameter.type);
    if (parameter.location === 'BODY') form.push(`${encodeURIComponent(parameter.name)}=${encodeURIComponent(value)}`);
    else if (parameter.location === 'QUERY') url.searchParams.append(parameter.name, value);
    else if (parameter.location === 'HEAD') headers.push([parameter.name, value]);
    else if (parameter.location === 'PATH') {
      const place = new RegExp(`(\\[|%5B)${RegExp.escape(parameter.name)}(\\]|%5D)`, 'gi');
      url.pathname = url.pathname.replace(place, () => encodeURIComponent(value));
    }
  }
  if (url.pathname.endsWith('/*')) url.pathname = url.pathname.slice(0, -1);
  return { url, form, headers };
}

/** The event that the gateway would send for the sample values, without headers and empty members. */
function sampleEvent(api: ApiPlan): Record<string, unknown> {
  const places: Record<string, Record<string, string>> = {};
  for (const { name, location, from } of mappedParameters(api)) {
    const member = location === 'QUERY' ? 'queryParameters' : location === 'PATH' ? 'pathParameters' : null;
    if (member !== null) places[member] = { ...places[member], [name]: from.sample ?? defaultSample(from.type) };
  }
  return places;
}

function methodOf(api: ApiPlan): string {
  return api.method === 'ANY' ? 'GET' : api.method;
}

function defaultSample(type: string): string {
  switch (type.toLowerCase()) {
    case 'int':
    case 'long':
    case 'float':
    case 'double':
      return '1';
    case 'boolean':
      return 'true';
    default:
      return 'text';
  }
}
