// `npm run bench -- --only cold-gateway`: cold calls as a client has them, signed and through the gateway of a whole server, in
// each tier and network, with the caller's and the server's work in one figure; and the parts that the requests' records tell.
import { setTimeout as delay } from 'node:timers/promises';
import type { RecordedColdStart } from '../src/model/record.ts';
import { startsAlone } from './alone.ts';
import { ApiClient } from './api-client.ts';
import { percentile } from './cold.ts';
import { type EchoFunction, echoFunctions, openEchoProject, type SignedTarget } from './echo-project.ts';
import { goProgram } from './echoes.ts';
import { type LoadGenerator, startLoadGenerator, startYunmen } from './processes.ts';
import { markdownTable } from './report.ts';

const calls = 12;
/** After a change of the function, until its next call: a process waits for it again by then. */
const restMs = 500;
/** How long the record of a call may take to the log, ms. */
const recordMs = 3_000;

const servers = [
  { name: 'none', isolation: 'none', flags: ['--isolation', 'none'] },
  { name: 'user', isolation: 'user', flags: ['--isolation', 'user'] },
  { name: "strong, the host's network", isolation: 'strong', flags: ['--isolation', 'strong', '--network', 'host'] },
  {
    name: 'strong, no network but the doorway',
    isolation: 'strong',
    flags: ['--isolation', 'strong', '--network', 'none'],
  },
  { name: 'strong, own network', isolation: 'strong', flags: ['--isolation', 'strong', '--network', 'open'] },
] as const;

const phpCode = `<?php
function handler($event, $context) {
    $n = json_decode($event, true)['queryParameters']['n'];
    return json_encode(['isBase64Encoded' => false, 'statusCode' => 200, 'headers' => new stdClass, 'body' => '{"n":"' . $n . '"}']);
}
`;

const serverCode = `#!/usr/bin/env node
require('http').createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const { n } = JSON.parse(Buffer.concat(parts)).queryParameters;
    response.end(JSON.stringify({ isBase64Encoded: false, statusCode: 200, headers: {}, body: JSON.stringify({ n }) }));
  });
}).listen(process.env.FC_SERVER_PORT || 9000, '0.0.0.0');
`;

const goServerCode = `package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		event, _ := io.ReadAll(r.Body)
		var given struct{ QueryParameters map[string]string }
		json.Unmarshal(event, &given)
		body, _ := json.Marshal(map[string]string{"n": given.QueryParameters["n"]})
		answer := map[string]any{"isBase64Encoded": false, "statusCode": 200, "headers": map[string]string{}, "body": string(body)}
		json.NewEncoder(w).Encode(answer)
	})
	http.ListenAndServe("0.0.0.0:"+os.Getenv("FC_SERVER_PORT"), nil)
}
`;

const languages = {
  Python: echoFunctions.python,
  Node: echoFunctions.node,
  PHP: { runtime: 'php7.2', files: { 'index.php': phpCode } },
  'Custom (Node)': { runtime: 'custom', files: { bootstrap: serverCode }, memorySize: 256 },
} as const satisfies Record<string, EchoFunction>;

/** Those and, where there is a compiler, a server of Go's. */
function contestants(missing: string[]): Readonly<Record<string, EchoFunction>> {
  try {
    const { bootstrap = '' } = goProgram(goServerCode, 'bootstrap');
    return { ...languages, 'Custom (Go)': { runtime: 'custom', files: { bootstrap }, memorySize: 256 } };
  } catch (error) {
    missing.push(`Custom (Go): ${error instanceof Error ? error.message : String(error)}`);
    return languages;
  }
}

const isProgram = ({ runtime }: EchoFunction) => runtime.startsWith('custom');

/** What of a cold call of a program is its own. */
async function rowAlone(label: string, made: EchoFunction): Promise<string[]> {
  const times = await startsAlone(made, { count: calls, restMs });
  const [median, most] = [0.5, 0.9].map((part) => percentile(times, part).toFixed(1));
  return [label, 'the program alone', median ?? '', most ?? '', ...Array<string>(7).fill('')];
}

type Cold = { readonly totalMs: number; readonly parts: RecordedColdStart };

