// One picture of what several data processes count: requests and functions of all together, each process by its name.
// Used by server.ts for /metrics.
import type { DataMetrics, Histogram, ProcessMetrics, RequestCounts, ServerMetrics } from './model/metrics.ts';

type Named = { readonly name: string; readonly metrics: DataMetrics };

export function joinMetrics(data: readonly Named[], control: ProcessMetrics): ServerMetrics {
  const all = data.map(({ metrics }) => metrics);
  const processes: Record<string, ProcessMetrics> = {};
  for (const { name, metrics } of data) processes[name] = metrics.process;
  return {
    requests: joinRequests(all.map(({ requests }) => requests)),
    triggers: joinRequests(all.map(({ triggers }) => triggers)),
    functions: {
      instances: all.map(({ functions }) => functions.instances).reduce(addRecords, {}),
      inFlight: sum(all.map(({ functions }) => functions.inFlight)),
      waiting: sum(all.map(({ functions }) => functions.waiting)),
      pools: sum(all.map(({ functions }) => functions.pools)),
      spares: sum(all.map(({ functions }) => functions.spares)),
    },
    log: { dropped: sum(all.map(({ log }) => log.dropped)), sampledOut: sum(all.map(({ log }) => log.sampledOut)) },
    processes: { ...processes, control },
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function addRecords(left: Readonly<Record<string, number>>, right: Readonly<Record<string, number>>) {
  const total: Record<string, number> = { ...left };
  for (const [name, number] of Object.entries(right)) total[name] = (total[name] ?? 0) + number;
  return total;
}

function addHistograms(left: Histogram, right: Histogram): Histogram {
  const counts = left.counts.map((count, bucket) => count + (right.counts[bucket] ?? 0));
  return { counts, sumMs: left.sumMs + right.sumMs };
}

function addCounts(left: RequestCounts, right: RequestCounts): RequestCounts {
  return {
    ...left,
    statuses: addRecords(left.statuses, right.statuses),
    total: addHistograms(left.total, right.total),
    backend: addHistograms(left.backend, right.backend),
    requestBytes: left.requestBytes + right.requestBytes,
    responseBytes: left.responseBytes + right.responseBytes,
  };
}

/** By API and stage, or by function and qualifier. Bounded: each process names its busiest only. */
function joinRequests(lists: readonly (readonly RequestCounts[])[]): RequestCounts[] {
  const joined = new Map<string, RequestCounts>();
  for (const counts of lists.flat()) {
    const key = `${counts.apiId ?? counts.functionName} ${counts.stage ?? counts.qualifier}`;
    const known = joined.get(key);
    joined.set(key, known === undefined ? counts : addCounts(known, counts));
  }
  return [...joined.values()];
}
