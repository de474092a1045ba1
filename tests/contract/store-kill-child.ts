// A server's store alone, to be killed: writes rows, packages and publications without end, sweeps, and prints an ack for each write.
// Started by store-kill.contract.test.ts with the data directory, a round number and a seed.
import { createHash } from 'node:crypto';
import { readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { acquireDataDir, openStore } from '../../src/store/index.ts';
import { type Ack, groupOf, makeRandom, zipOf } from './store-kill-plan.ts';

const [dataDir = '', round = '0', seed = '0'] = process.argv.slice(2);
const writers = 8;
/** Enough work to be killed in, never an endless child. */
const ackLimit = 100_000;

acquireDataDir(dataDir);
const store = await openStore({ dataDir, clock: systemClock });
const random = makeRandom(Number(seed));
/** Packages that no sweep may take: those of former rounds, and each of ours from before it is added. */
const wanted = new Set(readdirSync(join(dataDir, 'code')).map((name) => name.replace('.zip', '')));
let acks = 0;

/** Written at once, past every buffer of ours: what the parent has read was acknowledged. */
function print(ack: Ack | 'ready'): void {
  writeSync(1, `${JSON.stringify(ack)}\n`);
}

async function writeOne(id: string): Promise<void> {
  const dice = random();
  if (dice < 0.02) {
    await store.packages.add(zipOf(`${id}-unwanted`, random));
    await store.packages.sweep(wanted, 0);
    return;
  }
  if (dice < 0.05) {
    const zip = zipOf(id, random);
    wanted.add(createHash('sha256').update(zip).digest('hex'));
    const added = await store.packages.add(zip);
    if (!added.ok) throw new Error(added.message);
    print({ kind: 'package', sha256: added.sha256, checksum: added.checksum, id });
    return;
  }
  if (dice < 0.15) {
    const { version } = await store.write(async (tx) => {
      await tx.rows.groups.insert(groupOf(id));
      await tx.rows.groups.delete(id);
      await tx.publish('service', id, { serviceName: id });
      await tx.publish('service', `${id}-gone`, null);
    });
    print({ kind: 'published', id, version });
    return;
  }
  const { version } = await store.write(async (tx) => {
    await tx.rows.groups.insert(groupOf(id));
    if (dice < 0.5) await tx.publish('service', id, { serviceName: id });
  });
  print({ kind: 'row', id, version: dice < 0.5 ? version : null });
}

async function runWriter(writer: number): Promise<void> {
  for (let count = 0; acks < ackLimit; count++) {
    await writeOne(`r${round}w${writer}n${count}`);
    acks += 1;
  }
}

print('ready');
await Promise.all(Array.from({ length: writers }, (_, index) => runWriter(index)));
