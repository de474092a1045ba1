// The log of what functions print: a stream of files beside those of requests, with the id of the request in each line. Opened by the
// composition; runs in the control process.
import type { Clock } from '../../base/clock.ts';
import type { OutputLine, OutputQuery } from '../../model/output.ts';
import { functionMember, readIndexedOutput, readOutputLine } from '../../wire/output-line.ts';
import { findOffsets } from './segment-index.ts';
import { ifThere, scanLimit, searchIn } from './segment-search.ts';
import { type Segment, type SegmentBounds, Segments } from './segments.ts';

export type OutputLogOptions = {
  readonly directory: string;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
  readonly bounds?: Partial<SegmentBounds>;
};

const mb = 1024 * 1024;
const defaultBounds: SegmentBounds = {
  segmentBytes: 4 * mb,
  totalBytes: 64 * mb,
  ageMs: 7 * 86_400_000,
  waitingBytes: 8 * mb,
};

const noRequest = { status: null, apiId: null, appId: null };

export class OutputLog {
  readonly #lines: Segments;

  private constructor(lines: Segments) {
    this.#lines = lines;
  }

  /** Errors: those of the disk. */
  static async open({ bounds, ...options }: OutputLogOptions): Promise<OutputLog> {
    const read = (line: string) => {
      const found = readIndexedOutput(line);
      return found === null ? null : { ...found, ...noRequest };
    };
    return new OutputLog(
      await Segments.open({ ...options, kind: 'output', bounds: { ...defaultBounds, ...bounds }, read }),
    );
  }

  /** Takes whole lines; false when they are dropped. */
  append(lines: Buffer): boolean {
    return this.#lines.append(lines);
  }

  /** The newest lines that match, newest first; of one time the last one printed first. */
  async search(query: OutputQuery): Promise<OutputLine[]> {
    await this.#lines.flush();
    const member = query.functionName === null ? null : functionMember(query.functionName);
    const select = (text: string) => {
      if (member !== null && !text.includes(member)) return null;
      const line = readOutputLine(text);
      return line !== null && matches(line, query) ? line : null;
    };
    const found: OutputLine[] = [];
    const budget = { lines: scanLimit, found: query.limit };
    for (const segment of this.#lines.list()) {
      if (!(await ifThere(() => mayHold(segment, query)))) continue;
      found.push(...((await ifThere(() => searchIn(segment, select, budget))) ?? []));
      if (budget.lines <= 0 || budget.found <= 0) break;
    }
    return found;
  }

  /** Resolves when every closed file has its index. */
  indexed(): Promise<void> {
    return this.#lines.indexed();
  }

  close(): Promise<void> {
    return this.#lines.close();
  }
}

async function mayHold({ summary, path }: Segment, { since, until, requestId }: OutputQuery): Promise<boolean> {
  if (summary === null) return true;
  if ((since !== null && summary.to < since) || (until !== null && summary.from >= until)) return false;
  return requestId === null || (await findOffsets(path, requestId)).length > 0;
}

function matches(line: OutputLine, { functionName, requestId, since, until }: OutputQuery): boolean {
  return (
    (functionName === null || line.functionName === functionName) &&
    (requestId === null || line.requestId === requestId) &&
    (since === null || line.at >= since) &&
    (until === null || line.at < until)
  );
}
