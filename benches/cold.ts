// `npm run bench -- --only cold`: cold calls by language, launcher and tier, part by part; memory of an idle instance.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type BenchPlane, type LauncherKind, openPlane } from './plane.ts';
import { memoryKb } from './processor-time.ts';
import { markdownTable } from './report.ts';

const calls = 20;
const idleInstances = 5;
const planes = [
  ['node', 'none'],
  ['node', 'user'],
  ['sandd', 'none'],
  ['sandd', 'user'],
  ['sandd', 'strong'],
] as const satisfies readonly (readonly [LauncherKind, string])[];

const echoes = {
  Python: { runtime: 'python3.10', files: { 'index.py': 'def handler(event, context):\n    return event\n' } },
  Node: {
    runtime: 'nodejs20',
    files: { 'index.js': 'exports.handler = (event, context, callback) => callback(null, event);\n' },
  },
} as const;

type Cold = { total: number; wait: number; start: number; load: number; handler: number };

export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

async function coldCall(plane: BenchPlane, name: string): Promise<Cold & { instanceId: string }> {
  const began = performance.now();
  const outcome = await plane.invoke(name, 'x');
  const total = performance.now() - began;
  if (outcome.kind !== 'success' || outcome.coldStart === null) throw new Error(`${plane.name}: not a cold success`);
  const { waitMs, startMs, loadMs } = outcome.coldStart;
  return {
    total,
    wait: waitMs,
    start: startMs,
    load: loadMs,
    handler: outcome.durationMs,
    instanceId: outcome.instanceId,
  };
}

/** Of all processes of an instance, found by the mark in their environment. */
function memoryOf(instanceId: string): { readonly rss: number; readonly pss: number } {
  const all = { rss: 0, pss: 0 };
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`).includes(instanceId)) continue;
      const { rss, pss } = memoryKb(Number(pid));
      all.rss += rss;
      all.pss += pss;
    } catch {
      // it has ended meanwhile
    }
  }
  return all;
}

async function measure(plane: BenchPlane, language: keyof typeof echoes): Promise<string[]> {
  const { runtime, files } = echoes[language];
  plane.publish(language, runtime, files);
  await coldCall(plane, language);
  const cold: Cold[] = [];
  for (let call = 0; call < calls; call += 1) {
    plane.forget(language);
    await delay(50);
    cold.push(await coldCall(plane, language));
  }
  const names = Array.from({ length: idleInstances }, (_, index) => `${language}-${index}`);
  const idle: { rss: number; pss: number }[] = [];
  for (const name of names) plane.publish(name, runtime, files);
  const ids = await Promise.all(names.map(async (name) => (await coldCall(plane, name)).instanceId));
  for (const id of ids) idle.push(memoryOf(id));
  const median = (part: keyof Cold) =>
    percentile(
      cold.map((call) => call[part]),
      0.5,
    ).toFixed(1);
  const memory = (kind: 'rss' | 'pss') =>
    (
      percentile(
        idle.map((each) => each[kind]),
        0.5,
      ) / 1024
    ).toFixed(1);
  const p90 = percentile(
    cold.map(({ total }) => total),
    0.9,
  ).toFixed(1);
  const parts = (['total', 'wait', 'start', 'load', 'handler'] as const).map(median);
  const [total = '', ...rest] = parts;
  return [language, plane.name, total, p90, ...rest, memory('rss'), memory('pss')];
}

/** Each tier beside none; what cannot be had here is said. */
export async function runCold(): Promise<string> {
  const rows: string[][] = [];
  const missing: string[] = [];
  for (const [kind, tier] of planes) {
    let plane: BenchPlane;
    try {
      plane = await openPlane(kind, tier);
    } catch (error) {
      missing.push(`${kind} ${tier}: ${error instanceof Error ? error.message : String(error)}`);
      continue;
    }
    try {
      for (const language of ['Python', 'Node'] as const) rows.push(await measure(plane, language));
    } finally {
      await plane.close();
    }
  }
  rows.sort(([left = ''], [right = '']) => right.localeCompare(left));
  const head = [
    'cold call',
    'launcher and tier',
    'p50 ms',
    'p90 ms',
    'wait',
    'start',
    'load',
    'handler',
    'RSS MB',
    'PSS MB',
  ];
  const notes = missing.length === 0 ? '' : `\n\nNot measured: ${missing.join('; ')}.`;
  return `Cold calls, ${calls} each, without the gateway; parts are medians in ms, memory is that of one idle instance.\n\n${markdownTable(head, rows)}${notes}`;
}
