// The options of a group that ModifyApiGroup sets: read, kept as they were given, and told to the gateway in its form.
// Called by groups.ts and group-publishing.ts.

import type { GroupOptions, LoggedNames, LogOptions, ParameterPlace } from '../../model/group-options.ts';
import type { GroupRow } from '../../store/rows.ts';
import { headerName } from '../../wire/header-grammar.ts';
import { openApiError } from '../errors.ts';
import type { Arguments } from '../rpc/arguments.ts';

/** By the names of parameters; the texts as they were given. */
export type GroupOptionTexts = NonNullable<GroupRow['options']>;
type OptionName = keyof GroupOptionTexts;

/** Source: assumed. */
const listLimit = 50;
/** Calls a second. Source: assumed. */
const rateLimit = 1_000_000;

/** Headers that the connection or the gateway itself writes: passing the client's on would forge them. */
const ownHeaders: ReadonlySet<string> = new Set([
  ...['connection', 'content-length', 'content-type', 'expect', 'keep-alive', 'te', 'trailer', 'transfer-encoding'],
  ...['upgrade', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'ca-host', 'traceparent'],
  ...['x-ca-api-gateway', 'x-ca-request-id', 'x-forwarded-for', 'x-forwarded-proto', 'x-real-ip'],
  ...['x-ca-proxy-signature', 'x-ca-proxy-signature-headers', 'x-ca-proxy-signature-secret-key'],
]);

function invalid(name: OptionName, detail: string): never {
  throw openApiError(`Invalid${name}`, `The parameter ${name} ${detail}.`);
}

function namesIn(text: string): string[] {
  const names = text.split(',').map((item) => item.trim());
  return names.filter((item) => item !== '');
}

type PassedHeaders = Pick<GroupOptions, 'passedHeaders' | 'passesHost'>;

/** `host` among them says that backends get the client's. Source: docs. */
function readPassedHeaders(text: string): PassedHeaders {
  const names = namesIn(text);
  if (names.length > listLimit) return invalid('PassthroughHeaders', `may hold at most ${listLimit} names`);
  const others = names.filter((name) => name.toLowerCase() !== 'host');
  const passedHeaders = others.map((name) => {
    const lowerName = name.toLowerCase();
    if (headerName.test(name) && !ownHeaders.has(lowerName)) return { name, lowerName };
    return invalid('PassthroughHeaders', `holds '${name.slice(0, 100)}', which is no header that can be passed on`);
  });
  return others.length < names.length ? { passedHeaders, passesHost: true } : { passedHeaders };
}

type Members = Readonly<Record<string, unknown>>;

function readObject(name: OptionName, text: string): Members {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return invalid(name, 'is not valid JSON');
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Members)
    : invalid(name, 'must be an object');
}

/** A member, whatever the case of its name. */
function memberOf(members: Members, name: string): unknown {
  const key = Object.keys(members).find((candidate) => candidate.toLowerCase() === name.toLowerCase());
  return key === undefined ? undefined : members[key];
}

function readPlace(option: OptionName, text: string, members: { location: string; name: string }): ParameterPlace {
  const object = readObject(option, text);
  const word = String(memberOf(object, members.location) ?? '').toUpperCase();
  const name = String(memberOf(object, members.name) ?? '').trim();
  if (word !== 'HEADER' && word !== 'HEAD' && word !== 'QUERY') {
    return invalid(option, `must have ${members.location} HEADER or QUERY`);
  }
  if (word === 'QUERY') {
    return name === '' || name.length > 128
      ? invalid(option, `must have a ${members.name} of at most 128 characters`)
      : { location: 'QUERY', name };
  }
  return headerName.test(name) && name.length <= 128
    ? { location: 'HEADER', name: name.toLowerCase() }
    : invalid(option, `must have the name of a header as ${members.name}`);
}

/** `*`, or names in a comma list. Source: sdk (`*`, and one name, in examples). */
function readLogged(members: Members, name: string, isHeader: boolean): LoggedNames {
  const names = namesIn(String(memberOf(members, name) ?? ''));
  if (names.includes('*')) return 'all';
  if (names.length > listLimit) return invalid('UserLogConfig', `may name at most ${listLimit} in ${name}`);
  return isHeader ? names.map((item) => item.toLowerCase()) : names;
}

