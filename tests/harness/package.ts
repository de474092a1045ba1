// A folder as the zip that the APIs take. Used by tests that deploy whole packages.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import yazl from 'yazl';

/** Relative paths of the files below a folder. */
export function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) =>
    statSync(join(directory, file)).isFile(),
  );
}

/** The folder's files as a zip in base64, with their modes. `executable`: those that may be run, whatever their mode. */
export async function packed(
  directory: string,
  files: readonly string[] = filesBelow(directory),
  executable: readonly string[] = [],
): Promise<string> {
  const zip = new yazl.ZipFile();
  for (const file of files) {
    const mode = executable.includes(file) ? 0o100755 : statSync(join(directory, file)).mode;
    zip.addFile(join(directory, file), file, { mode });
  }
  zip.end();
  return (await buffer(zip.outputStream)).toString('base64');
}
