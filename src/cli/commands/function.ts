// `yunmen function create|update|get|list|delete`: functions of FC 3, or of a service with --service.
import { resolve } from 'node:path';
import {
  createFunction,
  createService,
  deleteFunction,
  describeFunction,
  type FunctionName,
  formatName,
  getService,
  listFunctions,
  updateFunction,
} from '../client/functions.ts';
import { type JsonRecord, readNumber, readText } from '../client/json.ts';
import { findApiTarget, type TargetFlags } from '../client/local-server.ts';
import { ensureHttpTrigger } from '../client/triggers.ts';
import { wrongUsage } from '../errors.ts';
import { columns, createPrinter, type Printer } from '../output.ts';
import { packCode } from '../pack.ts';
import type { CliDeps } from '../server-port.ts';

export type FunctionFlags = TargetFlags & {
  readonly json?: boolean;
  readonly service?: string;
  readonly code?: string;
  readonly runtime?: string;
  readonly handler?: string;
  readonly memory?: string;
  readonly timeout?: string;
  readonly env?: readonly string[];
  readonly description?: string;
  readonly layer?: readonly string[];
  readonly command?: string;
  readonly port?: string;
  readonly concurrency?: string;
  readonly auth?: string;
  readonly methods?: string;
};

/** `service/function`, or `function` with --service or without. Errors: exit 2. */
export function parseName(text: string, service: string | undefined): FunctionName {
  const [first = '', second, ...rest] = text.split('/');
  if (rest.length > 0 || first === '' || second === '') {
    throw wrongUsage(`a function is named <function> or <service>/<function>, not '${text}'`);
  }
  if (second === undefined) return { serviceName: service ?? null, functionName: first };
  if (service !== undefined && service !== first) {
    throw wrongUsage(`'${text}' names service ${first}, but --service says ${service}`);
  }
  return { serviceName: first, functionName: second };
}

export async function create(text: string, flags: FunctionFlags, deps: CliDeps): Promise<number> {
  const name = parseName(text, flags.service);
  const settings = parseSettings(flags, name);
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const printer = createPrinter(deps, flags.json === true);
  const zip = await packCode(resolve(deps.cwd, flags.code ?? ''));
  if (name.serviceName !== null && (await getService(target, name.serviceName)) === null) {
    await createService(target, name.serviceName);
    printer.note(`created service ${name.serviceName}`);
  }
  const answer = await createFunction(target, name, settings, zip);
  report(`created ${formatName(name)}`, answer, printer);
  return 0;
}

export async function update(text: string, flags: FunctionFlags, deps: CliDeps): Promise<number> {
  const name = parseName(text, flags.service);
  const settings = parseSettings(flags, name);
  if (Object.keys(settings).length === 0 && flags.code === undefined) {
    throw wrongUsage(
      'nothing to update: give --code, --runtime, --handler, --memory, --timeout, --env, --layer, --command, --port, --concurrency or --description',
    );
  }
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const zip = flags.code === undefined ? null : await packCode(resolve(deps.cwd, flags.code));
  const answer = await updateFunction(target, name, settings, zip);
  report(`updated ${formatName(name)}`, answer, createPrinter(deps, flags.json === true));
  return 0;
}

export async function get(text: string, flags: FunctionFlags, deps: CliDeps): Promise<number> {
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const { answer, isolation } = await describeFunction(target, parseName(text, flags.service));
  const printer = createPrinter(deps, flags.json === true);
  const shown = isolation === null ? answer : { ...answer, isolation };
  printer.json(shown);
  const rows = Object.entries(shown).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  for (const line of columns(rows)) printer.line(line);
  return 0;
}

