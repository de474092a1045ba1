// `npm run bench -- --only deployed`: what many deployed functions that nobody calls take of a server's memory.
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import yazl from 'yazl';
import { ApiClient } from './api-client.ts';
import { startYunmen, type Yunmen } from './processes.ts';
import { memoryKb } from './processor-time.ts';
import { markdownTable } from './report.ts';

const count = 500;
const restMs = 5_000;
const version = '2023-03-30';

async function create(client: ApiClient, each: number): Promise<void> {
  const zip = new yazl.ZipFile();
  // Each its own code, as functions have.
  zip.addBuffer(Buffer.from(`def handler(event, context):\n    return '{"number": ${each}}'\n`), 'index.py');
  zip.end();
  const zipFile = (await buffer(zip.outputStream)).toString('base64');
  const settings = { functionName: `f-${each}`, runtime: 'python3.10', handler: 'index.handler', code: { zipFile } };
  const body = Buffer.from(JSON.stringify(settings));
  await client.send('POST', `/${version}/functions`, { action: 'CreateFunction', version }, [], body);
}

async function check(client: ApiClient, each: number): Promise<void> {
  const path = `/${version}/functions/f-${each}/invocations`;
  const answer = await client.send('POST', path, { action: 'InvokeFunction', version }, [], Buffer.from(''));
  if (answer['number'] !== each) throw new Error(`f-${each} answered ${JSON.stringify(answer)}`);
}

function memoryOf({ pids }: Yunmen): { readonly rss: number; readonly pss: number } {
  const all = Object.values(pids).map(memoryKb);
  return {
    rss: all.reduce((sum, each) => sum + each.rss, 0) / 1024,
    pss: all.reduce((sum, each) => sum + each.pss, 0) / 1024,
  };
}

export async function runDeployed(): Promise<string> {
  const yunmen = await startYunmen(['--spare-memory', '0']);
  const client = new ApiClient(yunmen);
  try {
    // One is called before and one after, so that what the first call loads is in both.
    await create(client, 0);
    await check(client, 0);
    await delay(restMs);
    const before = memoryOf(yunmen);
    for (let each = 1; each <= count; each += 1) await create(client, each);
    await check(client, count);
    await delay(restMs);
    const after = memoryOf(yunmen);
    const row = (name: string, { rss, pss }: typeof before) => [name, rss.toFixed(0), pss.toFixed(0)];
    const more = { rss: after.rss - before.rss, pss: after.pss - before.pss };
    const rows = [row('1', before), row(String(count + 1), after), row('difference', more)];
    return `Functions deployed and at rest, control, data process and launcher together:\n\n${markdownTable(['functions', 'RSS MB', 'PSS MB'], rows)}`;
  } finally {
    client.close();
    await yunmen.close();
  }
}
