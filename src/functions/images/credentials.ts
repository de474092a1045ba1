// Passwords of registries, as docker and podman have kept them: in their files, or in a helper that a file names. Used by pull.ts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { text } from 'node:stream/consumers';
import type { RegistryCredentials } from '../../model/runtime-report.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type AuthFile = {
  readonly auths?: Readonly<Record<string, { readonly auth?: unknown; readonly identitytoken?: unknown }>>;
  readonly credHelpers?: Readonly<Record<string, unknown>>;
  readonly credsStore?: unknown;
};

const helperTimeoutMs = 30_000;
/** By this name a helper tells that what it gives is a token that is changed for others. Source: docs (docker-credential-helpers). */
export const identityTokenUser = '<token>';

/**
 * Null: nobody has kept any. `registry`: host and port.
 *
 * Errors: throws with the file or the helper that is broken; no message holds a password.
 */
export async function findCredentials(registry: string, env: Environment): Promise<RegistryCredentials | null> {
  for (const path of filesOf(env)) {
    const file = await readAuthFile(path);
    if (file === null) continue;
    for (const name of namesOf(registry)) {
      const helper = file.credHelpers?.[name] ?? file.credsStore;
      const found = helper === undefined ? readAuth(file, name) : await askHelper(String(helper), name, env);
      if (found !== null) return found;
    }
  }
  return null;
}

/** Source: docs (docker's configuration; containers-auth.json). */
function filesOf(env: Environment): readonly string[] {
  const home = env['HOME'] || homedir();
  const runtime = env['XDG_RUNTIME_DIR'];
  return [
    ...(env['REGISTRY_AUTH_FILE'] ? [env['REGISTRY_AUTH_FILE']] : []),
    ...(runtime ? [`${runtime}/containers/auth.json`] : []),
    `${home}/.config/containers/auth.json`,
    `${env['DOCKER_CONFIG'] || `${home}/.docker`}/config.json`,
  ];
}

/** Docker Hub's entry has a name of its own. */
function namesOf(registry: string): readonly string[] {
  const isHub = registry === 'registry-1.docker.io';
  return isHub
    ? ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io']
    : [registry, `https://${registry}`, `http://${registry}`];
}

async function readAuthFile(path: string): Promise<AuthFile | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null ? value : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    // What is in it is not shown.
    throw new Error(`${path} cannot be read: ${error instanceof SyntaxError ? 'it is no JSON' : String(error)}`);
  }
}

/** `auth`: base64 of `name:password`. */
function readAuth({ auths }: AuthFile, name: string): RegistryCredentials | null {
  const entry = auths?.[name];
  if (typeof entry?.identitytoken === 'string' && entry.identitytoken !== '') {
    return { username: identityTokenUser, password: entry.identitytoken };
  }
  const decoded = typeof entry?.auth === 'string' ? Buffer.from(entry.auth, 'base64').toString() : '';
  const at = decoded.indexOf(':');
  return at < 1 ? null : { username: decoded.slice(0, at), password: decoded.slice(at + 1) };
}

/** The helper is a program `docker-credential-<name>`: the registry goes in, JSON comes out. */
async function askHelper(name: string, registry: string, env: Environment): Promise<RegistryCredentials | null> {
  if (!/^[\w.-]+$/.test(name)) throw new Error(`'${name.slice(0, 80)}' is no name of a credential helper`);
  const program = `docker-credential-${name}`;
  const signal = AbortSignal.timeout(helperTimeoutMs);
  const child = spawn(program, ['get'], { env: { ...env }, stdio: ['pipe', 'pipe', 'ignore'], signal });
  child.stdin.on('error', () => {}); // it has ended: its exit tells
  child.stdin.end(registry);
  const ended = once(child, 'close').catch((error: unknown) => {
    throw new Error(`${program} cannot be asked for a password: ${error instanceof Error ? error.message : ''}`);
  });
  const [said, [code]] = (await Promise.all([text(child.stdout), ended])) as [string, [number | null]];
  if (code !== 0) return null; // it has none
  try {
    const { Username, Secret } = JSON.parse(said) as Record<string, unknown>;
    if (typeof Username === 'string' && typeof Secret === 'string') return { username: Username, password: Secret };
  } catch {
    // Told below, without what it said.
  }
  throw new Error(`${program} gave something that is no name and password`);
}
