// Counts requests by API and stage, or by function and qualifier. One of each in each data process, fed with every finished
// request's record.
import { latencyBucketsMs, type RequestCounts } from './model/metrics.ts';
import type { RequestRecord } from './model/record.ts';

/** APIs (in a stage) or functions with counts of their own; the rest is counted together. Source: design. */
const namedLimit = 200;
/** APIs that are watched for being busier than a named one. */
const watchedLimit = 2_000;
/** How often the busiest are chosen anew; ms. */
const choiceMs = 60_000;

type Place = Pick<RequestRecord, 'apiId' | 'stage' | 'groupId' | 'functionName' | 'qualifier'>;
const nowhere: Place = { apiId: null, stage: null, groupId: null, functionName: null, qualifier: null };

/** The mutable form of RequestCounts. `recent`: requests since the last choice. */
class Counts {
  readonly #of: Place;
  readonly #statuses = new Map<number, number>();
  readonly #total = new Array<number>(latencyBucketsMs.length + 1).fill(0);
  readonly #backend = new Array<number>(latencyBucketsMs.length + 1).fill(0);
  #totalMs = 0;
  #backendMs = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  recent = 0;

  constructor({ apiId, stage, groupId, functionName, qualifier }: Place) {
    this.#of = { apiId, stage, groupId, functionName, qualifier };
  }

  add(record: RequestRecord): void {
    this.recent++;
    this.#statuses.set(record.status, (this.#statuses.get(record.status) ?? 0) + 1);
    count(this.#total, record.totalMs);
    this.#totalMs += record.totalMs;
    if (record.backendMs !== null) {
      count(this.#backend, record.backendMs);
      this.#backendMs += record.backendMs;
    }
    this.#requestBytes += record.requestBytes ?? 0;
    this.#responseBytes += record.responseBytes ?? 0;
  }

  /** Takes in what another has counted. */
  addAll(other: Counts): void {
    for (const [status, times] of other.#statuses) {
      this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + times);
    }
    other.#total.forEach((times, bucket) => {
      this.#total[bucket] = (this.#total[bucket] ?? 0) + times;
    });
    other.#backend.forEach((times, bucket) => {
      this.#backend[bucket] = (this.#backend[bucket] ?? 0) + times;
    });
    this.#totalMs += other.#totalMs;
    this.#backendMs += other.#backendMs;
    this.#requestBytes += other.#requestBytes;
    this.#responseBytes += other.#responseBytes;
  }

  read(): RequestCounts {
    return {
      ...this.#of,
      statuses: Object.fromEntries(this.#statuses),
      total: { counts: [...this.#total], sumMs: this.#totalMs },
      backend: { counts: [...this.#backend], sumMs: this.#backendMs },
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
    };
  }
}

function count(counts: number[], ms: number): void {
  let bucket = 0;
  while (bucket < latencyBucketsMs.length && ms > (latencyBucketsMs[bucket] ?? 0)) bucket++;
  counts[bucket] = (counts[bucket] ?? 0) + 1;
}

const defaults = { named: namedLimit, watched: watchedLimit };

export class RequestMetrics {
  readonly #limits: { readonly named: number; readonly watched: number };
  readonly #named = new Map<string, Counts>();
  readonly #other = new Counts(nowhere);
  /** Requests since the last choice of APIs that are not named. */
  #watched = new Map<string, number>();
  #chosenAt = 0;

  /** What is counted together: null for what reached no API or function. */
  readonly #placeOf: (record: RequestRecord) => string | null;

  private constructor(placeOf: (record: RequestRecord) => string | null, limits: typeof defaults) {
    this.#placeOf = placeOf;
    this.#limits = limits;
  }

  static ofApis(limits = defaults): RequestMetrics {
    return new RequestMetrics(
      ({ apiId, stage }) => (apiId === null || stage === null ? null : `${apiId}/${stage}`),
      limits,
    );
  }

  static ofFunctions(limits = defaults): RequestMetrics {
    return new RequestMetrics(
      ({ functionName, qualifier }) => (functionName === null ? null : `${functionName}@${qualifier}`),
      limits,
    );
  }

  add(record: RequestRecord): void {
    const place = this.#placeOf(record);
    if (place === null) {
      this.#other.add(record);
      return;
    }
    const named = this.#named.get(place);
    if (named !== undefined) named.add(record);
    else this.#addUnnamed(record, place);
    if (record.at - this.#chosenAt >= choiceMs) this.#choose(record.at);
  }

  #addUnnamed(record: RequestRecord, place: string): void {
    const recent = (this.#watched.get(place) ?? 0) + 1;
    if (this.#named.size < this.#limits.named) {
      const counts = new Counts(record);
      this.#named.set(place, counts);
      counts.add(record);
      return;
    }
    if (recent > 1 || this.#watched.size < this.#limits.watched) this.#watched.set(place, recent);
    this.#other.add(record);
  }

  /** What was busier than a named API in the last while gets its place. A count never goes down: the other's go to the rest. */
  #choose(at: number): void {
    this.#chosenAt = at;
    const idle = [...this.#named].sort(([, left], [, right]) => left.recent - right.recent);
    const busy = [...this.#watched].sort(([, left], [, right]) => right - left);
    for (const [at, [, recent]] of busy.entries()) {
      const [place, counts] = idle[at] ?? ['', null];
      if (counts === null || counts.recent >= recent) break;
      this.#other.addAll(counts);
      this.#named.delete(place); // The busier one is named with its next request.
    }
    for (const counts of this.#named.values()) counts.recent = 0;
    this.#watched = new Map();
  }

  /** The named ones, then the rest. */
  read(): RequestCounts[] {
    return [...[...this.#named.values()].map((counts) => counts.read()), this.#other.read()];
  }
}
