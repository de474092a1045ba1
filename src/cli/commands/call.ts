// `yunmen call`: calls an API through the gateway as an app would, or shows the exact request.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { randomHex } from '../../base/ids.ts';
import { headerName } from '../../wire/header-grammar.ts';
import { type HttpAnswer, sendRequest } from '../client/http.ts';
import { findDataDir, findServerFile, hintFor, readDevApp, type TargetFlags } from '../client/local-server.ts';
import { CliError, failed, messageOf, wrongUsage } from '../errors.ts';
import { type AppKey, curlText, type GatewayCall, prepareCall } from '../gateway-call.ts';
import { printable } from '../output.ts';
import type { CliDeps } from '../server-port.ts';
import { readStdin } from './stdin.ts';

export type CallFlags = Pick<TargetFlags, 'dataDir'> & {
  readonly json?: boolean;
  readonly data?: readonly string[];
  readonly header?: readonly string[];
  readonly stage?: string;
  readonly appKey?: string;
  readonly appSecret?: string;
  readonly anonymous?: boolean;
  readonly host?: string;
  readonly group?: string;
  readonly print?: boolean;
};

const callTimeoutMs = 120_000;
const hasScheme = /^https?:\/\//i;

/** Exit 0 for a 2xx answer, else 1. Status line and the gateway's headers go to stderr, the body to stdout. */
export async function call(words: readonly string[], flags: CallFlags, deps: CliDeps): Promise<number> {
  const { method, address } = parseWords(words);
  const place = await findPlace(address, flags, deps);
  const prepared = prepareCall({
    method,
    url: place.url,
    data: await Promise.all((flags.data ?? []).map((text) => readData(text, deps))),
    headers: (flags.header ?? []).map(parseHeader),
    host: parseHostFlags(flags),
    stage: parseStage(flags),
    app: await findApp(flags, deps),
    timestamp: systemClock.now(),
    nonce: randomHex(16),
  });
  if (flags.print === true) {
    printRequest(prepared, flags, deps);
    return 0;
  }
  const answer = await send(prepared, place.hint);
  if (flags.json === true) deps.stdout.write(`${JSON.stringify(jsonOf(answer))}\n`);
  else printAnswer(answer, prepared, deps);
  return answer.status >= 200 && answer.status < 300 ? 0 : 1;
}

function parseWords(words: readonly string[]): { method: string | null; address: string } {
  const [first = '', second] = words;
  if (second === undefined) return { method: null, address: first };
  if (!/^[A-Za-z]+$/.test(first)) throw wrongUsage(`'${first}' is no method; usage: yunmen call [METHOD] <path|url>`);
  return { method: first.toUpperCase(), address: second };
}

async function findPlace(address: string, flags: CallFlags, deps: CliDeps): Promise<{ url: URL; hint: string }> {
  if (hasScheme.test(address)) {
    if (!URL.canParse(address)) throw wrongUsage(`'${address}' is no address`);
    return { url: new URL(address), hint: 'Is the address right, and is the server running?' };
  }
  if (!address.startsWith('/'))
    throw wrongUsage(`a path begins with /, an address with http://; '${address}' does neither`);
  const server = await findServerFile(flags, deps.env, deps.cwd);
  if (!URL.canParse(server.gateway + address)) throw wrongUsage(`'${address}' is no path`);
  return { url: new URL(server.gateway + address), hint: hintFor(server) };
}

async function findApp(flags: CallFlags, deps: CliDeps): Promise<AppKey | null> {
  if (flags.anonymous === true) return null;
  const appKey = flags.appKey ?? deps.env['YUNMEN_APP_KEY'];
  const appSecret = flags.appSecret ?? deps.env['YUNMEN_APP_SECRET'];
  if (appKey !== undefined && appSecret !== undefined) return { appKey, appSecret };
  if (appKey !== undefined || appSecret !== undefined)
    throw wrongUsage('--app-key and --app-secret go together: give both or neither');
  const dataDir = findDataDir(flags, deps.env, deps.cwd);
  const app = dataDir === null ? null : await readDevApp(dataDir);
  if (app !== null) return app;
  throw wrongUsage(
    'no app to sign with: give --app-key and --app-secret, run `yunmen dev` here, or call with --anonymous',
  );
}

function parseStage(flags: CallFlags): string | null {
  const stage = flags.stage?.toUpperCase();
  if (stage === undefined) return flags.anonymous === true ? null : 'RELEASE';
  if (!['RELEASE', 'PRE', 'TEST'].includes(stage))
    throw wrongUsage(`--stage takes RELEASE, PRE or TEST, not '${stage}'`);
  return stage;
}

