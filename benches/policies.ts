// What each policy costs a request, and what a refusal costs: the same mock behind each, in turns. And the same with two data
// processes, where calls are counted in control. What a signature for the backend costs a relayed request. Called by main.ts.
import { type Contestant, interleave } from './interleave.ts';
import { type Mocks, type Relays, setUpMocks, setUpRelays } from './mock-project.ts';
import { startHello, startYunmen, type Yunmen } from './processes.ts';
import { familyOf } from './processor-time.ts';
import { formatTable, type Row } from './report.ts';

const names: Readonly<Record<keyof Mocks, string>> = {
  plain: 'no policy',
  ip: 'IP control, 10 blocks',
  second: 'limit a second',
  day: 'limit a day',
  both: 'both',
  throttled: 'refused: 429',
};

const relayNames: Readonly<Record<keyof Relays, string>> = {
  relayed: 'relayed',
  signed: 'relayed, signed',
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

/** CPU is without the backend's. */
async function relaysOf(yunmen: Yunmen, backend: string): Promise<Contestant[]> {
  const relays = await setUpRelays(yunmen, backend);
  const { control, data } = yunmen.pids;
  return (['relayed', 'signed'] as const).map((row) => ({
    name: relayNames[row],
    target: relays[row],
    pids: () => familyOf(control),
    dataPid: data,
  }));
}

/** What a signed request costs of one that is only relayed, at each number of connections. */
function signatureLine(rows: readonly Row[]): string {
  const parts = rows.flatMap(({ name, connections, cpuData }) => {
    const plain = rows.find((other) => other.name === relayNames.relayed && other.connections === connections);
    if (name !== relayNames.signed || cpuData === null || plain?.cpuData === undefined || plain.cpuData === null)
      return [];
    const ratio = (cpuData / plain.cpuData).toFixed(2);
    return [
      `${ratio} × relayed at ${connections} connections (${cpuData.toFixed(1)} of ${plain.cpuData.toFixed(1)} µs)`,
    ];
  });
  return `\n\nA signature for the backend, CPU of the data process: ${parts.join('; ')}.`;
}

/** Errors: when any answer is another than expected. */
export async function runPolicies(rounds: number, windowMs: number): Promise<string> {
  const hello = await startHello();
  const one = await startYunmen(['--allow-backend', '127.0.0.1']);
  const two = await startYunmen(['--data-processes', '2']);
  try {
    const contestants = [
      { name: 'hello', target: { kind: 'hello', origin: hello.origin }, pids: () => [hello.pid], dataPid: null },
      ...(await contestantsOf(one, '', rowNames)),
      ...(await relaysOf(one, hello.origin)),
      ...(await contestantsOf(two, ', 2 processes', ['plain', 'day'])),
    ] satisfies Contestant[];
    const rows = await interleave(contestants, rounds, windowMs);
    return `Policies: a mock answers behind each. ${rounds} rounds, windows of ${windowMs / 1000} s.\n\n${formatTable(rows)}${signatureLine(rows)}`;
  } finally {
    await one.close();
    await two.close();
    await hello.close();
  }
}
