// A server of an ordinary user, where this machine lets root become one. What such a user's networks need (/dev/net/tun) is
// given to him in a mount namespace of his own, whatever this machine has. Used by the tests of functions' networks.
import { spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const uid = 65_534;

const script = `mknod "$0/tun" c 10 200 && chmod 666 "$0/tun" && mkdir -p /dev/net && { [ -e /dev/net/tun ] || : > /dev/net/tun; } &&
  mount --bind "$0/tun" /dev/net/tun && { [ -z "$1" ] || { mkdir "$0/empty" && mount --bind "$0/empty" "$1"; }; } && shift &&
  exec setpriv --reuid ${uid} --regid ${uid} --clear-groups "$@"`;

/**
 * The command line that runs another as an ordinary user. `directory` is root's, of this process alone, and goes with it.
 *
 * `emptied`: a directory that is empty for that command.
 */
export function asOrdinary(
  directory: string,
  command: readonly string[],
  emptied: string | null = null,
): readonly [string, ...string[]] {
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, directory, emptied ?? '', ...command];
}

/** Makes a directory his. */
export function giveToOrdinary(directory: string): void {
  chownSync(directory, uid, uid);
}

/** Null, or why an ordinary user gets no networks here. */
export function ordinaryNetworksLack(sandd: string): string | null {
  if (process.getuid?.() !== 0) return 'it takes root to become somebody else';
  const { found, complaint } = askedAsOrdinary(sandd, 'probe-network');
  const said = found.get('network') ?? `the probe did not end: ${complaint}`;
  return said === 'ok' ? null : said;
}

/** What `sandd probe` finds of tiers as an ordinary user. This process is root. */
export function probeAsOrdinary(sandd: string): ReadonlyMap<string, string> {
  return askedAsOrdinary(sandd, 'probe').found;
}

function askedAsOrdinary(sandd: string, word: 'probe' | 'probe-network') {
  const directory = mkdtempSync(join(tmpdir(), 'yunmen-test-'));
  try {
    const [file, ...args] = asOrdinary(directory, [sandd, word]);
    const { stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: 20_000 });
    const lines = [...(stdout ?? '').matchAll(/^([^=\n]+)=(.*)$/gm)];
    return { found: new Map(lines.map(([, key = '', value = '']) => [key, value])), complaint: stderr };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
