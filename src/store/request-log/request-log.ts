// The request log: every request (or a sample of them) in one stream, failed ones in another, so that a flood of good requests
// never drives out what `why` can tell. Opened by the composition; runs in the control process.
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import type { RequestQuery, RequestRecord } from '../../model/record.ts';
import { readIndexedMembers, readLogLine } from '../../wire/request-log-line.ts';
import { findOffsets, readLineAt } from './segment-index.ts';
import { ifThere, scanLimit, searchIn } from './segment-search.ts';
import { type Segment, type SegmentBounds, Segments } from './segments.ts';

export type RequestLogOptions = {
  readonly directory: string;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
  readonly bounds?: { readonly all?: Partial<SegmentBounds>; readonly failed?: Partial<SegmentBounds> };
};

const mb = 1024 * 1024;
const dayMs = 86_400_000;
const defaultBounds: Readonly<Record<'all' | 'failed', SegmentBounds>> = {
  all: { segmentBytes: 8 * mb, totalBytes: 256 * mb, ageMs: 7 * dayMs, waitingBytes: 16 * mb },
  failed: { segmentBytes: 4 * mb, totalBytes: 64 * mb, ageMs: 30 * dayMs, waitingBytes: 8 * mb },
};

export class RequestLog {
  readonly #all: Segments;
  readonly #failed: Segments;

  private constructor(all: Segments, failed: Segments) {
    this.#all = all;
    this.#failed = failed;
  }

  /** Errors: those of the disk. */
  static async open({ directory, clock, onError, bounds }: RequestLogOptions): Promise<RequestLog> {
    const common = { directory, clock, onError, read: readIndexedMembers };
    return new RequestLog(
      await Segments.open({ ...common, kind: 'all', bounds: { ...defaultBounds.all, ...bounds?.all } }),
      await Segments.open({ ...common, kind: 'failed', bounds: { ...defaultBounds.failed, ...bounds?.failed } }),
    );
  }

  /** Takes whole lines of requests; false when they are dropped. */
  append(lines: Buffer): boolean {
    return this.#all.append(lines);
  }

  /** The same for failed requests. */
  appendFailed(lines: Buffer): boolean {
    return this.#failed.append(lines);
  }

  /** The record of a request; null when it was not kept, or not until now. */
  async find(requestId: string): Promise<RequestRecord | null> {
    await this.#flush();
    for (const segment of [...this.#failed.list(), ...this.#all.list()]) {
      const record = await ifThere(() => findIn(segment, requestId));
      if (record !== null) return record;
    }
    return null;
  }

  /** The newest records that match, newest first. */
  async search(query: RequestQuery): Promise<RequestRecord[]> {
    await this.#flush();
    const found: RequestRecord[] = [];
    const select = (line: string) => {
      const record = readLogLine(line);
      return record !== null && matches(record, query) ? record : null;
    };
    for (const stream of [this.#failed, this.#all]) {
      const budget = { lines: scanLimit, found: query.limit };
      for (const segment of stream.list()) {
        if (!mayHold(segment, query)) continue;
        found.push(...((await ifThere(() => searchIn(segment, select, budget))) ?? []));
        if (budget.lines <= 0 || budget.found <= 0) break;
      }
    }
    return found.sort((left, right) => right.at - left.at).slice(0, query.limit);
  }

  /** Resolves when every closed file has its index. */
  async indexed(): Promise<void> {
    await Promise.all([this.#all.indexed(), this.#failed.indexed()]);
  }

  async close(): Promise<void> {
    await Promise.all([this.#all.close(), this.#failed.close()]);
  }

  async #flush(): Promise<void> {
    await Promise.all([this.#all.flush(), this.#failed.flush()]);
  }
}

async function findIn({ path, summary }: Segment, requestId: string): Promise<RequestRecord | null> {
  if (summary !== null) {
    for (const offset of await findOffsets(path, requestId)) {
      const record = readLogLine(await readLineAt(path, offset));
      if (record?.requestId === requestId) return record;
    }
    return null;
  }
  const bytes = await readFile(path);
  const needle = Buffer.from(`{"requestId":${JSON.stringify(requestId)},`);
  const start = bytes.indexOf(needle);
  if (start === -1) return null;
  const end = bytes.indexOf(10, start);
  return readLogLine(bytes.toString('utf8', start, end === -1 ? bytes.length : end));
}

function mayHold({ summary }: Segment, query: RequestQuery): boolean {
  if (summary === null) return true;
  const { since, until, apiId, appId, status } = query;
  if ((since !== null && summary.to < since) || (until !== null && summary.from >= until)) return false;
  if (apiId !== null && summary.apiIds !== null && !summary.apiIds.includes(apiId)) return false;
  if (appId !== null && summary.appIds !== null && !summary.appIds.includes(appId)) return false;
  return status === null || summary.statuses === null || summary.statuses.some((one) => isStatus(one, status));
}

/** `status`: 404, or a class as 4. */
function isStatus(status: number, asked: number): boolean {
  return asked < 10 ? Math.floor(status / 100) === asked : status === asked;
}

function matches(record: RequestRecord, query: RequestQuery): boolean {
  const { since, until, apiId, appId, functionName, status } = query;
  return (
    (since === null || record.at >= since) &&
    (until === null || record.at < until) &&
    (apiId === null || record.apiId === apiId) &&
    (appId === null || record.appId === appId) &&
    (functionName === null || record.functionName === functionName) &&
    (status === null || isStatus(record.status, status))
  );
}
