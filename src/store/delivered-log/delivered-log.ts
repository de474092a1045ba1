// One log store on disk: `<logstore>.jsonl`, written at its end, and the files before it, `.1` the newest. For programs that follow
// files by name, so the one that is written always has the same. Opened by the composition, for what CreateLogConfig names.
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { logstoreName, projectName } from '../../wire/log-store-names.ts';
import { endCutLine, WriteQueue, writeAll } from '../write-queue.ts';

export type DeliveredLogBounds = {
  /** A file of this size is set aside, in bytes. */
  readonly fileBytes: number;
  /** Files that are kept, with the one that is written. */
  readonly files: number;
  /** Bytes that wait for the disk; more are dropped. */
  readonly waitingBytes: number;
};

const mb = 1024 * 1024;
export const deliveredLogBounds: DeliveredLogBounds = { fileBytes: 16 * mb, files: 8, waitingBytes: 8 * mb };

export type DeliveredLogOptions = {
  /** Of all projects. */
  readonly directory: string;
  readonly project: string;
  readonly logstore: string;
  /** Told what went wrong with the disk; the log goes on as far as it can. */
  readonly onError: (error: unknown) => void;
  readonly bounds?: Partial<DeliveredLogBounds>;
};

export class DeliveredLog {
  readonly #path: string;
  readonly #bounds: DeliveredLogBounds;
  #file: FileHandle;
  #bytes: number;
  readonly #queue: WriteQueue;

  private constructor(path: string, file: FileHandle, bytes: number, options: DeliveredLogOptions) {
    this.#path = path;
    this.#file = file;
    this.#bytes = bytes;
    this.#bounds = { ...deliveredLogBounds, ...options.bounds };
    const { waitingBytes } = this.#bounds;
    this.#queue = new WriteQueue({
      waitingBytes,
      write: (lines, bytes) => this.#write(lines, bytes),
      onError: options.onError,
    });
  }

  /** Goes on with the file that is there. Errors: those of the disk; a name that is none is a bug of the caller. */
  static async open(options: DeliveredLogOptions): Promise<DeliveredLog> {
    const { directory, project, logstore } = options;
    if (!projectName.test(project) || !logstoreName.test(logstore)) throw new Error('not the name of a log store');
    await mkdir(join(directory, project), { recursive: true, mode: 0o700 });
    const path = join(directory, project, `${logstore}.jsonl`);
    const file = await openForAppend(path);
    return new DeliveredLog(path, file, await endCutLine(file), options);
  }

  /** Takes whole lines; false when they are dropped because too much waits for the disk. */
  append(lines: Buffer): boolean {
    return this.#queue.append(lines);
  }

  /** Resolves when what was appended is in the file. */
  flush(): Promise<void> {
    return this.#queue.flush();
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#file.close();
  }

  async #write(lines: readonly Buffer[], bytes: number): Promise<void> {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#bounds.fileBytes) await this.#rotate();
    await writeAll(this.#file, lines, bytes);
    this.#bytes += bytes;
  }

  async #rotate(): Promise<void> {
    const last = this.#bounds.files - 1;
    if (last === 0) await rm(this.#path, { force: true });
    else await rm(`${this.#path}.${last}`, { force: true });
    for (let number = last - 1; number >= 0; number--) {
      await renameIfThere(number === 0 ? this.#path : `${this.#path}.${number}`, `${this.#path}.${number + 1}`);
    }
    const next = await openForAppend(this.#path);
    await this.#file.close();
    this.#file = next;
    this.#bytes = (await next.stat()).size;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

function openForAppend(path: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  return open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
}
