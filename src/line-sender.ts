// Lines on their way from the data process to control, in batches off the requests' way. Made by request-log-sender.ts and output-sender.ts.
import type { Clock } from './base/clock.ts';

export type LineSenderOptions = {
  readonly clock: Clock;
  /** How long a line may wait, in ms. */
  readonly batchMs: number;
  /** Bytes that wait or are on their way; more are refused. */
  readonly waitingBytes: number;
  /** Sends whole lines; resolves when control has taken them. */
  readonly send: (lines: Buffer) => Promise<void>;
};

export class LineSender {
  readonly #options: LineSenderOptions;
  #text = '';
  #onTheWay = 0;
  #sending: Promise<void> = Promise.resolve();
  #isTimed = false;

  constructor(options: LineSenderOptions) {
    this.#options = options;
  }

  /** Nothing more is taken for now. */
  get isFull(): boolean {
    return this.#onTheWay + this.#text.length > this.#options.waitingBytes;
  }

  /** Takes a whole line, which the caller asked about. */
  add(line: string): void {
    this.#text += line;
    if (this.#isTimed) return;
    this.#isTimed = true;
    this.#options.clock.after(this.#options.batchMs, () => this.#sendBatch());
  }

  /** Resolves when what was added is with control. */
  async flush(): Promise<void> {
    this.#sendBatch();
    await this.#sending;
  }

  #sendBatch(): void {
    this.#isTimed = false;
    if (this.#text === '') return;
    const lines = Buffer.from(this.#text);
    this.#text = '';
    this.#onTheWay += lines.length;
    const arrived = () => {
      this.#onTheWay -= lines.length;
    };
    const sent = this.#options.send(lines).then(arrived, arrived); // When it fails, control has gone, and this process goes with it.
    this.#sending = Promise.all([this.#sending, sent]).then(() => {});
  }
}
