// Which Pythons and Nodes this machine has: looks in the usual places and runs each once. Called by the launcher
// (the data process never spawns) and, through index.ts, by `dev` to see whether there is a Python at all.
import { execFile } from 'node:child_process';
import { readdir, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import type { Interpreter } from './choose-interpreter.ts';
import type { StartableLanguage } from './runtimes.ts';

export type Whereabouts = {
  /** As in the environment: directories joined by `:`. */
  readonly path: string;
  readonly home: string;
  /** The Node that runs us. */
  readonly execPath: string;
};

/** How long one interpreter may take to tell its version, how many are asked at once, how many at all. */
const versionTimeoutMs = 5_000;
const askedAtOnce = 4;
const candidateLimit = 64;

const pythonForm = /^python(\d(\.\d+)?)?$/;
const nodeForm = /^node(js)?$/;

/** Tells version, own real path and the directory of its libraries; works from Python 2.7 on. */
const pythonQuestion =
  'import sys;sys.stdout.write("%d.%d.%d\\n%s\\n%s\\n" % (sys.version_info[:3] + (sys.executable, getattr(sys, "base_prefix", sys.prefix))))';
const nodeQuestion = 'process.stdout.write(process.versions.node+"\\n"+process.execPath+"\\n")';

/** Directories under which version managers keep one directory per version, with `bin` (or its like) inside. */
function managerPlaces(home: string): readonly { parent: string; inside: string }[] {
  return [
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
  where: Whereabouts = { path: process.env['PATH'] ?? '', home: homedir(), execPath: process.execPath },
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
  return [...byPath.values()];
}

type Candidate = { readonly language: StartableLanguage; readonly path: string };

async function findCandidates({ path, home, execPath }: Whereabouts): Promise<readonly Candidate[]> {
  const directories = new Set<string>();
  for (const directory of [...path.split(':'), '/usr/local/bin', '/usr/bin']) {
    // Shims are scripts that start something else, in a way that depends on the directory.
    if (directory.startsWith('/') && !directory.endsWith('/shims')) directories.add(directory);
  }
  for (const { parent, inside } of managerPlaces(home)) {
    for (const version of await list(parent)) directories.add(`${parent}/${version}/${inside}`);
  }
  const candidates = new Map<string, Candidate>([[execPath, { language: 'node', path: execPath }]]);
  for (const directory of directories) {
    for (const name of await list(directory)) {
      const language = pythonForm.test(name) ? 'python' : nodeForm.test(name) ? 'node' : null;
      if (language === null) continue;
      const real = await realpath(`${directory}/${name}`).catch(() => null);
      if (real !== null && !candidates.has(real)) candidates.set(real, { language, path: real });
      if (candidates.size >= candidateLimit) return [...candidates.values()];
    }
  }
  return [...candidates.values()];
}

async function ask({ language, path }: Candidate): Promise<Interpreter | null> {
  const isPython = language === 'python';
  const output = await run(path, isPython ? ['-S', '-E', '-c', pythonQuestion] : ['-e', nodeQuestion]);
  const [version = '', executable = '', prefix = ''] = output.split('\n');
  if (!/^\d+\.\d+\.\d+$/.test(version) || !executable.startsWith('/')) return null;
  return { language, version, path, prefix: isPython && prefix.startsWith('/') ? prefix : dirname(path) };
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
