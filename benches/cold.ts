// `npm run bench -- --only cold`: cold calls by language, launcher and tier, part by part; memory of an idle instance.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { findInterpreters, withJavaBootstrap } from '../src/functions/index.ts';
import { contestants, type Echo } from './echoes.ts';
import { type BenchPlane, type LauncherKind, openPlane } from './plane.ts';
import { memoryKb } from './processor-time.ts';
import { markdownTable } from './report.ts';

const calls = 20;
const idleInstances = 5;
const idleGapMs = 50;
const planes = [
  ['node', 'none'],
  ['node', 'user'],
  ['sandd', 'none'],
  ['sandd', 'user'],
  ['sandd', 'strong'],
] as const satisfies readonly (readonly [LauncherKind, string])[];

type Cold = { total: number; wait: number; start: number; code: number; load: number; handler: number };

export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

async function coldCall(plane: BenchPlane, name: string, isSpare = false): Promise<Cold & { instanceId: string }> {
  const began = performance.now();
  const outcome = await plane.invoke(name, 'x');
  const total = performance.now() - began;
  if (outcome.kind !== 'success' || outcome.coldStart === null) throw new Error(`${plane.name}: not a cold success`);
  if (outcome.coldStart.isSpare !== isSpare) throw new Error(`${plane.name}: the process was not the one wanted`);
  const { waitMs, startMs, codeMs, loadMs } = outcome.coldStart;
  const times = { total, wait: waitMs, start: startMs, code: codeMs, load: loadMs, handler: outcome.durationMs };
  return { ...times, instanceId: outcome.instanceId };
}

/** A process waits for the next cold call. */
async function untilOneWaits({ functions, name }: BenchPlane): Promise<void> {
  const until = performance.now() + 20_000;
  while (functions.stats().spares === 0) {
    if (performance.now() > until) throw new Error(`${name}: no process waits`);
    await delay(10);
  }
  await delay(idleGapMs);
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

async function measure(plane: BenchPlane, language: string, echo: Echo, isWaiting: boolean): Promise<string[]> {
  const { runtime, files, more } = echo;
  plane.publish(language, runtime, files, more);
  await coldCall(plane, language);
  const cold: Cold[] = [];
  for (let call = 0; call < calls; call += 1) {
    plane.forget(language);
    await (isWaiting ? untilOneWaits(plane) : delay(idleGapMs));
    cold.push(await coldCall(plane, language, isWaiting));
  }
  const idle: { rss: number; pss: number }[] = [];
  for (let each = 0; each < idleInstances; each += 1) {
    if (isWaiting) await untilOneWaits(plane);
    plane.publish(`${language}-${each}`, runtime, files, more);
    idle.push(memoryOf((await coldCall(plane, `${language}-${each}`, isWaiting)).instanceId));
  }
  const at = (values: readonly number[], part: number) => percentile(values, part).toFixed(1);
  const all = (part: keyof Cold) => cold.map((call) => call[part]);
  const parts = (['wait', 'start', 'code', 'load', 'handler'] as const).map((part) => at(all(part), 0.5));
  const memory = (['rss', 'pss'] as const).map((kind) =>
    (
      percentile(
        idle.map((each) => each[kind]),
        0.5,
      ) / 1024
    ).toFixed(1),
  );
  const kind = isWaiting ? 'waiting' : 'started';
  return [language, kind, plane.name, at(all('total'), 0.5), at(all('total'), 0.9), ...parts, ...memory];
}

/** Each tier beside none, with a process that waits and without; what cannot be had here is said. */
export async function runCold(): Promise<string> {
  const rows: string[][] = [];
  const { echoes, missing } = contestants(await withJavaBootstrap(await findInterpreters(), console.error));
  for (const [kind, tier] of planes) {
    for (const isWaiting of [false, true]) {
      if (isWaiting && kind === 'node' && tier !== 'none') continue; // bubblewrap has none
      for (const [language, echo] of echoes) {
        if (isWaiting && language === 'Java' && tier === 'none') continue;
        try {
          const plane = await openPlane(kind, tier, isWaiting ? {} : { spareMemoryMb: 0 });
          try {
            rows.push(await measure(plane, language, echo, isWaiting));
          } finally {
            await plane.close();
          }
        } catch (error) {
          missing.push(`${kind} ${tier}, ${language}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
  }
  rows.sort(([left = '', how = ''], [right = '', other = '']) => right.localeCompare(left) || other.localeCompare(how));
  const times = ['p50 ms', 'p90 ms', 'wait', 'start', 'code', 'load', 'handler'];
  const head = ['cold call', 'process', 'launcher and tier', ...times, 'RSS MB', 'PSS MB'];
  const notes = missing.length === 0 ? '' : `\n\nNot measured: ${missing.join('; ')}.`;
  return `Cold calls, ${calls} each after ${idleGapMs} ms of rest, without the gateway: with a process that waited and with one that was started for the call. Parts are medians in ms, memory is that of one idle instance.\n\n${markdownTable(head, rows)}${notes}`;
}
