// `npm run check`: everything that can be judged without running the product. One line a step; stops at the first failure.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkLock } from './complete-lock.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** `faults` empty means passed; `notes` are printed either way. */
type Outcome = { readonly faults: readonly string[]; readonly notes: readonly string[]; readonly summary: string };

const noteLines = 350;
const failLines = 500;
/** Files that may be longer than `failLines`, each with the reason. */
const longFiles: Readonly<Record<string, string>> = {};

/** Runs a tool on this Node; all it printed is the fault when it fails. */
function tool(args: readonly string[], summary: string): Outcome {
  const done = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (done.status === 0) return { faults: [], notes: [], summary };
  return { faults: [`${done.stdout ?? ''}${done.stderr ?? ''}${done.error?.message ?? ''}`], notes: [], summary };
}

/** Paths from the root, without what npm or a server put there. */
function find(patterns: readonly string[]): string[] {
  const exclude = (path: string) => /(^|\/)(node_modules|dist|\.yunmen|\.git)(\/|$)/.test(path);
  return globSync([...patterns], { cwd: root, exclude }).sort();
}

function fileSizes(): Outcome {
  const paths = find(['{src,tests,scripts,benches,conformance}/**/*.ts', 'runtimes/**/*.{js,mjs,cjs,py}', 'bin/*']);
  const sizes = paths.map((path) => ({ path, lines: readFileSync(root + path, 'utf8').split('\n').length - 1 }));
  const sorted = sizes.map((size) => size.lines).sort((a, b) => a - b);
  const long = sizes.filter((size) => size.lines > noteLines);
  return {
    faults: long
      .filter((size) => size.lines > failLines && longFiles[size.path] === undefined)
      .map(
        (size) =>
          `${size.path} has ${size.lines} lines, over ${failLines}: split it, or give the reason in scripts/check.ts`,
      ),
    notes: long.map(
      (size) => `${size.lines} lines: ${size.path}${longFiles[size.path] ? ` (${longFiles[size.path]})` : ''}`,
    ),
    summary: `${sizes.length} files, median ${sorted[Math.floor(sorted.length / 2)] ?? 0} lines`,
  };
}

const pathInText =
  /`((?:src|scripts|tests|benches|conformance|runtimes|examples|fixtures|docs|bin|pinned-node)\/[^`\s*{}<>]*)`/g;
const linkInText = /\]\(([^)#\s]+)(?:#[^)]*)?\)/g;

/** Links and paths in backticks that a document names and the checkout lacks. Decisions and the changelog tell the past: links only. */
function documents(): Outcome {
  const paths = find(['*.md', 'docs/**/*.md', 'src/*/README.md', 'runtimes/**/*.md', 'examples/**/*.md']);
  const faults: string[] = [];
  for (const path of paths) {
    const text = readFileSync(root + path, 'utf8');
    for (const [, link = ''] of text.matchAll(linkInText)) {
      if (/^[a-z]+:/.test(link)) continue;
      if (!existsSync(posix.join(root, dirname(path), link)))
        faults.push(`${path} links to ${link}, which is not there`);
    }
    if (path.startsWith('docs/decisions/') || path === 'CHANGELOG.md') continue;
    for (const [, name = ''] of text.matchAll(pathInText)) {
      if (!existsSync(root + name)) faults.push(`${path} names ${name}, which is not there`);
    }
  }
  return { faults, notes: [], summary: `${paths.length} documents` };
}

function lockFile(): Outcome {
  return {
    faults: checkLock(readFileSync(`${root}package-lock.json`, 'utf8')),
    notes: [],
    summary: 'complete, no hosts',
  };
}

const steps: readonly { readonly name: string; readonly run: () => Outcome }[] = [
  { name: 'types', run: () => tool(['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'], 'tsc') },
  {
    name: 'lint and format',
    run: () => tool(['node_modules/@biomejs/biome/bin/biome', 'ci', '--colors=off', '.'], 'biome'),
  },
  {
    name: 'room rules',
    run: () => tool(['--test', '--test-isolation=none', 'tests/architecture.test.ts'], 'imports, cycles'),
  },
  { name: 'lock file', run: lockFile },
  { name: 'file sizes', run: fileSizes },
  { name: 'documents', run: documents },
  { name: 'compatibility', run: () => tool(['scripts/compatibility.ts', '--check'], 'docs/compatibility.md') },
];

for (const { name, run } of steps) {
  const began = performance.now();
  const { faults, notes, summary } = run();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${name.padEnd(16)} ${seconds.padStart(5)} s  ${summary}`);
  for (const note of notes) console.log(`     ${note}`);
  if (faults.length > 0) {
    console.log(faults.join('\n'));
    process.exitCode = 1;
    break;
  }
}
