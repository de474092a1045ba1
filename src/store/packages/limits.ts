// How large a code package may be, and how it is refused. Used by unpack.ts and its parts.
import type { PackageRefusal } from '../port.ts';

/** Sizes in bytes; counted on what is really there, not on what the zip says. */
export type PackageLimits = {
  readonly zipBytes: number;
  readonly unpackedBytes: number;
  readonly entries: number;
  /** Of several packages put over each other. */
  readonly mergedBytes: number;
};

/** Source: docs (100 MB zip and 500 MB unpacked by the API, 2 GB for layers together); entries: ours. */
export const defaultPackageLimits: PackageLimits = {
  zipBytes: 100 * 1024 * 1024,
  unpackedBytes: 500 * 1024 * 1024,
  entries: 100_000,
  mergedBytes: 2 * 1024 * 1024 * 1024,
};

/** Stops the unpacking; becomes a PackageRefusal in the worker's answer. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly reason: PackageRefusal['reason'];

  constructor(reason: PackageRefusal['reason'], message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}
