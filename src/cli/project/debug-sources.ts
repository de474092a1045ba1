// Where the sources of a function's zip or jar are in the project, so that an editor can be told. Called by debug.ts.
import { readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { FunctionPlan } from './plan.ts';

/** Files that may hold a handler such as `src/index.main`, by runtime. */
const extensions: readonly { readonly runtime: RegExp; readonly names: readonly string[] }[] = [
  { runtime: /^nodejs/, names: ['.js', '.mjs', '.cjs', '.ts'] },
  { runtime: /^python/, names: ['.py'] },
  { runtime: /^php/, names: ['.php'] },
];
/** Folders below the project's that are looked at, and how deep. */
const folderLimit = 500;
const depthLimit = 3;

/** Relative paths of which a package has one; none where the handler names no file. */
export function handlerFiles({ runtime, settings }: Pick<FunctionPlan, 'runtime' | 'settings'>): readonly string[] {
  const handler = typeof settings['handler'] === 'string' ? settings['handler'] : '';
  const module = handler.slice(0, Math.max(0, handler.lastIndexOf('.')));
  const names = extensions.find((each) => each.runtime.test(runtime))?.names ?? [];
  return module === '' ? [] : names.map((name) => `${module}${name}`);
}

/** The folder that has the handler's file where the package has it: beside the archive, else anywhere in the project. */
export function findSources(
  plan: Pick<FunctionPlan, 'runtime' | 'settings' | 'codePath'>,
  projectFolder: string,
): string | null {
  const files = handlerFiles(plan);
  const has = (folder: string) => files.some((file) => isFile(join(folder, file)));
  const withoutEnding = plan.codePath.replace(/\.[^./]*$/, '');
  for (const folder of [withoutEnding, dirname(plan.codePath), ...foldersBelow(projectFolder)]) {
    if (has(folder)) return folder;
  }
  return null;
}

/** The source folder as Maven and Gradle have it, of the project that made the classes or the jar. */
export function sourcePathOf(codePath: string, projectFolder: string): string | null {
  for (let folder = codePath; isInside(folder, projectFolder); folder = dirname(folder)) {
    const path = join(folder, 'src/main/java');
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  }
  return null;
}

function isInside(folder: string, project: string): boolean {
  return !relative(project, folder).startsWith('..');
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** The project's folder and those below it, the nearest first. */
function foldersBelow(top: string): string[] {
  const all = [{ path: top, depth: 0 }];
  for (const { path, depth } of all) {
    if (depth === depthLimit || all.length >= folderLimit) continue;
    const below = readdirSync(path, { withFileTypes: true }).filter(
      (entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules',
    );
    all.push(...below.map(({ name }) => ({ path: join(path, name), depth: depth + 1 })));
  }
  return all.map(({ path }) => path);
}
