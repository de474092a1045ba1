// Reads the imports of source files and judges them by the table of rooms (ARCHITECTURE.md). Used by tests/architecture.test.ts.
import { posix } from 'node:path';
import { parseSync } from 'oxc-parser';

/** `types` means that nothing of the target is left at run time. */
export type Import = { readonly target: string; readonly mode: 'types' | 'value' };

/** What a room may import besides itself; `composition` is every file directly in src/. */
const layers: Readonly<Record<string, readonly string[]>> = {
  base: [],
  model: ['base'],
  wire: ['model', 'base'],
  gateway: ['wire', 'model', 'base'],
  functions: ['wire', 'model', 'base'],
  control: ['wire', 'model', 'base'],
  store: ['wire', 'model', 'base'],
  cli: ['wire', 'model', 'base'],
};
/** Rooms that only the composition joins, through their index.ts. */
const siblings = ['gateway', 'functions', 'control', 'store', 'cli'];
/** Siblings whose code needs to know what is stored, and the files that tell them: as types only. */
const storeReaders = ['gateway', 'functions', 'control'];
const storeTypes = ['src/store/port.ts', 'src/store/rows.ts'];
/** Folders beside src/ that speak HTTP or frames and share no code with it. conformance/ may start servers by tests/harness/. */
const outsiders = ['runtimes', 'console', 'conformance', 'examples', 'fixtures'];

/** The room of a path: `gateway`, …, `composition`, or the top folder for files outside src/. */
export function roomOf(path: string): string {
  const parts = path.split('/');
  if (parts[0] !== 'src') return parts[0] ?? '';
  return parts.length === 2 ? 'composition' : (parts[1] ?? '');
}

/** Tests may import anything, and nobody else may import them. */
function isTest(path: string): boolean {
  return path.startsWith('tests/') || /\.test(-d)?\.ts$/.test(path);
}

/**
 * The relative imports of one file, resolved to paths from the root: static, re-exports, dynamic, `import('…')` types, `require`.
 *
 * Errors: throws when the file does not parse, or hides a relative import behind a computed specifier in src/.
 */
export function importsOf(path: string, text: string): Import[] {
  const { module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`);
  const found: Import[] = [];
  const add = (specifier: string, mode: Import['mode']) => {
    if (specifier.startsWith('.')) found.push({ target: posix.join(posix.dirname(path), specifier), mode });
  };
  for (const { moduleRequest, entries } of module.staticImports) {
    add(moduleRequest.value, entries.length > 0 && entries.every((entry) => entry.isType) ? 'types' : 'value');
  }
  for (const { entries } of module.staticExports) {
    for (const entry of entries) {
      if (entry.moduleRequest) add(entry.moduleRequest.value, entry.isType ? 'types' : 'value');
    }
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^(['"`])([^$]*)\1$/.exec(text.slice(moduleRequest.start, moduleRequest.end));
    if (literal?.[2] !== undefined) add(literal[2], 'value');
    else if (path.startsWith('src/') && !isTest(path)) throw new Error(`${path} imports a computed specifier`);
  }
  for (const [, specifier] of text.matchAll(/\bimport\(\s*['"](\.[^'"]+)['"]\s*\)\s*\./g))
    add(specifier ?? '', 'types');
  for (const [, specifier] of text.matchAll(/\brequire\(\s*['"](\.[^'"]+)['"]\s*\)/g)) add(specifier ?? '', 'value');
  return found;
}

/** Why `from` may not import `target`; null when it may. */
function refusal(from: string, { target, mode }: Import): string | null {
  if (isTest(from)) return null;
  const room = roomOf(from);
  const other = roomOf(target);
  if (room === 'conformance' && target.startsWith('tests/harness/')) return null;
  if (isTest(target)) return 'only tests import tests';
  if (outsiders.includes(room)) return other === room ? null : `${room}/ imports nothing of ours`;
  if (!from.startsWith('src/')) return null;
  if (!target.startsWith('src/')) return other === 'package.json' ? null : 'src/ imports only src/';
  if (room === 'composition') {
    if (!siblings.includes(other) || target === `src/${other}/index.ts`) return null;
    return mode === 'types' && storeTypes.includes(target) ? null : `go through src/${other}/index.ts`;
  }
  if (other === 'composition') return 'nobody imports the composition';
  const allowed = layers[room];
  if (allowed === undefined) return `src/${room}/ is not a room of the table`;
  if (other === room) return target === `src/${room}/index.ts` ? 'a room does not import its own index.ts' : null;
  if (allowed.includes(other)) return null;
  if (storeReaders.includes(room) && storeTypes.includes(target))
    return mode === 'types' ? null : 'import it as types only';
  return `${room} may not import ${other}`;
}

/** One cycle as the list of its files, or null. Depth first; types count too. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | null {
  const state = new Map<string, 'open' | 'done'>();
  const path: string[] = [];
  const visit = (file: string): string[] | null => {
    if (state.get(file) === 'done') return null;
    if (state.get(file) === 'open') return [...path.slice(path.indexOf(file)), file];
    state.set(file, 'open');
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle !== null) return cycle;
    }
    path.pop();
    state.set(file, 'done');
    return null;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file);
    if (cycle !== null) return cycle;
  }
  return null;
}

/** True when every statement of an index.ts is `export … from`. */
function onlyReExports(path: string, text: string): boolean {
  return parseSync(path, text).program.body.every(
    (node) => node.type === 'ExportAllDeclaration' || (node.type === 'ExportNamedDeclaration' && node.source !== null),
  );
}

/**
 * Every breach of the table in `files` (path from the root → text), one sentence each.
 */
export function judgeImports(files: ReadonlyMap<string, string>): string[] {
  const breaches: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [path, text] of files) {
    const imports = importsOf(path, text);
    for (const one of imports) {
      const reason = refusal(path, one);
      if (reason !== null) breaches.push(`${path} imports ${one.target}: ${reason}`);
    }
    graph.set(
      path,
      [...new Set(imports.map((one) => one.target))].filter((target) => files.has(target)),
    );
    if (/^src\/[^/]+\/index\.ts$/.test(path) && !onlyReExports(path, text))
      breaches.push(`${path} does more than re-export`);
  }
  const cycle = findCycle(graph);
  if (cycle !== null) breaches.push(`cycle: ${cycle.join(' → ')}`);
  return breaches;
}
