// Which names and links of a zip are safe to make below a directory. Pure; used by unpack.ts.
import { posix } from 'node:path';
import { validateFileName } from 'yauzl';

/** Longest segment and longest path, in bytes of UTF-8: what Linux takes. */
const segmentLimitBytes = 255;
const pathLimitBytes = 4000;

export type NameVerdict =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly message: string };

/**
 * The path of an entry below the package's root.
 *
 * Shape of `path`: segments joined by `/`, none empty, `.` or `..`; empty for the root itself.
 * Errors: not ok for absolute names, `..`, backslashes, drive letters, NUL, and names too long for a file system.
 */
export function checkEntryName(name: string): NameVerdict {
  const refuse = (why: string): NameVerdict => ({
    ok: false,
    message: `entry ${JSON.stringify(name.slice(0, 200))} ${why}`,
  });
  if (name === '') return refuse('has no name');
  if (name.includes('\0')) return refuse('has a NUL in its name');
  if (name.includes('\\')) return refuse('has a backslash in its name; zip names use /');
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) return refuse('has an absolute name');
  const segments = name.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) return refuse('leads out of the package with ..');
  const foreign = validateFileName(name);
  if (foreign !== null) return refuse(`has an unsafe name (${foreign})`);
  const path = segments.join('/');
  if (segments.some((segment) => Buffer.byteLength(segment) > segmentLimitBytes))
    return refuse('has a name that is too long');
  if (Buffer.byteLength(path) > pathLimitBytes) return refuse('has a path that is too long');
  return { ok: true, path };
}

/**
 * Whether a symbolic link at `path` (as checkEntryName gives it) stays inside the package.
 *
 * Only a leading run of `..` is allowed, not above the root. The link's own directory is never reached through
 * another link (EntryTree sees to it), so that run climbs real directories; what follows only descends, at worst into
 * another link of the package, of which the same holds. A `..` after a name could climb from the far end of a link.
 */
export function isInsideLink(path: string, target: string): boolean {
  if (target === '' || target.includes('\0') || target.includes('\\') || posix.isAbsolute(target)) return false;
  const segments = target.split('/').filter((segment) => segment !== '' && segment !== '.');
  const climbs = segments.findIndex((segment) => segment !== '..');
  const up = climbs === -1 ? segments.length : climbs;
  const depth = path.split('/').length - 1;
  return up <= depth && !segments.slice(up).includes('..');
}

export type EntryKind = 'file' | 'link' | 'directory';

/** The paths of one zip as they are claimed; bounded by the limit on entries and the depth of paths. */
export class EntryTree {
  readonly #kinds = new Map<string, EntryKind>();

  /**
   * Claims a path and its parents. Null when it fits, else why not.
   * A directory may be named again; anything else named twice, or used as a parent without being a directory, is refused.
   */
  add(path: string, kind: EntryKind): string | null {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      const known = this.#kinds.get(parent);
      if (known === undefined) this.#kinds.set(parent, 'directory');
      else if (known !== 'directory')
        return `entry ${JSON.stringify(path)} lies below ${JSON.stringify(parent)}, which is no directory`;
    }
    const known = this.#kinds.get(path);
    if (known !== undefined && (known !== 'directory' || kind !== 'directory')) {
      return `entry ${JSON.stringify(path)} appears twice`;
    }
    this.#kinds.set(path, kind);
    return null;
  }

  /** Every directory, parents before their children. */
  get directories(): string[] {
    return [...this.#kinds].flatMap(([path, kind]) => (kind === 'directory' ? [path] : [])).sort();
  }
}
