// `npm run bench -- --only density`: how many idle warm instances a GiB holds in tier strong, by really starting many of
// them: what their processes take, and what the kernel counts for their control group (sandboxes and page tables too).
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { echoes } from './echoes.ts';
import { openPlane } from './plane.ts';
import { familyOf, memoryKb } from './processor-time.ts';
import { markdownTable } from './report.ts';

const counts = { Python: 60, Node: 24 } as const;
const gibibyteKb = 1024 * 1024;

/** Of the control groups of a server's instances, by its run directory, KB; null where memory is not counted so. */
function countedKb(runDir: string): number | null {
  const group = `yunmen-${basename(runDir)}.*`;
  const places = ['', '*/', '*/*/', '*/*/*/'].flatMap((depth) => [
    `/sys/fs/cgroup/memory/${depth}${group}/memory.usage_in_bytes`,
    `/sys/fs/cgroup/${depth}${group}/memory.current`,
  ]);
  const files = globSync(places);
  return files.length === 0 ? null : files.reduce((sum, file) => sum + Number(readFileSync(file, 'latin1')) / 1024, 0);
}

/** Proportional memory of all that descends from the launcher, KB: the programs and their first processes. */
function processesKb(launcherPid: number): number {
  let sum = 0;
  for (const pid of familyOf(launcherPid)) {
    try {
      if (pid !== launcherPid) sum += memoryKb(pid).pss;
    } catch {
      // it has ended meanwhile
    }
  }
  return sum;
}

async function measure(language: keyof typeof counts): Promise<string[]> {
  const plane = await openPlane('sandd', 'strong', { spareMemoryMb: 0, freezeMs: 500 });
  try {
    const { runtime, files } = echoes[language];
    const count = counts[language];
    for (let each = 0; each < count; each += 1) {
      plane.publish(`${language}-${each}`, runtime, files);
      const outcome = await plane.invoke(`${language}-${each}`, 'x');
      if (outcome.kind !== 'success') throw new Error(`${language}: not a success`);
    }
    await delay(1_500);
    const [own, counted] = [processesKb(plane.launcherPid) / count, countedKb(plane.runDir)];
    const each = Math.max(own, counted === null ? 0 : counted / count);
    const megabytes = (kb: number) => (kb / 1024).toFixed(2);
    const group = counted === null ? '' : megabytes(counted / count);
    return [language, String(count), megabytes(own), group, String(Math.floor(gibibyteKb / each))];
  } finally {
    await plane.close();
  }
}

export async function runDensity(): Promise<string> {
  const rows: string[][] = [];
  for (const language of ['Python', 'Node'] as const) rows.push(await measure(language));
  const head = ['idle instances', 'started', 'PSS MB each', 'control group MB each', 'a GiB holds'];
  return `Idle warm instances in tier strong, all of them started and called once, frozen. The larger of the two figures counts.\n\n${markdownTable(head, rows)}`;
}
