// Hands what functions print from the data process to control as lines of the log of output: masked, and no more than there is room for.
// Where nobody prints nothing of it runs.
import type { Clock } from './base/clock.ts';
import { isSecretName } from './base/secret-names.ts';
import type { LogLine } from './functions/index.ts';
import { LineSender, type LineSenderOptions } from './line-sender.ts';
import { maskPrinted } from './wire/masked-text.ts';
import { writeOutputLine } from './wire/output-line.ts';

export type OutputSenderOptions = LineSenderOptions & {
  readonly clock: Clock;
  /** Characters that are kept of one second, of one function and of all. */
  readonly perSecond: { readonly ofFunction: number; readonly inAll: number };
  /** Told once when control does not take what is sent, until it does again. */
  readonly onFull: () => void;
};

export type OutputSender = {
  add(line: LogLine): void;
  /** Resolves when what was added is with control. */
  flush(): Promise<void>;
};

/** What the bootstraps write around a request. */
const marker = /^FC (?:Invoke|Initialize|PreFreeze|PreStop|Hook) (?:Start|End) RequestId: /;

export function createOutputSender(options: OutputSenderOptions): OutputSender {
  const { clock, perSecond, onFull } = options;
  const lines = new LineSender(options);
  let second = 0;
  let inAll = 0;
  /** Characters of this second, by function. */
  const ofFunction = new Map<string, number>();
  let isFull = false;

  const beginSecond = (now: number): void => {
    second = now;
    inAll = 0;
    ofFunction.clear();
  };

  /** 'last': this one does not fit any more, of which one line tells. */
  const room = (functionName: string, size: number): 'fits' | 'last' | 'none' => {
    const used = ofFunction.get(functionName) ?? 0;
    if (used > perSecond.ofFunction) return 'none';
    const fits = used + size <= perSecond.ofFunction && inAll + size <= perSecond.inAll;
    ofFunction.set(functionName, fits ? used + size : Number.POSITIVE_INFINITY);
    if (fits) inAll += size;
    return fits ? 'fits' : 'last';
  };

  return {
    add({ functionKey: functionName, instanceId, requestId, text }) {
      if (marker.test(text)) return;
      const at = clock.now();
      if (Math.floor(at / 1000) !== second) beginSecond(Math.floor(at / 1000));
      const found = room(functionName, text.length);
      if (found === 'none') return;
      if (lines.isFull) {
        if (!isFull) onFull();
        isFull = true;
        return;
      }
      isFull = false;
      const kept =
        found === 'fits'
          ? maskPrinted(text, isSecretName)
          : `(more was printed in a second than is kept, ${perSecond.ofFunction} characters of a function and ${perSecond.inAll} of all: the rest of the second is left out)`;
      lines.add(writeOutputLine({ requestId, at, functionName, instanceId, text: kept }));
    },
    flush: () => lines.flush(),
  };
}
