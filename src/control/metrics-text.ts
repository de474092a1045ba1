// Metrics in the text format that Prometheus reads. Own lines instead of a client library: what is counted lies in the data
// process, where no library may be (prom-client costs 16 MB), and only the writing of the text is left here.
import {
  type Histogram,
  latencyBucketsMs,
  type ProcessMetrics,
  type RequestCounts,
  type ServerMetrics,
} from '../model/metrics.ts';

type Labels = Readonly<Record<string, string>>;

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

function family(name: string, type: 'counter' | 'gauge' | 'histogram', help: string, lines: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines}`;
}

/** Of the APIs that have no counts of their own, and of requests that reached none. */
const rest = 'other';

function labelsOf({ apiId, stage, groupId }: RequestCounts): Labels {
  return { api: apiId ?? rest, stage: stage ?? rest, group: groupId ?? rest };
}

/** Bounds and sums in seconds; the buckets summed up, as the format wants them. */
function histogramLines(name: string, labels: Labels, { counts, sumMs }: Histogram): string {
  let text = '';
  let soFar = 0;
  for (const [bucket, bound] of latencyBucketsMs.entries()) {
    soFar += counts[bucket] ?? 0;
    text += line(`${name}_bucket`, { ...labels, le: String(bound / 1000) }, soFar);
  }
  soFar += counts[latencyBucketsMs.length] ?? 0;
  text += line(`${name}_bucket`, { ...labels, le: '+Inf' }, soFar);
  return text + line(`${name}_sum`, labels, sumMs / 1000) + line(`${name}_count`, labels, soFar);
}

function requestFamilies(requests: readonly RequestCounts[]): string {
  const each = (write: (counts: RequestCounts, labels: Labels) => string) =>
    requests.map((counts) => write(counts, labelsOf(counts))).join('');
  const statuses = each((counts, labels) =>
    Object.entries(counts.statuses)
      .map(([status, times]) => line('yunmen_requests_total', { ...labels, status }, times))
      .join(''),
  );
  const duration = 'yunmen_request_duration_seconds';
  const backend = 'yunmen_backend_duration_seconds';
  const received = 'yunmen_request_bytes_total';
  const sent = 'yunmen_response_bytes_total';
  return (
    family('yunmen_requests_total', 'counter', 'Gateway requests by API, stage and status.', statuses) +
    family(
      duration,
      'histogram',
      'From the arrival of a request to its answer.',
      each((counts, labels) => histogramLines(duration, labels, counts.total)),
    ) +
    family(
      backend,
      'histogram',
      'How long backends took.',
      each((counts, labels) => histogramLines(backend, labels, counts.backend)),
    ) +
    family(
      received,
      'counter',
      'Bytes of request bodies.',
      each((counts, labels) => line(received, labels, counts.requestBytes)),
    ) +
    family(
      sent,
      'counter',
      'Bytes of answers, where they are known.',
      each((counts, labels) => line(sent, labels, counts.responseBytes)),
    )
  );
}

function processFamilies(processes: Readonly<Record<string, ProcessMetrics>>): string {
  const each = (name: string, value: (metrics: ProcessMetrics) => number) =>
    Object.entries(processes)
      .map(([process, metrics]) => line(name, { process }, value(metrics)))
      .join('');
  const delays = Object.entries(processes)
    .flatMap(([process, { loopDelay }]) =>
      (
        [
          ['0.5', loopDelay.p50Ms],
          ['0.99', loopDelay.p99Ms],
          ['1', loopDelay.maxMs],
        ] as const
      ).map(([quantile, ms]) => line('yunmen_event_loop_delay_seconds', { process, quantile }, ms / 1000)),
    )
    .join('');
  return (
    family(
      'yunmen_process_resident_bytes',
      'gauge',
      'Memory of our processes.',
      each('yunmen_process_resident_bytes', (one) => one.rssBytes),
    ) +
    family(
      'yunmen_process_cpu_seconds_total',
      'counter',
      'Processor time of our processes.',
      each('yunmen_process_cpu_seconds_total', (one) => one.cpuSeconds),
    ) +
    family(
      'yunmen_event_loop_delay_seconds',
      'gauge',
      'How late the turns of event loops were since the last look.',
      delays,
    )
  );
}

/** The whole page. */
export function writeMetrics(data: ServerMetrics): string {
  const instances = Object.entries(data.functions.instances)
    .map(([state, count]) => line('yunmen_instances', { state }, count))
    .join('');
  return (
    requestFamilies(data.requests) +
    family('yunmen_instances', 'gauge', 'Function instances by state.', instances) +
    family(
      'yunmen_invocations_running',
      'gauge',
      'Invocations that run.',
      line('yunmen_invocations_running', {}, data.functions.inFlight),
    ) +
    family(
      'yunmen_invocations_waiting',
      'gauge',
      'Invocations that wait for an instance.',
      line('yunmen_invocations_waiting', {}, data.functions.waiting),
    ) +
    family(
      'yunmen_spares',
      'gauge',
      'Processes that wait for a function.',
      line('yunmen_spares', {}, data.functions.spares),
    ) +
    family(
      'yunmen_log_dropped_total',
      'counter',
      'Records of requests that the log could not take.',
      line('yunmen_log_dropped_total', {}, data.log.dropped),
    ) +
    family(
      'yunmen_log_sampled_out_total',
      'counter',
      'Records that were left out because the log is sampled.',
      line('yunmen_log_sampled_out_total', {}, data.log.sampledOut),
    ) +
    processFamilies(data.processes)
  );
}
