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

/** Of the APIs and functions that have no counts of their own, and of requests that reached none. */
const rest = 'other';

/** The names of what is told of requests to the gateway, or to HTTP triggers. */
type RequestFamilies = {
  readonly requests: string;
  readonly duration: string;
  readonly backend: string;
  readonly received: string;
  readonly sent: string;
  readonly what: string;
  labelsOf(counts: RequestCounts): Labels;
};

const ofGateway: RequestFamilies = {
  requests: 'yunmen_requests_total',
  duration: 'yunmen_request_duration_seconds',
  backend: 'yunmen_backend_duration_seconds',
  received: 'yunmen_request_bytes_total',
  sent: 'yunmen_response_bytes_total',
  what: 'gateway requests',
  labelsOf: ({ apiId, stage, groupId }) => ({ api: apiId ?? rest, stage: stage ?? rest, group: groupId ?? rest }),
};

const ofTriggers: RequestFamilies = {
  requests: 'yunmen_trigger_requests_total',
  duration: 'yunmen_trigger_duration_seconds',
  backend: 'yunmen_trigger_function_duration_seconds',
  received: 'yunmen_trigger_request_bytes_total',
  sent: 'yunmen_trigger_response_bytes_total',
  what: 'calls of HTTP triggers',
  labelsOf: ({ functionName, qualifier }) => ({ function: functionName ?? rest, qualifier: qualifier ?? rest }),
};

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

function requestFamilies(requests: readonly RequestCounts[], of: RequestFamilies): string {
  const each = (write: (counts: RequestCounts, labels: Labels) => string) =>
    requests.map((counts) => write(counts, of.labelsOf(counts))).join('');
  const statuses = each((counts, labels) =>
    Object.entries(counts.statuses)
      .map(([status, times]) => line(of.requests, { ...labels, status }, times))
      .join(''),
  );
  const durations = each((counts, labels) => histogramLines(of.duration, labels, counts.total));
  const backends = each((counts, labels) => histogramLines(of.backend, labels, counts.backend));
  const received = each((counts, labels) => line(of.received, labels, counts.requestBytes));
  const sent = each((counts, labels) => line(of.sent, labels, counts.responseBytes));
  return (
    family(of.requests, 'counter', `How many ${of.what}, by status.`, statuses) +
    family(of.duration, 'histogram', `Of ${of.what}, from arrival to answer.`, durations) +
    family(of.backend, 'histogram', `Of ${of.what}, how long the backend or function took.`, backends) +
    family(of.received, 'counter', `Of ${of.what}, bytes of bodies.`, received) +
    family(of.sent, 'counter', `Of ${of.what}, bytes of answers, where they are known.`, sent)
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
    requestFamilies(data.requests, ofGateway) +
    requestFamilies(data.triggers, ofTriggers) +
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
