// Completes package-lock.json with the platform packages that a registry did not list, so that `npm ci` works on every platform.
// Run by hand after each change of a dependency; `npm run check` calls checkLock().
import { readFileSync, writeFileSync } from 'node:fs';

/** One entry of the lock file's `packages`; only what is read or written here. */
export type LockEntry = {
  readonly version?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[] | string;
  readonly cpu?: readonly string[] | string;
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

export type Lock = { readonly packages: Readonly<Record<string, LockEntry>> };

const lockFile = new URL('../package-lock.json', import.meta.url);
const exactVersion = /^\d+\.\d+\.\d+(-[\w.-]+)?$/;
const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];

/**
 * What a platform package's name says about where it runs.
 *
 * Shape: `@x/cli-linux-arm64-musl` → `{ cpu: ['arm64'], os: ['linux'], libc: ['musl'] }`; parts that are not named are left out.
 */
export function platformOf(name: string): Pick<LockEntry, 'cpu' | 'os' | 'libc'> {
  const words = name.split(/[/@-]/);
  const cpu = processors.find((processor) => words.includes(processor));
  const os = systems.find((system) => words.includes(system));
  const libc = words.some((word) => word.startsWith('musl'))
    ? 'musl'
    : words.some((word) => word.startsWith('gnu'))
      ? 'glibc'
      : null;
  return {
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(os === undefined ? {} : { os: [os] }),
    ...(libc === null ? {} : { libc: [libc] }),
  };
}

/** The path under which Node would find `name` from the package at `parent`; null when no entry has it. */
function findEntry(packages: Lock['packages'], parent: string, name: string): string | null {
  for (let folder = parent; ; ) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === '') return null;
    const cut = folder.lastIndexOf('/node_modules/');
    folder = cut < 0 ? '' : folder.slice(0, cut);
  }
}

/** The entries that `packages` lacks, by path: one for each exact optional dependency without an entry of its own. */
export function missingEntries(packages: Lock['packages']): Readonly<Record<string, LockEntry>> {
  const missing: Record<string, LockEntry> = {};
  for (const [parent, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!exactVersion.test(version)) continue;
      const found = findEntry({ ...packages, ...missing }, parent, name);
      if (found !== null && (packages[found] ?? missing[found])?.version === version) continue;
      missing[found === null ? `node_modules/${name}` : `${parent}/node_modules/${name}`] = {
        version,
        ...platformOf(name),
        ...(entry.dev === true ? { dev: true } : {}),
        ...(entry.devOptional === true ? { devOptional: true } : {}),
        optional: true,
      };
    }
  }
  return missing;
}

/** The lock with what it lacked, in npm's order of paths. Entries that are there stay untouched. */
export function completeLock<L extends Lock>(lock: L): L {
  const all = { ...lock.packages, ...missingEntries(lock.packages) };
  const packages = Object.fromEntries(Object.entries(all).sort(([a], [b]) => a.localeCompare(b, 'en')));
  return { ...lock, packages };
}

/** Paths whose tarball address names a host: such a lock works only where that host is reachable. */
function pathsWithHosts(lock: Lock): string[] {
  return Object.entries(lock.packages)
    .filter(([, entry]) => entry.resolved !== undefined && /^[a-z+]+:/i.test(entry.resolved))
    .map(([path]) => path);
}

/** What is wrong with a lock file's text, a sentence a fault; none when it is as this script would write it. */
export function checkLock(text: string): string[] {
  const lock = JSON.parse(text) as Lock;
  const missing = Object.keys(missingEntries(lock.packages));
  return [
    ...missing.map((path) => `package-lock.json lacks ${path}`),
    ...pathsWithHosts(lock).map((path) => `package-lock.json names a registry host for ${path}; remove "resolved"`),
    ...(missing.length > 0 ? ['run: npm run complete-lock'] : []),
  ];
}

if (import.meta.main) {
  const text = readFileSync(lockFile, 'utf8');
  if (process.argv.includes('--check')) {
    const faults = checkLock(text);
    for (const fault of faults) console.error(fault);
    if (faults.length > 0) process.exitCode = 1;
  } else {
    const lock = JSON.parse(text) as Lock;
    const added = Object.keys(missingEntries(lock.packages));
    if (added.length > 0) writeFileSync(lockFile, `${JSON.stringify(completeLock(lock), null, 2)}\n`);
    console.log(
      added.length === 0 ? 'package-lock.json is complete' : `added ${added.length} entries:\n${added.join('\n')}`,
    );
  }
}
