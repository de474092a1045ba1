// Hands the records of failed gateway requests from the data process to control, bounded in rate.
import type { Clock } from './base/clock.ts';
import type { RequestRecord } from './model/record.ts';

/**
 * Reports a failure at once, so that `why` knows it as soon as the caller does; successes are not reported.
 * Above `perSecond` records in a second the rest are counted, and the count goes with the next second's first.
 */
export function createFailureReporter(
  clock: Clock,
  perSecond: number,
  send: (record: RequestRecord, dropped: number) => void,
): (record: RequestRecord) => void {
  let second = 0;
  let sent = 0;
  let dropped = 0;
  return (record) => {
    if (record.failure === null) return;
    const current = Math.floor(clock.now() / 1000);
    if (current !== second) {
      second = current;
      sent = 0;
    }
    if (sent >= perSecond) {
      dropped++;
      return;
    }
    sent++;
    send(record, dropped);
    dropped = 0;
  };
}
