// Lines on their way to a file: those that come while some are written go together in the next write. Owned by the logs of this room.
import type { FileHandle } from 'node:fs/promises';

export type WriteQueueOptions = {
  /** Bytes that wait or are being written; more are dropped. */
  readonly waitingBytes: number;
  /** `bytes`: of them all. */
  readonly write: (lines: readonly Buffer[], bytes: number) => Promise<void>;
  /** Told what went wrong with the disk; what was to be written then is lost, and the queue goes on. */
  readonly onError: (error: unknown) => void;
};

const lineEnd = Buffer.from('\n');

export class WriteQueue {
  readonly #options: WriteQueueOptions;
  #waiting: Buffer[] = [];
  #bytes = 0;
  #writing: Promise<void> | null = null;
  /** The last write failed, perhaps in the middle of a line. */
  #isCut = false;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
  }

  /** Takes whole lines; false when they are dropped because too much waits. */
  append(lines: Buffer): boolean {
    if (this.#bytes + lines.length > this.#options.waitingBytes) return false;
    this.#waiting.push(lines);
    this.#bytes += lines.length;
    this.#writing ??= this.#write();
    return true;
  }

  /** Resolves when what was appended is written, or lost. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const taken = this.#waiting.reduce((sum, { length }) => sum + length, 0);
      const lines = this.#isCut ? [lineEnd, ...this.#waiting] : this.#waiting;
      this.#waiting = [];
      try {
        await this.#options.write(lines, this.#isCut ? taken + lineEnd.length : taken);
        this.#isCut = false;
      } catch (error) {
        this.#isCut = true;
        this.#options.onError(error);
      }
      this.#bytes -= taken;
    }
    this.#writing = null;
  }
}

/** Errors: those of the disk, a full one too. */
export async function writeAll(file: FileHandle, lines: readonly Buffer[], bytes: number): Promise<void> {
  const { bytesWritten } = await file.writev(lines);
  if (bytesWritten < bytes) throw new Error(`${bytesWritten} of ${bytes} bytes were written`);
}

/** Ends the line that a crash cut, so that it spoils no other. `file` is open for reading and appending; returns its size. */
export async function endCutLine(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  if (size === 0) return 0;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  if (buffer.equals(lineEnd)) return size;
  await file.appendFile(lineEnd);
  return size + 1;
}
