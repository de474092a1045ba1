// Finds the server that a client command talks to: --endpoint with credentials, or a local server through its data dir.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { failed, systemCode, unreachable, wrongUsage } from '../errors.ts';
import type { ServerFile } from '../server-port.ts';
import { isRecord, parseJson, readNumber, readText } from './json.ts';
import type { ApiTarget } from './openapi.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The flags by which every client command can be pointed somewhere. */
export type TargetFlags = {
  readonly dataDir?: string;
  readonly endpoint?: string;
  readonly accessKeyId?: string;
  readonly accessKeySecret?: string;
};

const howToStart = 'Start one with `yunmen start` or `yunmen dev <dir>`, or name one with --endpoint';

/** The app that `dev` made: `<data-dir>/dev-app.json`, mode 0600. */
export type DevApp = { readonly appId: number; readonly appKey: string; readonly appSecret: string };

/** The data dir that commands use: the flag, the environment, or the nearest `.yunmen` from cwd upward; null when there is none. */
export function findDataDir(flags: TargetFlags, env: Environment, cwd: string): string | null {
  const named = flags.dataDir ?? env['YUNMEN_DATA_DIR'];
  if (named !== undefined && named !== '') return isAbsolute(named) ? named : resolve(cwd, named);
  for (let folder = cwd; ; folder = dirname(folder)) {
    const candidate = join(folder, '.yunmen');
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return null;
  }
}

/**
 * The addresses of the local server.
 *
 * Errors: exit 3 when no data dir or no running server is found, saying where was looked.
 */
export async function findServerFile(flags: TargetFlags, env: Environment, cwd: string): Promise<ServerFile> {
  const dataDir = findDataDir(flags, env, cwd);
  if (dataDir === null) throw unreachable(`no .yunmen folder in ${cwd} or above it. ${howToStart}`);
  const file = join(dataDir, 'server.json');
  const text = await readOptional(file);
  if (text === null) throw unreachable(`no server is running in ${dataDir} (no server.json there). ${howToStart}`);
  const parsed = parseServerFile(text);
  if (parsed === null) throw failed(`${file} is not what a server writes; remove it and start the server again`);
  return parsed;
}

/** What to say when nobody answers at an address that came from server.json. */
export function hintFor(server: ServerFile): string {
  return isAlive(server.pid)
    ? `Process ${server.pid} wrote that address and still runs; look at its output`
    : `The server that wrote that address (process ${server.pid}) no longer runs. ${howToStart}`;
}

/**
 * Where to send API calls, and with which key.
 *
 * Errors: exit 2 when --endpoint comes without a key; exit 3 when there is no server.
 */
export async function findApiTarget(flags: TargetFlags, env: Environment, cwd: string): Promise<ApiTarget> {
  const endpoint = flags.endpoint ?? nonEmpty(env['YUNMEN_ENDPOINT']);
  if (endpoint !== undefined) {
    const key = keyFromFlags(flags) ?? keyFromEnvironment(env);
    if (key === null) {
      throw wrongUsage(
        '--endpoint needs a key: --access-key-id and --access-key-secret, or YUNMEN_ACCESS_KEY_ID and YUNMEN_ACCESS_KEY_SECRET',
      );
    }
    return { endpoint: parseEndpoint(endpoint), ...key, hint: 'Is the address right, and is the server running?' };
  }
  const server = await findServerFile(flags, env, cwd);
  const key = keyFromFlags(flags) ?? (await keyFromDataDir(findDataDir(flags, env, cwd) ?? ''));
  return { endpoint: parseEndpoint(server.api), ...key, hint: hintFor(server) };
}

/** The dev project's app, or null when `dev` has not run here. */
export async function readDevApp(dataDir: string): Promise<DevApp | null> {
  const text = await readOptional(join(dataDir, 'dev-app.json'));
  const parsed = text === null ? null : parseJson(text);
  if (!isRecord(parsed)) return null;
  const appId = readNumber(parsed, 'appId');
  const appKey = readText(parsed, 'appKey');
  const appSecret = readText(parsed, 'appSecret');
  return appId === null || appKey === null || appSecret === null ? null : { appId, appKey, appSecret };
}

/** null when the text does not have the shape of a ServerFile. */
export function parseServerFile(text: string): ServerFile | null {
  const parsed = parseJson(text);
  if (!isRecord(parsed)) return null;
  const pid = readNumber(parsed, 'pid');
  const [gateway, http, api] = [readText(parsed, 'gateway'), readText(parsed, 'http'), readText(parsed, 'api')];
  if (pid === null || gateway === null || http === null || api === null) return null;
  const region = readText(parsed, 'region') ?? 'cn-hangzhou';
  return { pid, gateway, gatewayTls: readText(parsed, 'gatewayTls'), http, api, region };
}

/** An origin `http(s)://host[:port]`; a bare `host:port` means http. Errors: exit 2. */
export function parseEndpoint(text: string): string {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.pathname !== '/') {
    throw wrongUsage(`an endpoint looks like http://127.0.0.1:8081, not '${text}'`);
  }
  return url.origin;
}

type Key = { readonly accessKeyId: string; readonly accessKeySecret: string };

function keyFromFlags(flags: TargetFlags): Key | null {
  const { accessKeyId, accessKeySecret } = flags;
  if (accessKeyId === undefined && accessKeySecret === undefined) return null;
  if (accessKeyId === undefined || accessKeySecret === undefined) {
    throw wrongUsage('--access-key-id and --access-key-secret go together: give both or neither');
  }
  return { accessKeyId, accessKeySecret };
}

function keyFromEnvironment(env: Environment): Key | null {
  for (const prefix of ['YUNMEN', 'ALIBABA_CLOUD', 'ALICLOUD']) {
    const accessKeyId = nonEmpty(env[`${prefix}_ACCESS_KEY_ID`]);
    const accessKeySecret = nonEmpty(env[`${prefix}_ACCESS_KEY_SECRET`]);
    if (accessKeyId !== undefined && accessKeySecret !== undefined) return { accessKeyId, accessKeySecret };
  }
  return null;
}

async function keyFromDataDir(dataDir: string): Promise<Key> {
  const file = join(dataDir, 'credentials.json');
  const text = await readOptional(file);
  const parsed = text === null ? null : parseJson(text);
  if (isRecord(parsed)) {
    const accessKeyId = readText(parsed, 'accessKeyId');
    const accessKeySecret = readText(parsed, 'accessKeySecret');
    if (accessKeyId !== null && accessKeySecret !== null) return { accessKeyId, accessKeySecret };
  }
  throw failed(`no access key in ${file}; give one with --access-key-id and --access-key-secret`);
}

async function readOptional(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    if (code === 'EACCES') throw failed(`${file} is not readable for this user`, { cause: error });
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
