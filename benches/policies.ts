// What each policy costs a request, and what a refusal costs: the same mock behind each, in turns. And the same with two data
// processes, where calls are counted in control. Called by main.ts.
import { type Contestant, interleave } from './interleave.ts';
import { type Mocks, setUpMocks } from './mock-project.ts';
import { startHello, startYunmen, type Yunmen } from './processes.ts';
import { familyOf } from './processor-time.ts';
import { formatTable } from './report.ts';

const names: Readonly<Record<keyof Mocks, string>> = {
  plain: 'no policy',
  ip: 'IP control, 10 blocks',
  second: 'limit a second',
  day: 'limit a day',
  both: 'both',
  throttled: 'refused: 429',
};

const rowNames = ['plain', 'ip', 'second', 'day', 'both', 'throttled'] as const;

async function contestantsOf(yunmen: Yunmen, suffix: string, rows: readonly (keyof Mocks)[]): Promise<Contestant[]> {
  const mocks = await setUpMocks(yunmen);
  const { control, data } = yunmen.pids;
  // The first of the throttled API's calls is let through: it is made here. A process that a limit has no room in says so at once.
  await fetch(`${mocks.throttled.origin}${mocks.throttled.path}`);
  return rows.map((row) => ({
    name: `${names[row]}${suffix}`,
    target: mocks[row],
    pids: () => familyOf(control),
    dataPid: suffix === '' ? data : null,
  }));
}

/** Errors: when any answer is another than expected. */
export async function runPolicies(rounds: number, windowMs: number): Promise<string> {
  const hello = await startHello();
  const one = await startYunmen();
  const two = await startYunmen(['--data-processes', '2']);
  try {
    const contestants = [
      { name: 'hello', target: { kind: 'hello', origin: hello.origin }, pids: () => [hello.pid], dataPid: null },
      ...(await contestantsOf(one, '', rowNames)),
      ...(await contestantsOf(two, ', 2 processes', ['plain', 'day'])),
    ] satisfies Contestant[];
    const rows = await interleave(contestants, rounds, windowMs);
    return `Policies: a mock answers behind each. ${rounds} rounds, windows of ${windowMs / 1000} s.\n\n${formatTable(rows)}`;
  } finally {
    await one.close();
    await two.close();
    await hello.close();
  }
}
