// An npm package that is installed here, with all that it depends on, as part of a function's code. Used by e2e tests.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { buffer } from 'node:stream/consumers';
import yazl from 'yazl';
import { root } from './server.ts';

/** A zip, base64, of `files` and of `node_modules` with the package in it. */
export async function zippedWith(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const zip = new yazl.ZipFile();
  for (const [path, text] of Object.entries(files)) zip.addBuffer(Buffer.from(text), path);
  for (const directory of closureOf(name)) {
    for (const file of filesOf(directory)) zip.addFile(file, relative(root, file));
  }
  zip.end();
  return (await buffer(zip.outputStream)).toString('base64');
}

/** The directories of a package and of all that it needs, as Node finds them. */
function closureOf(name: string): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (needed: string, from: string): void => {
    const directory = join(from, 'node_modules', needed);
    if (!existsSync(directory)) {
      if (dirname(from) === from) throw new Error(`${needed} is not installed`);
      add(needed, dirname(from));
      return;
    }
    if (found.has(directory)) return;
    found.add(directory);
    const { dependencies = {} } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
      dependencies?: Readonly<Record<string, string>>;
    };
    for (const each of Object.keys(dependencies)) add(each, directory);
  };
  add(name, root);
  return found;
}

/** What of it Node loads; without the packages below it, which stand for themselves. */
function filesOf(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesOf(path);
    return /\.([cm]?js|json)$/.test(entry.name) ? [path] : [];
  });
}