export async function list(flags: FunctionFlags, deps: CliDeps): Promise<number> {
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const printer = createPrinter(deps, flags.json === true);
  const { functions, isCut } = await listFunctions(target, flags.service ?? null);
  printer.json({ functions });
  const rows = functions.map((each) => [
    readText(each, 'functionName') ?? '',
    readText(each, 'runtime') ?? '',
    readText(each, 'handler') ?? '',
    `${readNumber(each, 'memorySize') ?? '?'} MB`,
    `${readNumber(each, 'timeout') ?? '?'} s`,
    readText(each, 'lastModifiedTime') ?? '',
  ]);
  if (rows.length === 0) printer.line('no functions');
  else
    for (const line of columns([['NAME', 'RUNTIME', 'HANDLER', 'MEMORY', 'TIMEOUT', 'MODIFIED'], ...rows]))
      printer.line(line);
  if (isCut) printer.note('there are more functions than are listed here');
  return 0;
}

export async function remove(text: string, flags: FunctionFlags, deps: CliDeps): Promise<number> {
  const name = parseName(text, flags.service);
  await deleteFunction(await findApiTarget(flags, deps.env, deps.cwd), name);
  const printer = createPrinter(deps, flags.json === true);
  printer.line(`deleted ${formatName(name)}`);
  printer.json({ deleted: formatName(name) });
  return 0;
}

function report(what: string, answer: JsonRecord, printer: Printer): void {
  printer.json(answer);
  const facts = [readText(answer, 'runtime'), `${readNumber(answer, 'codeSize') ?? '?'} bytes of code`];
  printer.line(`${what} (${facts.filter((fact) => fact !== null).join(', ')})`);
}

/** The members that the flags name; absent flags are absent members. */
function parseSettings(flags: FunctionFlags, { serviceName }: FunctionName): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  if (flags.runtime !== undefined) settings['runtime'] = flags.runtime;
  if (flags.handler !== undefined) settings['handler'] = flags.handler;
  if (flags.description !== undefined) settings['description'] = flags.description;
  if (flags.memory !== undefined) settings['memorySize'] = parseWhole('--memory', flags.memory, 'megabytes');
  if (flags.timeout !== undefined) settings['timeout'] = parseWhole('--timeout', flags.timeout, 'seconds');
  if (flags.layer !== undefined) settings['layers'] = flags.layer.filter((arn) => arn !== '');
  if (flags.concurrency !== undefined) {
    settings['instanceConcurrency'] = parseWhole('--concurrency', flags.concurrency, 'requests');
  }
  Object.assign(settings, parseProgram(flags, serviceName === null));
  if (flags.env !== undefined) settings['environmentVariables'] = Object.fromEntries(flags.env.map(parseVariable));
  return settings;
}

/** Command and port of a custom runtime; FC 2 has the port beside its configuration. Source: docs. */
function parseProgram({ command, port }: FunctionFlags, isFc3: boolean): Record<string, unknown> {
  const number = port === undefined ? null : parseWhole('--port', port, 'a TCP port');
  const [program, ...args] = command === undefined ? [] : command.split(/\s+/).filter((word) => word !== '');
  const started = program === undefined ? {} : { command: [program], args };
  if (isFc3) {
    const config = { ...started, ...(number === null ? {} : { port: number }) };
    return Object.keys(config).length === 0 ? {} : { customRuntimeConfig: config };
  }
  return {
    ...(program === undefined ? {} : { customRuntimeConfig: started }),
    ...(number === null ? {} : { caPort: number }),
  };
}

/** The trigger that `function url` makes. */
const urlTrigger = 'url';
const allMethods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'];

export async function url(text: string, flags: FunctionFlags, deps: CliDeps): Promise<number> {
  const name = parseName(text, flags.service);
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const methods = flags.methods === undefined ? allMethods : flags.methods.toUpperCase().split(',');
  const trigger = { name: urlTrigger, authType: flags.auth ?? 'anonymous', methods, qualifier: null };
  const found = await ensureHttpTrigger(target, name, trigger);
  const printer = createPrinter(deps, flags.json === true);
  printer.json({ url: found });
  printer.line(found ?? 'the server tells no URL');
  return 0;
}

function parseWhole(flag: string, text: string, unit: string): number {
  if (!/^\d{1,9}$/.test(text)) throw wrongUsage(`${flag} takes a whole number of ${unit}, not '${text}'`);
  return Number(text);
}

function parseVariable(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw wrongUsage(`--env takes NAME=value, not '${text}'`);
  return [text.slice(0, at), text.slice(at + 1)];
}
