// Uploaded objects as files: `<uploads>/<sha256 of the name>.object`. The part of port.ts that store.ts hands on.
import { createHash } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { randomHex } from '../base/ids.ts';
import type { UploadStore } from './port.ts';
import { makePrivateDirectory } from './sync-files.ts';

export type UploadLimits = {
  /** Objects kept, those being written included. */
  readonly objects: number;
  /** How long an object can be used, in ms. */
  readonly ageMs: number;
};

const defaultUploadLimits: UploadLimits = { objects: 64, ageMs: 60 * 60 * 1000 };
const temporaryPrefix = 'tmp-';
const objectSuffix = '.object';

export type UploadsOptions = {
  readonly directory: string;
  readonly clock: Clock;
  readonly limits?: UploadLimits;
};

type Put = Awaited<ReturnType<UploadStore['put']>>;
type Rules = Parameters<UploadStore['put']>[2];

/** The objects of one data directory. */
export class Uploads implements UploadStore {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #limits: UploadLimits;
  #writing = 0;

  private constructor({ directory, clock, limits = defaultUploadLimits }: UploadsOptions) {
    this.#directory = directory;
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Makes the directory; removes what an end in the middle of an upload left, and what is too old. */
  static async open(options: UploadsOptions): Promise<Uploads> {
    makePrivateDirectory(options.directory);
    for (const name of readdirSync(options.directory)) {
      if (name.startsWith(temporaryPrefix)) rmSync(join(options.directory, name), { force: true });
    }
    const uploads = new Uploads(options);
    await uploads.sweep();
    return uploads;
  }

  async put(name: string, content: AsyncIterable<Uint8Array>, rules: Rules): Promise<Put> {
    // Counted before anything is awaited: so many at once can never pass the limit together.
    this.#writing += 1;
    try {
      if (!(await this.#hasRoom())) return { ok: false, reason: 'no-room' };
      return await this.#write(name, content, rules);
    } finally {
      this.#writing -= 1;
    }
  }

  async read(name: string): Promise<Buffer | null> {
    try {
      const path = this.#pathOf(name);
      if (this.#isTooOld((await stat(path)).mtimeMs)) return null;
      return await readFile(path);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async sweep(): Promise<number> {
    let removed = 0;
    for (const path of await this.#objects()) {
      try {
        if (!this.#isTooOld((await stat(path)).mtimeMs)) continue;
        await rm(path);
        removed += 1;
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    }
    return removed;
  }

  async #hasRoom(): Promise<boolean> {
    const isFull = async () => (await this.#objects()).length + this.#writing > this.#limits.objects;
    if (!(await isFull())) return true;
    await this.sweep();
    return !(await isFull());
  }

  /** Bytes synced under a temporary name, renamed, name synced. */
  async #write(name: string, content: AsyncIterable<Uint8Array>, { md5: wanted, limitBytes }: Rules): Promise<Put> {
    const temporary = join(this.#directory, `${temporaryPrefix}${randomHex(8)}`);
    const hash = createHash('md5');
    let sizeBytes = 0;
    try {
      const handle = await open(temporary, 'wx', 0o600);
      try {
        for await (const chunk of content) {
          sizeBytes += chunk.length;
          if (sizeBytes > limitBytes) return { ok: false, reason: 'too-large' };
          hash.update(chunk);
          await handle.writeFile(chunk);
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      const md5 = hash.digest('base64');
      if (wanted !== null && wanted !== md5) return { ok: false, reason: 'wrong-digest' };
      const now = this.#clock.now() / 1000;
      await utimes(temporary, now, now);
      await rename(temporary, this.#pathOf(name));
      await this.#syncNames();
      return { ok: true, md5, sizeBytes };
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #syncNames(): Promise<void> {
    const handle = await open(this.#directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async #objects(): Promise<string[]> {
    const names = await readdir(this.#directory);
    return names.filter((name) => name.endsWith(objectSuffix)).map((name) => join(this.#directory, name));
  }

  #isTooOld(mtimeMs: number): boolean {
    return mtimeMs < this.#clock.now() - this.#limits.ageMs;
  }

  #pathOf(name: string): string {
    return join(this.#directory, `${createHash('sha256').update(name).digest('hex')}${objectSuffix}`);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
