// Removes the run directories of servers of which everything was killed at once, so that nobody was left to do it, and ends what
// is left of their instances (of the launcher in Node, in tier none). Called by server.ts at a start.
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { endInstances } from './functions/index.ts';

const nameForm = /^yunmen-[A-Za-z0-9]{6}$/;
const socketName = 'launcher.sock';
/** All that a server puts there, whichever launcher it has. */
const ownNames: ReadonlySet<string> = new Set(['i', 't', 'root', 'etc', socketName]);
/** The second where instances or a data process of other users pass through it. */
const modes: ReadonlySet<number> = new Set([0o700, 0o711]);
/** A server that is starting or ending changes its directory; for so long nothing has been changed there, ms. */
const quietMs = { withSocket: 60_000, without: 600_000 };
const removalMs = 20_000;
/** Looked at in one start. */
const lookedAt = 64;

/**
 * Gives the paths that are gone. One that is not ours alone, holds anything else, has a mount in it, was changed a moment ago
 * or has a launcher that takes connections stays.
 */
export async function sweepRunDirectories(
  { parent, now }: { readonly parent: string; readonly now: number } = { parent: '/tmp', now: Date.now() },
): Promise<readonly string[]> {
  const paths = readdirSync(parent)
    .filter((name) => nameForm.test(name))
    .slice(0, lookedAt)
    .map((name) => join(parent, name));
  const removed: string[] = [];
  let failure: { readonly error: unknown } | null = null;
  for (const path of paths) {
    if (!isLeft(path, now) || (await isListening(join(path, socketName))) || !(await endInstances(path))) continue;
    try {
      removeTree(path);
      removed.push(path);
    } catch (error) {
      failure ??= { error }; // the others go all the same
    }
  }
  if (failure !== null) throw failure.error;
  return removed;
}

/**
 * The same of a server that is known to be dead, as soon as its launcher is: `paths` are what it said that its run directories
 * are. What lies elsewhere, or has no launcher's socket in it, stays.
 *
 * `asOwner`: with the rights of who made them.
 */
export async function sweepDirectoriesOf(
  paths: readonly string[],
  { parent, asOwner }: { readonly parent: string; asOwner<T>(act: () => T): T } = {
    parent: '/tmp',
    asOwner: (act) => act(),
  },
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const path of paths.slice(0, lookedAt)) {
    if (dirname(path) !== parent || !nameForm.test(basename(path)) || (await isListening(join(path, socketName))))
      continue;
    if (!asOwner(() => isOurs(path) && readdirSync(path).includes(socketName)) || !(await endInstances(path))) continue;
    asOwner(() => removeTree(path));
    removed.push(path);
  }
  return removed;
}

/** Functions may have made directories that their owner cannot list, in tier `restricted`. Errors: throws when something is left. */
function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    spawnSync('chmod', ['-R', 'u+rwX', path], { timeout: removalMs });
    spawnSync('rm', ['-rf', path], { timeout: removalMs });
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw error;
  }
}

/** As far as the directory itself tells. */
function isLeft(path: string, now: number): boolean {
  const info = lstatSync(path, { throwIfNoEntry: false });
  if (info === undefined || !isOurs(path)) return false;
  const names = readdirSync(path);
  const quiet = names.includes(socketName) ? quietMs.withSocket : quietMs.without;
  const changedAt = names.map((name) => lstatSync(join(path, name), { throwIfNoEntry: false })?.ctimeMs ?? now);
  return now - Math.max(info.ctimeMs, ...changedAt) > quiet;
}

/** A run directory of who we are, with nothing in it that a server does not put there. */
function isOurs(path: string): boolean {
  const info = lstatSync(path, { throwIfNoEntry: false });
  if (info === undefined || !info.isDirectory() || info.uid !== process.geteuid?.()) return false;
  return modes.has(info.mode & 0o777) && readdirSync(path).every((name) => ownNames.has(name)) && !hasMount(path);
}

function hasMount(path: string): boolean {
  if (process.platform !== 'linux') return false;
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path}/`);
}

/** Also of a server whose processes we cannot see. */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Whatever else is wrong with it: somebody may be there.
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}
