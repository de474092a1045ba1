// Hands the records of failed requests from the data process to control, a few at a time and bounded in rate.
import type { Clock } from './base/clock.ts';
import type { RequestRecord } from './model/record.ts';

/** How long a record waits for others, ms: each batch wakes control up, writes a file and lines to people. */
const batchMs = 20;

export type FailureReporter = {
  /** Successes are not reported. */
  report(record: RequestRecord): void;
  /** What waits goes out. */
  flush(): void;
};

/**
 * Reports failures soon; who asks for one sooner has them flushed.
 * Above `perSecond` records in a second the rest are counted; the last of them goes out when the second is over, with the count
 * of the others, so that a burst is told of also when nothing follows it.
 */
export function createFailureReporter(
  clock: Clock,
  perSecond: number,
  send: (records: readonly RequestRecord[], dropped: number) => void,
): FailureReporter {
  let second = 0;
  let taken = 0;
  let dropped = 0;
  let lastDropped: RequestRecord | null = null;
  let waiting: RequestRecord[] = [];
  const begin = () => {
    const current = Math.floor(clock.now() / 1000);
    if (current === second) return;
    second = current;
    taken = 0;
  };
  const flush = () => {
    if (waiting.length === 0) return;
    const records = waiting;
    const count = dropped;
    waiting = [];
    dropped = 0;
    send(records, count);
  };
  const take = (record: RequestRecord) => {
    taken++;
    lastDropped = null;
    if (waiting.push(record) === 1) clock.after(batchMs, flush);
  };
  const takeLast = () => {
    begin();
    if (lastDropped === null) return;
    dropped--;
    take(lastDropped);
    flush();
  };
  return {
    report(record) {
      if (record.failure === null) return;
      begin();
      if (taken < perSecond) {
        take(record);
        return;
      }
      if (lastDropped === null) clock.after(1_000 - (clock.now() % 1_000), takeLast);
      dropped++;
      lastDropped = record;
    },
    flush,
  };
}