/** What the records of the newest calls tell, in the calls' order. Errors: when one was not cold or does not come. */
async function coldStartsSince(client: ApiClient, since: number, path: string): Promise<RecordedColdStart[]> {
  const query = [
    ['since', String(since)],
    ['limit', '100'],
  ] as const;
  const ask = { action: 'ListRequests', version: 'yunmen' };
  for (const until = Date.now() + recordMs; ; await delay(50)) {
    const answer = await client.send('GET', '/yunmen/requests', ask, query, Buffer.alloc(0));
    const records = answer['records'] as { path: string; coldStart: RecordedColdStart | null }[];
    const found = records.flatMap((record) => (record.path === path ? (record.coldStart ?? []) : [])).reverse();
    if (found.length === calls + 1) return found;
    if (Date.now() > until) throw new Error(`${found.length} cold calls are recorded: ${JSON.stringify(records[0])}`);
  }
}

async function coldCalls(
  { client, generator }: { client: ApiClient; generator: LoadGenerator },
  functionName: string,
  target: SignedTarget,
): Promise<Cold[]> {
  const began = Date.now();
  const totals: number[] = [];
  for (let call = 0; call <= calls; call += 1) {
    const body = Buffer.from(JSON.stringify({ environmentVariables: { CALL: String(call) } }));
    const path = `/2023-03-30/functions/${functionName}`;
    await client.send('PUT', path, { action: 'UpdateFunction', version: '2023-03-30' }, [], body);
    await delay(restMs);
    const { requests, wrong, firstWrong, max } = await generator.run({
      target,
      connections: 1,
      durationMs: 100,
      perSecond: 9,
    });
    if (wrong > 0 || requests !== 1) throw new Error(`${requests} calls, ${wrong} wrong: ${firstWrong}`);
    totals.push(max);
  }
  const parts = await coldStartsSince(client, began, target.path);
  // The first opens what is opened once.
  return parts.map((each, at) => ({ totalMs: totals[at] ?? 0, parts: each })).slice(1);
}

function rowOf(label: string, name: string, cold: readonly Cold[]): string[] {
  const at = (values: readonly number[], part: number) => percentile(values, part).toFixed(1);
  const totals = cold.map(({ totalMs }) => totalMs);
  const names = ['waitMs', 'startMs', 'codeMs', 'loadMs', 'initializerMs', 'handlerMs'] as const;
  const median = (part: (typeof names)[number]) =>
    at(
      cold.map(({ parts }) => parts[part]),
      0.5,
    );
  const waited = cold.filter(({ parts }) => parts.isSpare).length;
  return [label, name, at(totals, 0.5), at(totals, 0.9), ...names.map(median), `${waited} of ${cold.length}`];
}

async function measure(
  { name, isolation, flags }: (typeof servers)[number],
  made: Readonly<Record<string, EchoFunction>>,
  missing: string[],
): Promise<string[][]> {
  const yunmen = await startYunmen(flags);
  const generator = startLoadGenerator();
  const client = new ApiClient(yunmen);
  const rows: string[][] = [];
  try {
    if (yunmen.isolation !== isolation) throw new Error(`the server has tier ${yunmen.isolation}`);
    const project = await openEchoProject(yunmen);
    for (const [at, [label, each]] of Object.entries(made).entries()) {
      try {
        const target = await project.deploy(`cold-${at}`, each);
        rows.push(rowOf(label, name, await coldCalls({ client, generator }, `echo-cold-${at}`, target)));
      } catch (error) {
        missing.push(`${label}, ${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
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
  const made = contestants(missing);
  for (const [label, each] of Object.entries(made)) if (isProgram(each)) rows.push(await rowAlone(label, each));
  for (const server of servers) {
    try {
      rows.push(...(await measure(server, made, missing)));
    } catch (error) {
      missing.push(`${server.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const order = Object.keys(made);
  rows.sort(([left = ''], [right = '']) => order.indexOf(left) - order.indexOf(right));
  const parts = ['wait', 'start', 'code', 'load', 'initializer', 'handler'];
  const head = ['cold call', 'tier and network', 'p50 ms', 'p90 ms', ...parts, 'a process waited'];
  const notes = missing.length === 0 ? '' : `\n\nNot measured: ${missing.join('; ')}.`;
  return `Cold calls through the gateway, ${calls} each, ${restMs} ms after a change of the function: signature, nonce, grant, parameter mapping; processes wait where a server lets them. The parts are medians of the requests' records, ms; of a server of the user's own, load is what it takes until it listens, and "alone" is from its start by hand to its first answer.\n\n${markdownTable(head, rows)}${notes}`;
}
