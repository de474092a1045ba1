// What functions print, in control: goes to the log of output, and to whoever watches it. server.ts makes it; outlets.ts gives it the lines.
import { systemClock } from './base/clock.ts';
import type { Log } from './base/log.ts';
import type { OutputLine, OutputQuery } from './model/output.ts';
import { OutputLog } from './store/index.ts';
import { readOutputLine } from './wire/output-line.ts';

export type OutputKeeperOptions = {
  readonly directory: string;
  readonly log: Log;
  /** Told each line as it comes; null: nobody watches. */
  readonly show: ((line: OutputLine) => void) | null;
};

export class OutputKeeper {
  readonly #options: OutputKeeperOptions;
  /** Rejects with the error of the disk where it cannot be kept. */
  readonly opened: Promise<OutputLog>;

  constructor(options: OutputKeeperOptions) {
    this.#options = options;
    const { directory, log } = options;
    this.opened = OutputLog.open({
      directory,
      clock: systemClock,
      onError: (error) => log.error('the log of what functions print cannot be written', { error: String(error) }),
    });
    this.opened.catch(() => {}); // Told by whoever awaits it, perhaps after another failure.
  }

  /** Takes whole lines of the log of output. */
  async take(lines: Buffer): Promise<void> {
    const { show, log } = this.#options;
    if (show !== null) {
      for (const text of lines.toString().split('\n')) {
        const line = readOutputLine(text);
        if (line !== null) show(line);
      }
    }
    const isTaken = (await this.opened).append(lines);
    if (!isTaken) log.warn('what functions printed was not logged, the disk is too slow');
  }

  async search(query: OutputQuery): Promise<OutputLine[]> {
    return (await this.opened).search(query);
  }

  async close(): Promise<void> {
    await (await this.opened).close();
  }
}
