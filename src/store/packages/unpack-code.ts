// A package's files in a folder of one's own, for `dev --debug`. Called by the composition, through index.ts.
import { mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { defaultPackageLimits } from './limits.ts';
import { removeTree } from './package-files.ts';
import { unpackZip } from './unpack.ts';

/**
 * Puts the zip's files into `directory`, in the place of what is there.
 *
 * Errors: rejects with what is wrong with the zip; the directory is then as it was.
 */
export async function unpackCode(zip: Buffer, directory: string): Promise<void> {
  const fresh = `${directory}.fresh`;
  mkdirSync(dirname(directory), { recursive: true });
  removeTree(fresh);
  try {
    await unpackZip(zip, fresh, defaultPackageLimits);
  } catch (error) {
    removeTree(fresh);
    throw error;
  }
  removeTree(directory);
  renameSync(fresh, directory);
}
