// `npm run bench -- --only cold-gateway`: cold calls as a client has them, signed and through the gateway of a whole server, in
// each tier and network, with the caller's and the server's work in one figure.
import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient } from './api-client.ts';
import { percentile } from './cold.ts';
import { type EchoLanguage, setUpEchoes } from './echo-project.ts';
import { startLoadGenerator, startYunmen } from './processes.ts';
import { markdownTable } from './report.ts';

const calls = 12;
/** After a change of the function, until its next call: a process waits for it again by then. */
const restMs = 500;

const servers = [
  { name: 'strong, own network', isolation: 'strong', flags: ['--isolation', 'strong', '--network', 'open'] },
  {
    name: 'strong, no network but the doorway',
    isolation: 'strong',
    flags: ['--isolation', 'strong', '--network', 'none'],
  },
  { name: "strong, the host's network", isolation: 'strong', flags: ['--isolation', 'strong', '--network', 'host'] },
  { name: 'user', isolation: 'user', flags: ['--isolation', 'user'] },
  { name: 'none', isolation: 'none', flags: ['--isolation', 'none'] },
] as const;

async function measure({ name, isolation, flags }: (typeof servers)[number]): Promise<string[][]> {
  const yunmen = await startYunmen(flags);
  const generator = startLoadGenerator();
  const client = new ApiClient(yunmen);
  try {
    if (yunmen.isolation !== isolation) throw new Error(`the server has tier ${yunmen.isolation}`);
    const targets = await setUpEchoes(yunmen);
    const rows: string[][] = [];
    for (const [language, label] of Object.entries({ python: 'Python', node: 'Node' } satisfies Record<
      EchoLanguage,
      string
    >)) {
      const target = targets[language as EchoLanguage];
      const cold: number[] = [];
      for (let call = 0; call <= calls; call += 1) {
        const body = Buffer.from(JSON.stringify({ environmentVariables: { CALL: String(call) } }));
        const path = `/2023-03-30/functions/echo-${language}`;
        await client.send('PUT', path, { action: 'UpdateFunction', version: '2023-03-30' }, [], body);
        await delay(restMs);
        const { requests, wrong, firstWrong, max } = await generator.run({
          target,
          connections: 1,
          durationMs: 100,
          perSecond: 1,
        });
        if (wrong > 0 || requests !== 1) throw new Error(`${requests} calls, ${wrong} wrong: ${firstWrong}`);
        if (call > 0) cold.push(max); // the first opens what is opened once
      }
      const at = (part: number) => percentile(cold, part).toFixed(1);
      rows.push([label, name, at(0.5), at(0.9), at(1)]);
    }
    return rows;
  } finally {
    client.close();
    await generator.close();
    await yunmen.close();
  }
}

export async function runColdGateway(): Promise<string> {
  const rows: string[][] = [];
  const missing: string[] = [];
  for (const server of servers) {
    try {
      rows.push(...(await measure(server)));
    } catch (error) {
      missing.push(`${server.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  rows.sort(([left = ''], [right = '']) => right.localeCompare(left));
  const head = ['cold call', 'tier and network', 'p50 ms', 'p90 ms', 'slowest ms'];
  const notes = missing.length === 0 ? '' : `\n\nNot measured: ${missing.join('; ')}.`;
  return `Cold calls through the gateway, ${calls} each, ${restMs} ms after a change of the function: signature, nonce, grant, parameter mapping; processes wait where a server lets them.\n\n${markdownTable(head, rows)}${notes}`;
}
