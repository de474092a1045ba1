// Hands the records of gateway requests from the data process to control as lines of the log, in batches off the requests' way.
import { LineSender, type LineSenderOptions } from './line-sender.ts';
import type { RequestRecord } from './model/record.ts';
import { createTimeWriter, writeLogLine } from './wire/request-log-line.ts';

export type RequestLogSenderOptions = LineSenderOptions & {
  /** Records in a second up to which each is kept; above it one of so many. */
  readonly fullRate: number;
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
  const { fullRate, onSampling } = options;
  const lines = new LineSender(options);
  const time = createTimeWriter();
  let second = 0;
  let seen = 0;
  let keepEvery = 1;
  let dropped = 0;
  let sampledOut = 0;

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
      if (lines.isFull) {
        dropped++;
        return;
      }
      lines.add(writeLogLine(record, time, keepEvery));
    },
    flush: () => lines.flush(),
    counts: () => ({ dropped, sampledOut }),
  };
}
