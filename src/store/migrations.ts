// The schema, step by step. A published step is never edited: add the next one. Called by the engines at open.
import type { ColumnDataType, Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type { Schema } from './engine.ts';

/** The column types that databases name differently. */
export type ColumnTypes = { readonly text: ColumnDataType; readonly integer: ColumnDataType };

type Column = { readonly name: string; readonly type: keyof ColumnTypes };
type Index = { readonly columns: readonly string[]; readonly isUnique: boolean };

const text = (name: string): Column => ({ name, type: 'text' });
const integer = (name: string): Column => ({ name, type: 'integer' });
const unique = (...columns: string[]): Index => ({ columns, isUnique: true });
const index = (...columns: string[]): Index => ({ columns, isUnique: false });

/** A table of documents: key, searchable columns, and the document as JSON text (or sealed JSON). */
async function createDocumentTable(
  db: Kysely<Schema>,
  types: ColumnTypes,
  table: { readonly name: string; readonly columns: readonly Column[]; readonly indexes: readonly Index[] },
): Promise<void> {
  let create = db.schema
    .createTable(table.name)
    .addColumn('key', types.text, (column) => column.primaryKey().notNull());
  for (const { name, type } of table.columns)
    create = create.addColumn(name, types[type], (column) => column.notNull());
  await create.addColumn('row', types.text, (column) => column.notNull()).execute();
  for (const { columns, isUnique } of table.indexes) {
    const make = db.schema
      .createIndex(`${table.name}_${columns.join('_')}`)
      .on(table.name)
      .columns([...columns]);
    await (isUnique ? make.unique() : make).execute();
  }
}

async function createPublished(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('published')
    .addColumn('kind', types.text, (column) => column.notNull())
    .addColumn('key', types.text, (column) => column.notNull())
    .addColumn('version', types.integer, (column) => column.notNull())
    // Null: withdrawn.
    .addColumn('value', types.text)
    .addPrimaryKeyConstraint('published_primary', ['kind', 'key'])
    .execute();
  await db.schema.createIndex('published_version').on('published').columns(['version', 'kind', 'key']).execute();
}

/** Facts of the store itself by name: `version`, `prunedTo`, `sealing`. */
async function createInternals(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('internals')
    .addColumn('name', types.text, (column) => column.primaryKey().notNull())
    .addColumn('value', types.text, (column) => column.notNull())
    .execute();
}

async function first(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  const tables = [
    { name: 'groups', columns: [text('groupName')], indexes: [unique('groupName')] },
    {
      name: 'apis',
      columns: [text('groupId'), text('apiName'), text('route')],
      indexes: [unique('groupId', 'apiName'), index('apiName'), unique('route')],
    },
    { name: 'deployments', columns: [text('apiId'), text('groupId')], indexes: [index('apiId'), index('groupId')] },
    { name: 'histories', columns: [text('apiId'), text('groupId')], indexes: [index('apiId'), index('groupId')] },
    { name: 'apps', columns: [text('appName'), text('appKey')], indexes: [index('appName'), unique('appKey')] },
    { name: 'grants', columns: [integer('appId'), text('apiId')], indexes: [index('appId'), index('apiId')] },
    { name: 'services', columns: [], indexes: [] },
    {
      name: 'functions',
      columns: [text('serviceName'), text('packageSha256')],
      indexes: [index('serviceName'), index('packageSha256')],
    },
    { name: 'accessKeys', columns: [], indexes: [] },
    { name: 'meta', columns: [], indexes: [] },
  ];
  for (const table of tables) await createDocumentTable(db, types, table);
  await createPublished(db, types);
  await createInternals(db, types);
}

async function domainsAndModels(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  await createDocumentTable(db, types, {
    name: 'domains',
    columns: [text('groupId')],
    indexes: [index('groupId')],
  });
  await createDocumentTable(db, types, {
    name: 'models',
    columns: [text('groupId'), text('name')],
    indexes: [index('groupId'), unique('name')],
  });
}

async function versions(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  for (const name of ['versions', 'functionVersions', 'aliases']) {
    await createDocumentTable(db, types, { name, columns: [], indexes: [] });
  }
}

async function backends(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  await createDocumentTable(db, types, {
    name: 'backends',
    columns: [text('backendName')],
    indexes: [unique('backendName')],
  });
  await createDocumentTable(db, types, {
    name: 'vpcAccesses',
    columns: [text('place')],
    indexes: [unique('place')],
  });
}

async function policies(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  for (const name of ['trafficControls', 'ipControls', 'signatureKeys']) {
    await createDocumentTable(db, types, { name, columns: [], indexes: [] });
  }
  await createDocumentTable(db, types, {
    name: 'policyBindings',
    columns: [text('groupId'), text('policy')],
    indexes: [index('groupId'), index('policy')],
  });
}

async function layers(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  for (const name of ['layers', 'layerVersions'])
    await createDocumentTable(db, types, { name, columns: [], indexes: [] });
}

async function triggers(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  await createDocumentTable(db, types, { name: 'triggers', columns: [], indexes: [] });
}

async function scaling(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  await createDocumentTable(db, types, { name: 'instanceLimits', columns: [], indexes: [] });
}

async function provisions(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  await createDocumentTable(db, types, { name: 'provisions', columns: [], indexes: [] });
}

async function logConfigs(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  await createDocumentTable(db, types, { name: 'logConfigs', columns: [], indexes: [] });
}

function migrations(types: ColumnTypes): Record<string, Migration> {
  return {
    '0001_first': { up: (db: Kysely<Schema>) => first(db, types) },
    '0002_domains_models': { up: (db: Kysely<Schema>) => domainsAndModels(db, types) },
    '0003_versions': { up: (db: Kysely<Schema>) => versions(db, types) },
    '0004_backends': { up: (db: Kysely<Schema>) => backends(db, types) },
    '0005_policies': { up: (db: Kysely<Schema>) => policies(db, types) },
    '0006_layers': { up: (db: Kysely<Schema>) => layers(db, types) },
    '0007_triggers': { up: (db: Kysely<Schema>) => triggers(db, types) },
    '0008_instance_limits': { up: (db: Kysely<Schema>) => scaling(db, types) },
    '0009_provisions': { up: (db: Kysely<Schema>) => provisions(db, types) },
    '0010_log_configs': { up: (db: Kysely<Schema>) => logConfigs(db, types) },
  };
}

/** Where Kysely notes the steps that were done. */
const stepsTable = 'kysely_migration';

/** Steps that the database has seen and this version does not know. */
async function unknownSteps(db: Kysely<Schema>, known: Record<string, Migration>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === stepsTable)) return [];
  const done = await db.selectFrom(stepsTable).select('name').execute();
  return done.map(({ name }) => String(name)).filter((name) => known[name] === undefined);
}

/**
 * Runs the steps that the database has not seen, all or none.
 *
 * Errors: throws what the failing step threw, or that the database holds steps unknown here.
 */
export async function migrate(db: Kysely<Schema>, types: ColumnTypes): Promise<void> {
  const steps = migrations(types);
  const unknown = await unknownSteps(db, steps);
  if (unknown.length > 0) throw new Error(`it was made by a newer version of yunmen (it has ${unknown.join(', ')})`);
  const migrator = new Migrator({ db, migrationTableName: stepsTable, provider: { getMigrations: async () => steps } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}