function readFlag(members: Members, name: string): boolean {
  const value = memberOf(members, name) ?? false;
  const word = String(value).toLowerCase();
  return word === 'true' || word === 'false'
    ? word === 'true'
    : invalid('UserLogConfig', `must have true or false as ${name}`);
}

/** Shape: `{"requestBody":true,"responseBody":true,"queryString":"*","requestHeaders":"*","responseHeaders":"*","jwtClaims":"*"}`. Source: sdk. */
function readLog(text: string): LogOptions | null {
  const members = readObject('UserLogConfig', text);
  const log: LogOptions = {
    query: readLogged(members, 'queryString', false),
    requestHeaders: readLogged(members, 'requestHeaders', true),
    responseHeaders: readLogged(members, 'responseHeaders', true),
    jwtClaims: readLogged(members, 'jwtClaims', false),
    requestBody: readFlag(members, 'requestBody'),
    responseBody: readFlag(members, 'responseBody'),
  };
  const isEmpty = Object.values(log).every((value) => value === false || (Array.isArray(value) && value.length === 0));
  return isEmpty ? null : log;
}

function readCustomerConfigs(text: string): boolean {
  const unknown = namesIn(text).find((name) => name !== 'removeResponseServerHeader');
  if (unknown === undefined) return true;
  return invalid('CustomerConfigs', `may hold removeResponseServerHeader, not '${unknown.slice(0, 100)}'`);
}

function readRate(text: string): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= rateLimit) return number;
  return invalid('RpsLimitForServerless', `must be 1 to ${rateLimit}, not '${text.slice(0, 100)}'`);
}

/** Event streams are always relayed as they come, so there is nothing that it could switch. */
function checkSse(text: string): void {
  if (!/^(true|false)$/i.test(text)) invalid('SupportSSE', `must be true or false, not '${text.slice(0, 100)}'`);
}

const optionNames: readonly OptionName[] = [
  'PassthroughHeaders',
  'CustomAppCodeConfig',
  'CustomTraceConfig',
  'CustomerConfigs',
  'DefaultDomain',
  'RpsLimitForServerless',
  'SupportSSE',
  'UserLogConfig',
];

/** The former texts with those that are given; one that is given empty is taken away. Errors: Invalid{Name}. Source: assumed. */
export function readGroupOptions(args: Arguments, former: GroupOptionTexts): GroupOptionTexts {
  const options: { [N in OptionName]?: string } = { ...former };
  for (const name of optionNames) {
    if (!args.isGiven(name)) continue;
    const text = (args.optionalText(name) ?? '').trim();
    if (text === '') delete options[name];
    else options[name] = text;
  }
  publishedOptions(options); // throws on what cannot be used
  return options;
}

/** In the gateway's form; null where there is nothing that it has to know. Errors: Invalid{Name}. */
export function publishedOptions(texts: GroupOptionTexts): GroupOptions | null {
  const read = <T>(name: OptionName, parse: (text: string) => T, absent: T): T => {
    const text = texts[name];
    return text === undefined ? absent : parse(text);
  };
  const code = (text: string) => readPlace('CustomAppCodeConfig', text, { location: 'location', name: 'name' });
  const trace = { location: 'parameterLocation', name: 'parameterName' };
  read('SupportSSE', checkSse, undefined);
  const options: GroupOptions = {
    ...read<PassedHeaders>('PassthroughHeaders', readPassedHeaders, { passedHeaders: [] }),
    codePlace: read<ParameterPlace | null>('CustomAppCodeConfig', code, null),
    tracePlace: read<ParameterPlace | null>(
      'CustomTraceConfig',
      (text) => readPlace('CustomTraceConfig', text, trace),
      null,
    ),
    log: read<LogOptions | null>('UserLogConfig', readLog, null),
    hidesServer: read('CustomerConfigs', readCustomerConfigs, false),
    callsPerSecond: read<number | null>('RpsLimitForServerless', readRate, null),
  };
  const { passedHeaders, passesHost = false, hidesServer, ...others } = options;
  const isEmpty =
    passedHeaders.length === 0 && !passesHost && !hidesServer && Object.values(others).every((value) => value === null);
  return isEmpty ? null : options;
}
