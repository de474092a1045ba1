// What the control thread asks of the package worker, and how the files lie. Used by packages.ts and packages-worker.ts.
import { join } from 'node:path';
import type { CodePackage, PackageRefusal } from '../port.ts';
import type { PackageLimits } from './limits.ts';

/** Paths absolute, times in epoch ms, hashes in lower-case hex. */
export type PackageJob =
  | {
      readonly kind: 'add';
      readonly spool: string;
      readonly code: string;
      readonly addedAt: number;
      readonly limits: PackageLimits;
    }
  | {
      readonly kind: 'merge';
      readonly name: string;
      readonly sha256s: readonly string[];
      readonly code: string;
      readonly addedAt: number;
      readonly limits: PackageLimits;
    }
  | { readonly kind: 'repair'; readonly sha256: string; readonly code: string; readonly limits: PackageLimits }
  | {
      readonly kind: 'sweep';
      readonly code: string;
      readonly inUse: ReadonlySet<string>;
      readonly addedBefore: number;
    };

export type PackageAnswers = {
  readonly add: ({ readonly ok: true } & CodePackage) | PackageRefusal;
  readonly merge: { readonly ok: true } | PackageRefusal;
  readonly repair: null;
  /** How many packages were removed. */
  readonly sweep: number;
};
export type PackageAnswer = PackageAnswers[keyof PackageAnswers];

/** Everything unfinished in the code directory begins so, and is removed at the next open. */
export const temporaryPrefix = 'tmp-';

export function zipPath(code: string, sha256: string): string {
  return join(code, `${sha256}.zip`);
}

/** The unpacked package. It exists only whole. */
export function unpackedPath(code: string, sha256: string): string {
  return join(code, sha256);
}

/** The name of a stored zip without `.zip`; null for anything else. */
export function sha256OfZip(name: string): string | null {
  return /^([0-9a-f]{64})\.zip$/.exec(name)?.[1] ?? null;
}

/** A directory made of several packages: mergedName(). It exists only whole. */
export function isMergedName(name: string): boolean {
  return /^layers-[0-9a-f]{64}$/.test(name);
}
