// Opens a store over SQLite: key, database, packages, in that order; and ties them together as port.ts promises.
import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { ChangeBatch } from '../model/published.ts';
import { type Access, createCollection } from './collection.ts';
import type { Engine } from './engine.ts';
import { SecretKeyError } from './errors.ts';
import { Announcements, pruneWithdrawn, readChanges, writeChanges } from './feed.ts';
import { readCount, readInternal, writeInternal } from './internals.ts';
import { Packages } from './packages/packages.ts';
import type { Collections, Store } from './port.ts';
import type { Tables } from './rows.ts';
import { createSealer, type Sealer } from './sealing.ts';
import { deriveKey, loadSecretKeyFile, parseSecretKey } from './secret-key.ts';
import { openSqlite } from './sqlite/open.ts';
import { makePrivateDirectory } from './sync-files.ts';
import { tableSpecs } from './tables.ts';
import { Transactions } from './transactions.ts';
import { Uploads } from './uploads.ts';

export type StoreOptions = {
  readonly dataDir: string;
  readonly clock: Clock;
  /** Text of YUNMEN_SECRET_KEY: 64 hex digits or base64 of 32 bytes. Absent: the key file. */
  readonly secretKey?: string;
  /** Where the key is kept; `<dataDir>/secret.key` unless told. */
  readonly secretKeyFile?: string;
};

/**
 * Opens the store in `dataDir`, making what is absent. The caller holds the directory's lock (acquireDataDir).
 *
 * Errors: SecretKeyError when the key is missing, unsafe or another one; Error when the database or a package cannot be read.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const dataDir = resolve(options.dataDir);
  makePrivateDirectory(dataDir);
  for (const leftover of ['secret.key.tmp', '.gitignore.tmp']) rmSync(join(dataDir, leftover), { force: true });
  const path = join(dataDir, 'yunmen.db');
  const { secretKey, secretKeyFile = join(dataDir, 'secret.key') } = options;
  const key =
    secretKey === undefined
      ? loadSecretKeyFile(secretKeyFile, !existsSync(path))
      : parseSecretKey(secretKey, 'YUNMEN_SECRET_KEY');
  const engine = await openSqlite(path);
  try {
    const sealer = createSealer([key]);
    const transactions = new Transactions(engine);
    await transactions.write((access) => prepare(access, sealer, dataDir));
    const packages = await Packages.open({ directory: join(dataDir, 'code'), clock: options.clock });
    const uploads = await Uploads.open({ directory: join(dataDir, 'uploads'), clock: options.clock });
    return assemble({ engine, sealer, transactions, packages, uploads, key });
  } catch (error) {
    await engine.db.destroy();
    throw error;
  }
}

const sealedWord = 'yunmen';
const sealedWordPlace = 'internals/sealing';

/** Makes sure that this is the key of this data, and starts the feed clean. */
async function prepare({ db }: Access, sealer: Sealer, dataDir: string): Promise<void> {
  const sealed = await readInternal(db, 'sealing');
  if (sealed === null) await writeInternal(db, 'sealing', sealer.seal(sealedWord, sealedWordPlace));
  else {
    try {
      sealer.open(sealed, sealedWordPlace);
    } catch (cause) {
      throw new SecretKeyError(
        `the secret key (${sealer.keyId}) is not the one that ${dataDir} was sealed with; give the former key`,
        { cause },
      );
    }
  }
  await pruneWithdrawn(db);
}

type Parts = {
  readonly engine: Engine;
  readonly sealer: Sealer;
  readonly transactions: Transactions;
  readonly packages: Packages;
  readonly uploads: Uploads;
  readonly key: Buffer;
};

function assemble({ engine, sealer, transactions, packages, uploads, key }: Parts): Store {
  const listeners = new Set<(batch: ChangeBatch) => void>();
  const announce = (batch: ChangeBatch | null) => {
    if (batch === null) return;
    for (const listener of listeners) callListener(listener, batch);
  };
  const rowsOf = (access: Access) => createCollections(access, engine, sealer);
  return {
    read: (work) => transactions.read((access) => work({ rows: rowsOf(access) })),
    async write(work) {
      const { result, version } = await transactions.write(
        async (access) => {
          const announcements = new Announcements();
          const result = await work({
            rows: rowsOf(access),
            publish: (kind, key, value) => access.run(async () => announcements.add(kind, key, value)),
          });
          await access.end();
          const batch = await writeChanges(access.db, sealer, announcements);
          return { result, batch, version: batch?.version ?? (await readCount(access.db, 'version')) };
        },
        ({ batch }) => announce(batch),
      );
      return { result, version };
    },
    changesSince: (after, limit) => transactions.read(({ db }) => readChanges(db, sealer, { after, limit })),
    onPublished(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    packages,
    uploads,
    deriveKey: (purpose) => deriveKey(key, purpose),
    async close() {
      listeners.clear();
      await packages.close();
      await transactions.close();
    },
  };
}

/** A listener's error is a bug of the listener: it must not undo the acknowledgement of a commit, nor go unseen. */
function callListener(listener: (batch: ChangeBatch) => void, batch: ChangeBatch): void {
  try {
    listener(batch);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function createCollections(access: Access, { isDuplicate }: Engine, sealer: Sealer): Collections {
  const make = <T extends keyof Tables>(table: T) =>
    createCollection<Tables[T]['row'], Tables[T]['index']>(
      { table, spec: tableSpecs[table], sealer, isDuplicate },
      access,
    );
  return {
    groups: make('groups'),
    domains: make('domains'),
    models: make('models'),
    backends: make('backends'),
    vpcAccesses: make('vpcAccesses'),
    trafficControls: make('trafficControls'),
    ipControls: make('ipControls'),
    signatureKeys: make('signatureKeys'),
    policyBindings: make('policyBindings'),
    apis: make('apis'),
    deployments: make('deployments'),
    histories: make('histories'),
    apps: make('apps'),
    grants: make('grants'),
    services: make('services'),
    functions: make('functions'),
    versions: make('versions'),
    functionVersions: make('functionVersions'),
    aliases: make('aliases'),
    triggers: make('triggers'),
    instanceLimits: make('instanceLimits'),
    provisions: make('provisions'),
    layers: make('layers'),
    layerVersions: make('layerVersions'),
    accessKeys: make('accessKeys'),
    logConfigs: make('logConfigs'),
    meta: make('meta'),
  };
}
