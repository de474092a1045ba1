// Which interpreters this machine has: looks in the usual places and runs each once. Called by the launcher
// (the data process never spawns) and, through index.ts, by `dev` to see whether there is a Python at all.
import { execFile } from 'node:child_process';
import { access, readdir, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import { type Interpreter, parseVersion } from './choose-interpreter.ts';
import { languageIds, languageOf, type StartableLanguage } from './languages.ts';
import { findRuntime } from './runtimes.ts';

export type Whereabouts = {
  /** As in the environment: directories joined by `:`. */
  readonly path: string;
  readonly home: string;
  /** The Node that runs us. */
  readonly execPath: string;
  /** Where `yunmen runtime add` puts what it fetches. */
  readonly fetched: string;
};

/** `$XDG_CACHE_HOME/yunmen/runtimes`, by default below `~/.cache`: one directory a language, in it one a version. */
export function fetchedRuntimesDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const cache = env['XDG_CACHE_HOME'];
  return `${cache?.startsWith('/') ? cache : `${homedir()}/.cache`}/yunmen/runtimes`;
}

/** Where the cloud's preinstalled libraries of a runtime id are, if they were added. `fetched`: fetchedRuntimesDirectory(). */
export function librariesDirectory(fetched: string, runtimeId: string): string {
  return `${fetched}/libraries/${runtimeId}`;
}

/**
 * How long one interpreter may take to tell its version, how many are asked at once, how many at all. A JVM needs some tenths of a second
 * of a processor, which is long on a busy machine; who is too late is not used until the server starts anew.
 */
const versionTimeoutMs = 20_000;
const askedAtOnce = 4;
const candidateLimit = 64;

/** Directories under which version managers keep one directory per version, with `bin` (or its like) inside. */
function managerPlaces(home: string, fetched: string): readonly { parent: string; inside: string }[] {
  return [
    { parent: `${fetched}/node`, inside: 'bin' },
    { parent: '/usr/lib/jvm', inside: 'bin' },
    { parent: `${home}/.sdkman/candidates/java`, inside: 'bin' },
    { parent: `${home}/.pyenv/versions`, inside: 'bin' },
    { parent: '/opt/pyenv/versions', inside: 'bin' },
    { parent: `${home}/.local/share/uv/python`, inside: 'bin' },
    { parent: `${home}/.nvm/versions/node`, inside: 'bin' },
    { parent: '/usr/local/nvm/versions/node', inside: 'bin' },
    { parent: `${home}/.local/share/fnm/node-versions`, inside: 'installation/bin' },
    { parent: `${home}/.volta/tools/image/node`, inside: 'bin' },
    { parent: `${home}/.asdf/installs/python`, inside: 'bin' },
    { parent: `${home}/.asdf/installs/nodejs`, inside: 'bin' },
    { parent: `${home}/.local/share/mise/installs/python`, inside: 'bin' },
    { parent: `${home}/.local/share/mise/installs/node`, inside: 'bin' },
  ];
}

/** Every interpreter found, each real path once. One that does not answer in time is left out. */
export async function findInterpreters(
  where: Whereabouts = {
    path: process.env['PATH'] ?? '',
    home: homedir(),
    execPath: process.execPath,
    fetched: fetchedRuntimesDirectory(),
  },
): Promise<readonly Interpreter[]> {
  const candidates = await findCandidates(where);
  const found: (Interpreter | null)[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < candidates.length; index = next++) {
      const candidate = candidates[index];
      if (candidate !== undefined) found[index] = await ask(candidate);
    }
  };
  await Promise.all(Array.from({ length: askedAtOnce }, worker));
  const byPath = new Map<string, Interpreter>();
  for (const each of found) if (each !== null && !byPath.has(each.path)) byPath.set(each.path, each);
  const libraries = await addedLibraries(where.fetched);
  return [...byPath.values()].map((each) => withLibraries(each, libraries));
}

