// What functions print reaches who owns them: `yunmen logs`, with the id of the request, and the terminal of `yunmen dev`.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Project } from '../harness/project.ts';
import { root, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

const run = promisify(execFile);
const program = join(root, 'bin/yunmen');

const printing = {
  runtime: 'python3',
  handler: 'index.handler',
  files: {
    'index.py': `import json
print('at load')
def handler(event, context):
    print('a is', json.loads(event)['queryParameters'].get('a'))
    print({'password': 'hunter2'})
    return json.dumps({'isBase64Encoded': False, 'statusCode': 200, 'headers': {}, 'body': ''})
`,
  },
};

type Printed = { readonly requestId: string | null; readonly functionName: string; readonly text: string };

/** What functions printed; a record of a request has no text. */
async function printed(server: TestServer, ...args: string[]): Promise<Printed[]> {
  const { stdout } = await run(program, ['logs', ...args, '--data-dir', server.dataDir, '--json']);
  const found = stdout.split('\n').filter((line) => line !== '');
  return found.map((line) => JSON.parse(line) as Printed).filter(({ text }) => text !== undefined);
}

async function post(server: TestServer, path: string, a: string): Promise<string> {
  const answer = await fetch(`${server.ready.gateway}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: `a=${a}&b=2`,
  });
  await answer.arrayBuffer();
  assert.equal(answer.status, 200, answer.headers.get('x-ca-error-message') ?? '');
  return answer.headers.get('x-ca-request-id') ?? '';
}

/** What is printed at load may be read when the first request runs. */
const ofHandler = ({ text }: Printed) => text !== 'at load';

test('each line is found with its request, whichever data process served it, masked, and after a kill of control', async (t) => {
  const dataDir = temporaryDirectory(t);
  const command = ['start', '--runtime-fallback', '--isolation', 'none', '--data-processes', '2'];
  const server = await startServer(t, command, dataDir);
  const project = await Project.create(server, 'printed');
  await project.addFunction('printed', 'talks', printing);
  await project.addApi({ service: 'printed', functionName: 'talks', path: '/talks', auth: 'ANONYMOUS' });
  const ids: string[] = [];
  for (let n = 0; n < 12; n++) ids.push(await post(server, '/talks', `n${n}`));

  const all = await printed(server, '--function', 'printed/talks');
  assert.ok(all.some(({ text }) => text === 'at load'));
  const expected = ids.flatMap((requestId, n) => [`${requestId} a is n${n}`, `${requestId} {'password': (hidden)}`]);
  assert.deepEqual(
    all
      .filter(ofHandler)
      .map(({ requestId, text }) => `${requestId} ${text}`)
      .sort(),
    expected.sort(),
  );
  const [first = ''] = ids;
  assert.deepEqual(
    (await printed(server, first)).filter(ofHandler).map(({ text }) => text),
    ['a is n0', "{'password': (hidden)}"],
  );
  assert.deepEqual(await printed(server, '--function', 'talks'), []);
  assert.deepEqual(await printed(server, '--status', '2xx'), []);

  process.kill(server.facts.pids.control, 'SIGKILL');
  await server.exited;
  const again = await startServer(t, command, dataDir);
  assert.equal((await printed(again, first)).filter(ofHandler).length, 2);
  assert.equal((await printed(again, '--function', 'printed/talks')).length, all.length);
});

test('`yunmen dev` shows each line as it comes, and `logs --follow` in another terminal too', async (t) => {
  const project = temporaryDirectory(t);
  cpSync(join(root, 'examples/testadd'), project, { recursive: true });
  const code = join(project, 'testevent/index.py');
  writeFileSync(code, readFileSync(code, 'utf8').replace(/^(def handler.*)$/m, "$1\n    print('called by dev')"));
  const server = await startServer(t, ['dev', project], temporaryDirectory(t));
  const follower = spawn(program, ['logs', '--follow', '--json', '--data-dir', server.dataDir]);
  t.after(() => follower.kill());
  const isPrinted = (line: Record<string, unknown>) => line['text'] === 'called by dev';
  const followed = new Promise<Record<string, unknown>>((resolve) => {
    createInterface({ input: follower.stdout }).on('line', (line) => {
      const entry = JSON.parse(line) as Record<string, unknown>;
      if (isPrinted(entry)) resolve(entry);
    });
  });
  const requestId = await post(server, '/testevent', '1');
  while (!server.events.some(isPrinted)) await sleep(20);
  const shown = server.events.find(isPrinted);
  assert.deepEqual([shown?.['event'], shown?.['requestId']], ['output', requestId]);
  assert.equal((await followed)['requestId'], requestId);
});
