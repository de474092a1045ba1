// `--user`: the server is started as root and goes on as somebody else. Only the launcher keeps root's rights; the data
// process is started as that user, and control becomes it for good when its listeners are open. Used by server.ts.
import { execFile } from 'node:child_process';
import { accessSync, chownSync, constants, lchownSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type ServerUser = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Does it with root's rights; only before dropForGood(). What it starts synchronously is root's. */
  asRoot<T>(act: () => T): T;
  /** The same for what takes a while, before anything is served. */
  whileRoot<T>(act: () => Promise<T>): Promise<T>;
  /** From now on this process can never be root again. */
  dropForGood(): void;
};

/**
 * Gives the data directory to the user and lets this process act as it, with root's rights at call.
 *
 * Errors: Error with a sentence for the operator: no such user, not started as root, a data directory that is another's.
 */
export async function takeOnUser(name: string, dataDir: string): Promise<ServerUser> {
  const { uid, gid } = await findUser(name);
  if (uid === 0) throw new Error(`--user ${name} is root itself`);
  if (process.getuid?.() !== 0)
    throw new Error(`--user takes a start as root; start as ${name} instead and leave it out`);
  giveDataDir(dataDir, uid, gid);
  process.setgroups?.([]);
  const enter = () => {
    process.setegid?.(gid);
    process.seteuid?.(uid);
  };
  enter();
  try {
    for (const [path, mode] of [[import.meta.filename, constants.R_OK] as const, [dataDir, constants.W_OK] as const]) {
      accessSync(path, mode);
    }
  } catch (error) {
    process.seteuid?.(0);
    process.setegid?.(0);
    throw new Error(`the user ${name} cannot get to what the server needs: ${String(error)}`, { cause: error });
  }
  const leave = () => {
    process.seteuid?.(0);
    process.setegid?.(0);
  };
  return {
    name,
    uid,
    gid,
    async whileRoot(act) {
      leave();
      try {
        return await act();
      } finally {
        enter();
      }
    },
    asRoot(act) {
      leave();
      try {
        return act();
      } finally {
        enter();
      }
    },
    dropForGood() {
      process.seteuid?.(0);
      process.setgid?.(gid);
      process.setuid?.(uid);
    },
  };
}

/** By the system's own look-up, which knows of directories other than /etc/passwd. */
async function findUser(name: string): Promise<{ uid: number; gid: number }> {
  const { stdout } = await promisify(execFile)('getent', ['passwd', name]).catch(() => ({ stdout: '' }));
  const [, , uid, gid] = stdout.trim().split(':');
  if (!/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) throw new Error(`--user: there is no user '${name}'`);
  return { uid: Number(uid), gid: Number(gid) };
}

/** Root's own becomes the user's, once. Links are not followed; the user could not write there before. */
function giveDataDir(dataDir: string, uid: number, gid: number): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const owner = statSync(dataDir).uid;
  if (owner === uid) return;
  if (owner !== 0) throw new Error(`the data directory ${dataDir} belongs to uid ${owner}, not to root or uid ${uid}`);
  for (const path of readdirSync(dataDir, { recursive: true })) lchownSync(join(dataDir, String(path)), uid, gid);
  chownSync(dataDir, uid, gid);
}
