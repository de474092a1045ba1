// Turns the measured windows of a bench into the table that is printed and, on demand, written to docs/benchmarks.md.
import { cpus, release, totalmem } from 'node:os';
import type { LoadResult } from './load-job.ts';

/** One window: what the clients saw, and the CPU used meanwhile by all our processes and by the data process, in microseconds. */
export type Window = { readonly load: LoadResult; readonly allMicros: number; readonly dataMicros: number | null };

/** One row of the table: a target at a number of connections, over all its rounds. Latencies are the median of the rounds'. */
export type Row = {
  readonly name: string;
  readonly connections: number;
  readonly requests: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuAll: number;
  readonly cpuData: number | null;
};

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function makeRow(name: string, connections: number, windows: readonly Window[]): Row {
  const requests = sum(windows.map(({ load }) => load.requests));
  const data = windows.map(({ dataMicros }) => dataMicros).filter((micros) => micros !== null);
  return {
    name,
    connections,
    requests,
    perSecond: requests / sum(windows.map(({ load }) => load.seconds)),
    p50: median(windows.map(({ load }) => load.p50)),
    p99: median(windows.map(({ load }) => load.p99)),
    cpuAll: sum(windows.map(({ allMicros }) => allMicros)) / requests,
    cpuData: data.length === 0 ? null : sum(data) / requests,
  };
}

const headings = [
  'target',
  'connections',
  'requests/s',
  'p50 ms',
  'p99 ms',
  'CPU µs all',
  '× hello',
  'CPU µs data',
  '× hello',
  'added p50 ms',
];

/** Rows as a Markdown table. `× hello` compares CPU per request, and `added p50` latencies, at the same number of connections. */
export function formatTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const hello = rows.find((other) => other.name === 'hello' && other.connections === row.connections);
    const isHello = row.name === 'hello' || hello === undefined;
    return [
      row.name,
      String(row.connections),
      row.perSecond.toFixed(0),
      row.p50.toFixed(3),
      row.p99.toFixed(3),
      row.cpuAll.toFixed(1),
      isHello ? '1' : (row.cpuAll / hello.cpuAll).toFixed(2),
      row.cpuData === null ? '' : row.cpuData.toFixed(1),
      row.cpuData === null || hello === undefined ? '' : (row.cpuData / hello.cpuAll).toFixed(2),
      isHello ? '' : (row.p50 - hello.p50).toFixed(3),
    ];
  });
  return markdownTable(headings, cells);
}

export type StartMeasurement = {
  readonly readyMs: readonly number[];
  readonly memory: readonly { readonly process: string; readonly rssKb: number; readonly pssKb: number }[];
};

export function formatStart({ readyMs, memory }: StartMeasurement): string {
  const total = {
    process: 'together',
    rssKb: sum(memory.map((row) => row.rssKb)),
    pssKb: sum(memory.map((row) => row.pssKb)),
  };
  const inMb = (kb: number) => (kb / 1024).toFixed(0);
  const cells = [...memory, total].map((row) => [row.process, inMb(row.rssKb), inMb(row.pssKb)]);
  return [
    `Start to ready: median ${median(readyMs).toFixed(0)} ms of ${readyMs.length} starts (${readyMs.map((ms) => ms.toFixed(0)).join(', ')}).`,
    '',
    markdownTable(['process at rest', 'RSS MB', 'PSS MB'], cells),
  ].join('\n');
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? `${'-'.repeat(width + 2)}` : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** The machine on which a run was made, in one line. */
export function describeMachine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor';
  const memoryGb = (totalmem() / 1024 ** 3).toFixed(0);
  return `${cpus().length} × ${model}, ${memoryGb} GB, ${process.platform} ${release()} ${process.arch}, Node ${process.version}`;
}
