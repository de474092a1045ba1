// The server of docs/recipes/systemd.md's unit, looked at from within the guest that runs it. Run by guest-systemd.sh.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import type { Credentials, Ready, ServerFacts } from '../harness/server.ts';

const dataDir = '/var/lib/yunmen';
const unit = '/system.slice/yunmen.service';
const code = `exports.handler = (event, context, callback) => {
  if (String(event) === '"hoard"') for (const kept = [];;) kept.push(Buffer.alloc(1 << 20, 1));
  callback(null, JSON.stringify({ id: process.env.FC_INSTANCE_ID }));
};
`;

let facts: ServerFacts & Pick<Ready, 'api'>;
let api: OpenApi;

before(async () => {
  while (globSync(`${dataDir}/server.json`).length === 0) await sleep(200);
  facts = JSON.parse(readFileSync(`${dataDir}/server.json`, 'utf8')) as typeof facts;
  const credentials = JSON.parse(readFileSync(`${dataDir}/credentials.json`, 'utf8')) as Credentials;
  api = new OpenApi(facts as unknown as Ready, credentials);
  const zipFile = await zipped({ 'index.js': code });
  const made = {
    functionName: 'f',
    runtime: 'nodejs20',
    handler: 'index.handler',
    memorySize: 256,
    timeout: 120,
    code: { zipFile },
  };
  const { status, body } = await api.fc('POST', '/functions', made);
  assert.equal(status, 200, JSON.stringify(body));
});

/** What a call answers that an instance takes; a start may take longer here than it is given. */
async function instanceId(): Promise<string> {
  for (;;) {
    const { body } = await api.fc('POST', '/functions/f/invocations', {});
    if (body['id'] !== undefined) return String(body['id']);
    assert.match(String(body['Message']), /could not be started/);
  }
}

test('all of the server is in the unit, and nothing of it in the group that holds groups', () => {
  for (const pid of Object.values(facts.pids)) {
    const [line = ''] = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
    assert.ok(line.startsWith(`0::${unit}/`), line);
  }
});

test('an instance has a group of its own there, with the memory of its function as the limit', async () => {
  const [group, ...others] = globSync(`/sys/fs/cgroup${unit}/yunmen-*.${await instanceId()}`);
  assert.ok(group !== undefined && others.length === 0);
  assert.equal(Number(readFileSync(`${group}/memory.max`, 'utf8')), 256 << 20);
  assert.equal(Number(readFileSync(`${group}/pids.max`, 'utf8')), 1024);
});

test('a function that takes more is ended by the kernel, and the next call works', async () => {
  const killed = () => {
    const [group = ''] = globSync(`/sys/fs/cgroup${unit}`);
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync(`${group}/memory.events`, 'utf8'))?.[1]);
  };
  const before = killed();
  const { body } = await api.fc('POST', '/functions/f/invocations', 'hoard' as unknown as object);
  assert.match(String(body['errorMessage']), /^Process exited unexpectedly .* maxMemoryUsage: 2\d\d\.\d+MB\)$/);
  assert.ok(killed() > before);
  assert.match(await instanceId(), /^c-/);
});
