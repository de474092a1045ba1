// The interpreters of this machine that the bootstraps are tested with.
// Used by the bootstraps' contract tests.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

export type Interpreter = {
  readonly language: 'python' | 'node';
  readonly path: string;
  /** As the interpreter says: `3.11.2`. */
  readonly version: string;
};

/** Every Python 3.6 or newer on PATH, in the system's place and under pyenv; one per version. */
export function findPythons(): Interpreter[] {
  const names = ['python3', ...Array.from({ length: 20 }, (_, minor) => `python3.${minor}`)];
  return findAll('python', names, children(join(homedir(), '.pyenv/versions'), 'bin/python3')).filter(
    ({ version }) => Number(version.split('.')[1]) >= 6,
  );
}

/** The Node that runs this, and every other one found. */
export function findNodes(): Interpreter[] {
  const home = homedir();
  const managed = [
    ...children(join(home, '.nvm/versions/node'), 'bin/node'),
    ...children(join(home, '.local/share/fnm/node-versions'), 'installation/bin/node'),
    ...children('/opt', 'bin/node'),
  ];
  return findAll('node', ['node'], [process.execPath, ...managed]).filter(
    ({ version }) => Number(version.split('.')[0]) >= 8,
  );
}

function findAll(language: Interpreter['language'], names: readonly string[], more: readonly string[]): Interpreter[] {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin'];
  const onPath = directories
    .filter((directory) => directory.startsWith('/') && !directory.includes('/shims'))
    .flatMap((directory) => names.map((name) => join(directory, name)));
  const found = new Map<string, Interpreter>();
  const seen = new Set<string>();
  for (const path of [...more, ...onPath]) {
    if (!existsSync(path) || seen.has(realpathSync(path))) continue;
    seen.add(realpathSync(path));
    const version = versionOf(path);
    if (version !== null && !found.has(version)) found.set(version, { language, path, version });
  }
  return [...found.values()];
}

function children(directory: string, file: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).map((name) => join(directory, name, file));
}

/** null when it does not run or says something else. */
function versionOf(path: string): string | null {
  try {
    const said = execFileSync(path, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return /(\d+\.\d+\.\d+)/.exec(said)?.[1] ?? null;
  } catch {
    return null; // not runnable here: not an interpreter of this machine
  }
}
