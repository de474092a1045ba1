// What one warm invocation costs by each road into an instance: frames with a bootstrap, HTTP with a custom runtime, the
// runtime API that a program polls. The same echo in the same language, in turns, no gateway before it.
import { httpServer, nodeServer } from './echoes.ts';
import { type BenchPlane, openPlane } from './plane.ts';

const tier = 'none';
const inFlight = 16;
const warmUpMs = 1_000;
const event = 'x'.repeat(1024);

const server = `#!/usr/bin/env node\n${nodeServer}`;
const polling = [
  '#!/usr/bin/env node',
  "const { Agent, request } = require('http');",
  'const agent = new Agent({ keepAlive: true });',
  "const base = 'http://' + process.env.FC_RUNTIME_API + '/2020-11-11/runtime/invocation/';",
  'function call(method, path, body, use) {',
  '  const asked = request(base + path, { method, agent }, (answer) => {',
  '    const parts = [];',
  "    answer.on('data', (part) => parts.push(part));",
  "    answer.on('end', () => use(answer, Buffer.concat(parts)));",
  '  });',
  '  asked.end(body);',
  '}',
  'function poll() {',
  "  call('GET', 'next', undefined, ({ headers }, payload) => {",
  '    poll();',
  "    call('POST', headers['x-fc-request-id'] + '/response', payload, () => {});",
  '  });',
  '}',
  'poll();',
  '',
].join('\n');
const handler = 'exports.handler = (event, context, callback) => callback(null, event);\n';

const roads = [
  { name: 'frames', runtime: 'nodejs20', files: { 'index.js': handler }, more: {} },
  { name: 'HTTP', runtime: 'custom', files: { bootstrap: server }, more: httpServer },
  {
    name: 'HTTP, 16 requests in one instance',
    runtime: 'custom',
    files: { bootstrap: server },
    more: { ...httpServer, instanceConcurrency: inFlight },
  },
  { name: 'runtime API', runtime: 'go1', files: { main: polling }, more: { handler: 'main' } },
] as const;

type Sample = { readonly requests: number; readonly micros: number; readonly ms: number };

/** So many in flight until the time is over; every answer is checked. */
async function window(plane: BenchPlane, name: string, ms: number): Promise<Sample> {
  const began = performance.now();
  const before = process.cpuUsage();
  let requests = 0;
  const worker = async () => {
    while (performance.now() - began < ms) {
      const outcome = await plane.invoke(name, event);
      if (outcome.kind !== 'success' || outcome.body.toString() !== event) {
        throw new Error(`${name}: a wrong answer: ${outcome.kind === 'refused' ? outcome.message : outcome.body}`);
      }
      requests += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const { user, system } = process.cpuUsage(before);
  return { requests, micros: user + system, ms: performance.now() - began };
}

/** A table: CPU of the calling process for one invocation by each road, and as a multiple of frames. */
export async function runRoads(rounds: number, windowMs: number): Promise<string> {
  const plane = await openPlane('sandd', tier);
  const samples = new Map<string, Sample[]>(roads.map(({ name }) => [name, []]));
  try {
    for (const [at, { runtime, files, more }] of roads.entries()) {
      plane.publish(`road-${at}`, runtime, files, more);
      await window(plane, `road-${at}`, warmUpMs);
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const [at, { name }] of roads.entries()) {
        samples.get(name)?.push(await window(plane, `road-${at}`, windowMs));
      }
    }
  } finally {
    await plane.close();
  }
  const costs = new Map([...samples].map(([name, list]) => [name, perRequest(list)]));
  const base = costs.get('frames') ?? Number.NaN;
  const rows = [...costs].map(([name, micros]) => {
    const list = samples.get(name) ?? [];
    const rate = sum(list, ({ requests }) => requests) / (sum(list, ({ ms }) => ms) / 1000);
    return `| ${name} | ${micros.toFixed(1)} | ${(micros / base).toFixed(2)} | ${Math.round(rate)} |`;
  });
  return [
    `Roads into an instance: a warm Node echo of 1 KB, ${inFlight} in flight, tier ${tier}, ${rounds} rounds of ${windowMs / 1000} s in turns. CPU of the process that calls.`,
    '',
    '| road | CPU µs a request | × frames | requests/s |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n');
}

function perRequest(list: readonly Sample[]): number {
  return sum(list, ({ micros }) => micros) / sum(list, ({ requests }) => requests);
}

function sum(list: readonly Sample[], of: (sample: Sample) => number): number {
  return list.reduce((total, sample) => total + of(sample), 0);
}