/** Directories that `yunmen runtime add --libraries` made, by runtime id. */
async function addedLibraries(fetched: string): Promise<ReadonlyMap<string, string>> {
  const ids = (await list(`${fetched}/libraries`)).filter((id) => findRuntime(id) !== null);
  return new Map(ids.map((id) => [id, librariesDirectory(fetched, id)]));
}

function withLibraries(interpreter: Interpreter, all: ReadonlyMap<string, string>): Interpreter {
  const own = [...all].filter(([id]) => {
    const runtime = findRuntime(id);
    return runtime?.kind === 'startable' && runtime.language === interpreter.language;
  });
  if (own.length === 0) return interpreter;
  const shows = [...(interpreter.shows ?? []), ...own.map(([, path]) => path)];
  return { ...interpreter, shows, libraries: Object.fromEntries(own) };
}

type Candidate = { readonly language: StartableLanguage; readonly path: string };

async function findCandidates({ path, home, execPath, fetched }: Whereabouts): Promise<readonly Candidate[]> {
  const directories = new Set<string>();
  for (const directory of [...path.split(':'), '/usr/local/bin', '/usr/bin']) {
    // Shims are scripts that start something else, in a way that depends on the directory.
    if (directory.startsWith('/') && !directory.endsWith('/shims')) directories.add(directory);
  }
  for (const { parent, inside } of managerPlaces(home, fetched)) {
    for (const version of await list(parent)) directories.add(`${parent}/${version}/${inside}`);
  }
  const candidates = new Map<string, Candidate>([[execPath, { language: 'node', path: execPath }]]);
  for (const directory of directories) {
    for (const name of await list(directory)) {
      const language = languageIds.find((each) => languageOf(each).program.test(name));
      if (language === undefined) continue;
      const real = await realpath(`${directory}/${name}`).catch(() => null);
      if (real !== null && !candidates.has(real)) candidates.set(real, { language, path: real });
      if (candidates.size >= candidateLimit) return [...candidates.values()];
    }
  }
  return [...candidates.values()];
}

/** Null for what does not answer, or is older than the bootstrap can use. */
async function ask({ language, path }: Candidate): Promise<Interpreter | null> {
  const { question, oldest } = languageOf(language);
  // The Node that runs us need not be asked, and is found on the busiest machine.
  const said = path === process.execPath ? process.versions.node : await run(path, question);
  const [first = '', second = ''] = said.split('\n');
  const version = /\b(\d+\.\d+\.\d+)\b/.exec(first)?.[1];
  if (version === undefined) return null;
  const { major, minor } = parseVersion(version);
  if (major < oldest.major || (major === oldest.major && minor < oldest.minor)) return null;
  const shows = await present(settingsOf(language, { major, minor }));
  const prefix = second.startsWith('/') ? second : prefixOf(language, path);
  return { language, version, path, prefix, ...(shows.length === 0 ? {} : { shows }) };
}

/** A Node is one file; the others have their libraries beside `bin`. */
function prefixOf(language: StartableLanguage, path: string): string {
  return language === 'node' ? dirname(path) : dirname(dirname(path));
}

/** Debian keeps settings of these apart from the program. */
function settingsOf(language: StartableLanguage, { major, minor }: { major: number; minor: number }): string[] {
  if (language === 'java') return [`/etc/java-${major}-openjdk`];
  return language === 'php' ? [`/etc/php/${major}.${minor}`] : [];
}

async function present(paths: readonly string[]): Promise<readonly string[]> {
  const checks = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return paths.filter((_, at) => checks[at]);
}

/** What it wrote; empty when it failed. */
function run(path: string, args: readonly string[]): Promise<string> {
  const options = { timeout: versionTimeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024, env: {} } as const;
  return new Promise((resolve) => {
    execFile(path, args, options, (error, stdout) => resolve(error === null ? stdout : ''));
  });
}

async function list(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch(() => []);
}
