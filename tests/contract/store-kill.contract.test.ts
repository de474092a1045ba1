// Kills a writing process at random moments and holds the store to everything it acknowledged.
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { counted, isTorture } from '../../scripts/test/torture.ts';
import { systemClock } from '../../src/base/clock.ts';
import { acquireDataDir, openStore, type Store } from '../../src/store/index.ts';
import { type Ack, groupOf, makeRandom } from './store-kill-plan.ts';

const rounds = counted(15, 200);
const leastAcks = counted(200, 20_000);
/** Rounds are added when the kills came too early for that many acks; this many at most. */
const extraRounds = counted(30, 200);
/** The kill comes after so many acks at most. Sometimes at once, while the store still opens. */
const mostAcksARound = isTorture ? 400 : 120;
const seed = Number(process.env['YUNMEN_SEED'] ?? '20261122');
const childFile = fileURLToPath(new URL('./store-kill-child.ts', import.meta.url));

test(`keeps every acknowledged write over ${rounds} kills at random moments`, async (context) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'yunmen-kill-'));
  context.after(() => rm(dataDir, { recursive: true, force: true }));
  const random = makeRandom(seed);
  const acks: Ack[] = [];
  let round = 0;
  for (; round < rounds || (acks.length < leastAcks && round < rounds + extraRounds); round++) {
    const seen = await killOneChild({ dataDir, round, seed: Math.floor(random() * 2 ** 31), random });
    await judge(dataDir, seen);
    acks.push(...seen);
  }
  await judge(dataDir, acks);
  assert.ok(acks.length >= leastAcks, `only ${acks.length} acks`);
  for (const kind of ['row', 'published', 'package'])
    assert.ok(
      acks.some((ack) => ack.kind === kind),
      `no ${kind} acknowledged`,
    );
  context.diagnostic(`${acks.length} acks over ${round} kills, seed ${seed}`);
});

type Round = { readonly dataDir: string; readonly round: number; readonly seed: number; readonly random: () => number };

/** Runs a child and kills it after a random number of acks; gives the acks whose whole line came through. */
async function killOneChild({ dataDir, round, seed: childSeed, random }: Round): Promise<Ack[]> {
  const child: ChildProcessByStdio<null, Readable, null> = spawn(
    process.execPath,
    [childFile, dataDir, String(round), String(childSeed)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  // Every seventh child dies somewhere in its start: between any two steps of opening.
  const isEarly = round % 7 === 3;
  const killAt = 1 + Math.floor(random() * mostAcksARound);
  const earlyMs = random() * 150;
  const timer = isEarly ? setTimeout(() => child.kill('SIGKILL'), earlyMs) : null;
  let text = '';
  let lines = 0;
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    text += chunk;
    lines += String(chunk).split('\n').length - 1;
    if (lines >= killAt) child.kill('SIGKILL');
  }
  if (timer !== null) clearTimeout(timer);
  const [code, signal] = await exited;
  assert.equal(signal, 'SIGKILL', `the child ended by itself with ${code}`);
  const whole = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(1, -1);
  return whole.map((line) => JSON.parse(line) as Ack);
}

/** Opens the store as a next server would and looks for everything. */
async function judge(dataDir: string, acks: readonly Ack[]): Promise<void> {
  const lock = acquireDataDir(dataDir);
  try {
    const store = await openStore({ dataDir, clock: systemClock });
    try {
      await judgeRows(store, acks);
      await judgePackages(store, dataDir, acks);
    } finally {
      await store.close();
    }
    judgeFiles(dataDir);
  } finally {
    lock.release();
  }
}

async function judgeRows(store: Store, acks: readonly Ack[]): Promise<void> {
  const feed = await store.changesSince(0, 1_000_000);
  const services = new Map(feed.changes.map((change) => [change.key, change.value]));
  await store.read(async ({ rows }) => {
    for (const ack of acks) {
      if (ack.kind === 'package') continue;
      assert.deepEqual(await rows.groups.get(ack.id), ack.kind === 'row' ? groupOf(ack.id) : null);
      if (ack.version === null) assert.equal(services.has(ack.id), false, `${ack.id} was never published`);
      else {
        assert.deepEqual(services.get(ack.id), { serviceName: ack.id });
        assert.ok(feed.version >= ack.version);
      }
    }
  });
}

async function judgePackages(store: Store, dataDir: string, acks: readonly Ack[]): Promise<void> {
  for (const ack of acks) {
    if (ack.kind !== 'package') continue;
    const zip = await store.packages.read(ack.sha256);
    assert.ok(zip !== null, `package ${ack.sha256} is lost`);
    assert.equal(createHash('sha256').update(zip).digest('hex'), ack.sha256);
    assert.equal(readFileSync(join(dataDir, 'code', ack.sha256, 'index.py'), 'utf8'), ack.id);
  }
}

/** No leftovers, every zip with its directory and the other way round, and a sound database. */
function judgeFiles(dataDir: string): void {
  const names = readdirSync(join(dataDir, 'code'));
  const zips = names.filter((name) => name.endsWith('.zip')).map((name) => name.slice(0, -4));
  const directories = names.filter((name) => !name.endsWith('.zip'));
  assert.deepEqual(zips.sort(), directories.sort());
  assert.deepEqual(readdirSync(dataDir).sort(), [
    '.gitignore',
    'code',
    'lock.db',
    'secret.key',
    'uploads',
    'yunmen.db',
  ]);
  const database = new DatabaseSync(join(dataDir, 'yunmen.db'));
  try {
    assert.deepEqual({ ...database.prepare('pragma integrity_check').get() }, { integrity_check: 'ok' });
  } finally {
    database.close();
  }
}