function parseHostFlags(flags: CallFlags): string | null {
  if (flags.host !== undefined && flags.group !== undefined)
    throw wrongUsage('--host and --group say the same thing: give one');
  if (flags.group === undefined) return flags.host ?? null;
  if (!/^[0-9a-f]{32}$/.test(flags.group))
    throw wrongUsage(`--group takes a group id (32 hex digits), not '${flags.group}'`);
  return `${flags.group}.localhost`;
}

function parseHeader(text: string): readonly [string, string] {
  const at = text.indexOf(':');
  const name = text.slice(0, at).trim();
  if (at < 1 || !headerName.test(name)) throw wrongUsage(`-H takes 'Name: value', not '${text}'`);
  return [name, text.slice(at + 1).trim()];
}

/** As curl: `@file` is the content of a file, `@-` standard input. */
async function readData(text: string, deps: CliDeps): Promise<Buffer> {
  if (!text.startsWith('@')) return Buffer.from(text);
  if (text === '@-') return await readStdin(deps);
  try {
    return await readFile(resolve(deps.cwd, text.slice(1)));
  } catch (error) {
    throw failed(`${text.slice(1)} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

async function send(prepared: GatewayCall, hint: string): Promise<HttpAnswer> {
  const length: readonly (readonly [string, string])[] =
    prepared.body.length > 0 || prepared.method !== 'GET' ? [['Content-Length', String(prepared.body.length)]] : [];
  const { method, url, body } = prepared;
  try {
    return await sendRequest({
      method,
      url,
      headers: [...prepared.headers, ...length],
      body,
      timeoutMs: callTimeoutMs,
    });
  } catch (error) {
    if (error instanceof CliError && error.exitCode === 3) {
      throw new CliError(3, `${error.message}. ${hint}`, { cause: error });
    }
    throw error;
  }
}

function printRequest(prepared: GatewayCall, flags: CallFlags, deps: CliDeps): void {
  const { method, url, headers, body, stringToSign } = prepared;
  if (flags.json === true) {
    const shown = {
      method,
      url: url.href,
      headers: Object.fromEntries(headers),
      body: body.toString('utf8'),
      stringToSign,
    };
    deps.stdout.write(`${JSON.stringify(shown)}\n`);
    return;
  }
  deps.stdout.write(`${curlText(prepared)}\n`);
  if (stringToSign !== null)
    deps.stdout.write(`\n# string to sign (lines end with LF, the last has none)\n${stringToSign}\n`);
}

function printAnswer(answer: HttpAnswer, prepared: GatewayCall, deps: CliDeps): void {
  deps.stderr.write(`HTTP/${answer.httpVersion} ${answer.status} ${printable(answer.statusText)}\n`);
  const isBad = answer.status >= 400;
  const shown = isBad ? ['x-ca-error-code', 'x-ca-error-message', 'x-ca-request-id'] : ['x-ca-request-id'];
  for (const name of shown) {
    const value = answer.headers[name];
    if (value !== undefined) deps.stderr.write(`${headerNames[name] ?? name}: ${printable(value)}\n`);
  }
  const message = answer.headers['x-ca-error-message'] ?? '';
  if (isBad && prepared.stringToSign !== null && message.includes('StringToSign')) {
    deps.stderr.write(`our StringToSign: \`${printable(prepared.stringToSign.replaceAll('\n', '#'))}\`\n`);
  }
  const requestId = answer.headers['x-ca-request-id'];
  if (isBad && requestId !== undefined) deps.stderr.write(`yunmen why ${printable(requestId)} tells more\n`);
  deps.stdout.write(answer.body);
  if (answer.body.length > 0 && answer.body.at(-1) !== 0x0a) deps.stdout.write('\n');
}

const headerNames: Readonly<Record<string, string>> = {
  'x-ca-error-code': 'X-Ca-Error-Code',
  'x-ca-error-message': 'X-Ca-Error-Message',
  'x-ca-request-id': 'X-Ca-Request-Id',
};

function jsonOf(answer: HttpAnswer) {
  const text = answer.body.toString('utf8');
  const isText = Buffer.from(text).equals(answer.body);
  return {
    status: answer.status,
    requestId: answer.headers['x-ca-request-id'] ?? null,
    headers: answer.headers,
    body: isText ? text : answer.body.toString('base64'),
    isBase64Encoded: !isText,
  };
}
