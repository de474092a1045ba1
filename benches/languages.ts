// `npm run bench -- --only languages`: the same echo in every language: cold calls part by part, each process started for its
// call, and what a warm call costs the instance and the process that calls, in turns. No gateway before it.
import { setTimeout as delay } from 'node:timers/promises';
import { findInterpreters, withJavaBootstrap } from '../src/functions/index.ts';
import { percentile } from './cold.ts';
import { contestants, programs } from './echoes.ts';
import { type BenchPlane, openPlane } from './plane.ts';
import { familyOf, processorMicros } from './processor-time.ts';
import { markdownTable } from './report.ts';

const calls = 10;
const idleGapMs = 50;
const warmUpMs = 2_000;
const event = 'x'.repeat(1024);
type Times = { total: number; start: number; code: number; load: number; handler: number };

async function coldCalls(plane: BenchPlane, name: string): Promise<Times[]> {
  const times: Times[] = [];
  for (let call = 0; call <= calls; call += 1) {
    plane.forget(name);
    await delay(idleGapMs);
    const began = performance.now();
    const outcome = await plane.invoke(name, event);
    const total = performance.now() - began;
    if (outcome.kind !== 'success' || outcome.coldStart === null) throw new Error(`${name}: not a cold success`);
    const { startMs, codeMs, loadMs } = outcome.coldStart;
    if (call > 0) times.push({ total, start: startMs, code: codeMs, load: loadMs, handler: outcome.durationMs });
  }
  return times;
}

/** Published under `id`; `answer` is what it answers to the event. */
type Contestant = { readonly id: string; readonly answer: string; readonly cold: Times[]; readonly warm: Warm };
type Warm = { requests: number; own: number; instances: number; readonly latencies: number[] };

/** One request after the other until the time is over; every answer is checked. */
async function warmWindow(plane: BenchPlane, { id, answer, warm }: Contestant, ms: number): Promise<void> {
  const began = performance.now();
  const instances = () => familyOf(plane.launcherPid).reduce((sum, pid) => sum + processorMicros(pid), 0);
  const before = { own: process.cpuUsage(), instances: instances() };
  while (performance.now() - began < ms) {
    const asked = performance.now();
    const outcome = await plane.invoke(id, event);
    if (outcome.kind !== 'success' || outcome.body.toString() !== answer) throw new Error(`${id}: a wrong answer`);
    warm.latencies.push(performance.now() - asked);
    warm.requests += 1;
  }
  const { user, system } = process.cpuUsage(before.own);
  warm.own += user + system;
  warm.instances += instances() - before.instances;
}

const unused = (): Warm => ({ requests: 0, own: 0, instances: 0, latencies: [] });

export async function runLanguages(rounds: number, windowMs: number): Promise<string> {
  const tier = process.getuid?.() === 0 ? 'strong' : 'user';
  const { echoes, missing } = contestants(await withJavaBootstrap(await findInterpreters(), console.error));
  const all = new Map([...echoes, ...programs(missing)]);
  const plane = await openPlane('sandd', tier, { spareMemoryMb: 0 });
  const measured = new Map<string, Contestant>();
  try {
    for (const [name, { runtime, files, more, answerTo }] of all) {
      const id = `echo-${measured.size}`;
      plane.publish(id, runtime, files, more);
      const contestant = { id, answer: answerTo?.(event) ?? event, cold: await coldCalls(plane, id), warm: unused() };
      await warmWindow(plane, { ...contestant, warm: unused() }, warmUpMs);
      measured.set(name, contestant);
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const contestant of measured.values()) await warmWindow(plane, contestant, windowMs);
    }
  } finally {
    await plane.close();
  }
  const at = (values: readonly number[], part: number) => percentile(values, part).toFixed(1);
  const rows = [...measured].map(([name, { cold, warm }]) => {
    const of = (part: keyof Times) => cold.map((each) => each[part]);
    const parts = (['start', 'code', 'load', 'handler'] as const).map((part) => at(of(part), 0.5));
    const micros = [(warm.own / warm.requests).toFixed(0), (warm.instances / warm.requests).toFixed(0)];
    const p50 = percentile(warm.latencies, 0.5).toFixed(3);
    return [name, at(of('total'), 0.5), at(of('total'), 0.9), ...parts, p50, ...micros];
  });
  const head = [
    'echo of 1 KB',
    'cold p50 ms',
    'p90',
    'start',
    'code',
    'load',
    'handler',
    'warm p50 ms',
    'CPU µs caller',
    'CPU µs instance',
  ];
  const notes = missing.length === 0 ? '' : `\n\nNot measured: ${missing.join('; ')}.`;
  return `Languages, tier ${tier}: ${calls} cold calls each after ${idleGapMs} ms of rest, each in a process started for it, parts as medians; then one warm call after the other, ${rounds} rounds of ${windowMs / 1000} s in turns.\n\n${markdownTable(head, rows)}${notes}`;
}
