// Hands the records of failed requests from the data process to control, bounded in rate.
import type { Clock } from './base/clock.ts';
import type { RequestRecord } from './model/record.ts';

/**
 * Reports a failure at once, so that `why` knows it as soon as the caller does; successes are not reported.
 * Above `perSecond` records in a second the rest are counted; the last of them goes out when the second is over, with the count
 * of the others, so that a burst is told of also when nothing follows it.
 */
export function createFailureReporter(
  clock: Clock,
  perSecond: number,
  send: (record: RequestRecord, dropped: number) => void,
): (record: RequestRecord) => void {
  let second = 0;
  let sent = 0;
  let dropped = 0;
  let lastDropped: RequestRecord | null = null;
  const begin = () => {
    const current = Math.floor(clock.now() / 1000);
    if (current === second) return;
    second = current;
    sent = 0;
  };
  const sendLast = () => {
    begin();
    const record = lastDropped;
    lastDropped = null;
    if (record === null) return;
    sent++;
    send(record, dropped - 1);
    dropped = 0;
  };
  return (record) => {
    if (record.failure === null) return;
    begin();
    if (sent < perSecond) {
      sent++;
      send(record, dropped);
      dropped = 0;
      lastDropped = null;
      return;
    }
    if (lastDropped === null) clock.after(1_000 - (clock.now() % 1_000), sendLast);
    dropped++;
    lastDropped = record;
  };
}
