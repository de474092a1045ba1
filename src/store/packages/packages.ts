// Code packages as files: `<code>/<sha256>.zip` as uploaded, `<code>/<sha256>/` unpacked. The part of port.ts that store.ts hands on.
import { open, readFile, rm } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { mergedName } from '../../model/function.ts';
import type { PackageStore } from '../port.ts';
import { makePrivateDirectory } from '../sync-files.ts';
import type { PackageAnswers } from './jobs.ts';
import { zipPath } from './jobs.ts';
import { defaultPackageLimits, type PackageLimits } from './limits.ts';
import { temporaryPath, tidy } from './package-files.ts';
import { WorkerQueue } from './worker-queue.ts';

export type PackagesOptions = {
  readonly directory: string;
  readonly clock: Clock;
  readonly limits?: PackageLimits;
};

/** The packages of one data directory. */
export class Packages implements PackageStore {
  readonly directory: string;
  readonly #clock: Clock;
  readonly #limits: PackageLimits;
  readonly #worker: WorkerQueue;

  private constructor({ directory, clock, limits = defaultPackageLimits }: PackagesOptions) {
    this.directory = directory;
    this.#clock = clock;
    this.#limits = limits;
    this.#worker = new WorkerQueue(clock);
  }

  /** Makes the directory, removes leftovers, unpacks again what lacks its directory. Errors: Error for a damaged zip. */
  static async open(options: PackagesOptions): Promise<Packages> {
    const packages = new Packages(options);
    makePrivateDirectory(options.directory);
    try {
      for (const sha256 of tidy(options.directory)) {
        await packages.#worker.run({ kind: 'repair', sha256, code: packages.directory, limits: packages.#limits });
      }
    } catch (error) {
      await packages.close();
      throw error;
    }
    return packages;
  }

  async add(zip: Buffer): Promise<PackageAnswers['add']> {
    const { zipBytes } = this.#limits;
    if (zip.length > zipBytes) {
      return { ok: false, reason: 'too-large', message: `the zip has ${zip.length} bytes; ${zipBytes} are allowed` };
    }
    // Spooled by the thread pool, so that even a large zip is never copied on this thread.
    const spool = `${temporaryPath(this.directory)}.zip`;
    try {
      const handle = await open(spool, 'wx', 0o444);
      try {
        await handle.writeFile(zip);
      } finally {
        await handle.close();
      }
      return await this.#worker.run({
        kind: 'add',
        spool,
        code: this.directory,
        addedAt: this.#clock.now(),
        limits: this.#limits,
      });
    } finally {
      await rm(spool, { force: true });
    }
  }

  async merge(sha256s: readonly string[]): Promise<PackageAnswers['merge']> {
    const name = mergedName(sha256s);
    if (name === null || sha256s.length === 1) return { ok: true };
    const limits = this.#limits;
    return await this.#worker.run({
      kind: 'merge',
      name,
      sha256s,
      code: this.directory,
      addedAt: this.#clock.now(),
      limits,
    });
  }

  async read(sha256: string): Promise<Buffer | null> {
    if (!/^[0-9a-f]{64}$/.test(sha256)) return null;
    try {
      return await readFile(zipPath(this.directory, sha256));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
  }

  async sweep(inUse: ReadonlySet<string>, graceMs: number): Promise<number> {
    const addedBefore = this.#clock.now() - graceMs;
    return await this.#worker.run({ kind: 'sweep', code: this.directory, inUse, addedBefore });
  }

  async close(): Promise<void> {
    await this.#worker.close();
  }
}
