// Hands the records of gateway requests from the data process to control as lines of the log, in batches off the requests' way.
import type { Clock } from './base/clock.ts';
import type { RequestRecord } from './model/record.ts';
import { createTimeWriter, writeLogLine } from './wire/request-log-line.ts';

export type RequestLogSenderOptions = {
  readonly clock: Clock;
  /** Records in a second up to which each is kept; above it one of so many. */
  readonly fullRate: number;
  /** How long a record may wait, in ms. */
  readonly batchMs: number;
  /** Bytes that wait or are on their way; more are dropped. */
  readonly waitingBytes: number;
  /** Sends whole lines; resolves when control has taken them. */
  readonly send: (lines: Buffer) => Promise<void>;
  /** Told when sampling begins, changes or ends: one of `keepEvery` is kept. */
  readonly onSampling: (keepEvery: number) => void;
};

export type RequestLogSender = {
  add(record: RequestRecord): void;
  /** Resolves when what was added is with control. */
  flush(): Promise<void>;
  counts(): { readonly dropped: number; readonly sampledOut: number };
};

/**
 * Sampling goes by the rate of the second before: one of every ceil(rate / fullRate) is kept, and its line says for how many
 * it stands (`weight`). Bound: `waitingBytes`.
 */
export function createRequestLogSender(options: RequestLogSenderOptions): RequestLogSender {
  const { clock, fullRate, batchMs, waitingBytes, send, onSampling } = options;
  const time = createTimeWriter();
  let text = '';
  let onTheWay = 0;
  let sending: Promise<void> = Promise.resolve();
  let isTimed = false;
  let second = 0;
  let seen = 0;
  let keepEvery = 1;
  let dropped = 0;
  let sampledOut = 0;

  const sendBatch = (): void => {
    isTimed = false;
    if (text === '') return;
    const lines = Buffer.from(text);
    text = '';
    onTheWay += lines.length;
    const arrived = () => {
      onTheWay -= lines.length;
    };
    const sent = send(lines).then(arrived, arrived); // When it fails, control has gone, and this process goes with it.
    sending = Promise.all([sending, sent]).then(() => {});
  };

  const beginSecond = (now: number): void => {
    const wanted = now === second + 1 ? Math.max(1, Math.ceil(seen / fullRate)) : 1;
    second = now;
    seen = 0;
    if (wanted !== keepEvery) {
      keepEvery = wanted;
      onSampling(wanted);
    }
  };

  return {
    add(record) {
      const now = Math.floor(record.at / 1000);
      if (now > second) beginSecond(now);
      if (seen++ % keepEvery !== 0) {
        sampledOut++;
        return;
      }
      if (onTheWay + text.length > waitingBytes) {
        dropped++;
        return;
      }
      text += writeLogLine(record, time, keepEvery);
      if (isTimed) return;
      isTimed = true;
      clock.after(batchMs, sendBatch);
    },
    async flush() {
      sendBatch();
      await sending;
    },
    counts: () => ({ dropped, sampledOut }),
  };
}
