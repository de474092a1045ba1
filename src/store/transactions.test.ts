import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { migrate } from './migrations.ts';
import { openSqlite } from './sqlite/open.ts';
import { Transactions } from './transactions.ts';

async function openMemory(context: TestContext) {
  const engine = await openSqlite(':memory:');
  const transactions = new Transactions(engine);
  context.after(() => transactions.close());
  return { engine, transactions };
}

test('commits waiting writes together, each read by itself', async (context) => {
  const { engine, transactions } = await openMemory(context);
  const seen: string[] = [];
  const insert = (name: string) =>
    transactions.write(
      ({ db }) => db.insertInto('meta').values({ key: name, row: '{}' }).execute(),
      () => seen.push(`${name} ${engine.isInTransaction()}`),
    );
  const count = () => transactions.read(async ({ db }) => (await db.selectFrom('meta').select('key').execute()).length);
  const [, , between, , after] = await Promise.all([insert('a'), insert('b'), count(), insert('c'), count()]);
  assert.deepEqual([between, after], [2, 3]);
  assert.deepEqual(seen, ['a false', 'b false', 'c false']);
});

test('undoes what a read would write', async (context) => {
  const { transactions } = await openMemory(context);
  await transactions.read(({ db }) => db.insertInto('meta').values({ key: 'a', row: '{}' }).execute());
  assert.deepEqual(await transactions.read(({ db }) => db.selectFrom('meta').selectAll().execute()), []);
});

test('rejects the whole group when the database ends the transaction, and goes on with the next', async (context) => {
  const { transactions } = await openMemory(context);
  const insert = (name: string) =>
    transactions.write(({ db }) => db.insertInto('meta').values({ key: name, row: '{}' }).execute());
  const broken = transactions.write(async ({ db, run }) => {
    await sql`rollback`.execute(db);
    await run(async () => {});
  });
  const results = await Promise.allSettled([insert('a'), broken, insert('c')]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  );
  await insert('d');
  const kept = await transactions.read(({ db }) => db.selectFrom('meta').select('key').execute());
  assert.deepEqual(
    kept.map((row) => row['key']),
    ['d'],
  );
});

test('refuses a database that a newer version made', async (context) => {
  const { engine, transactions } = await openMemory(context);
  await transactions.write(({ db }) =>
    db.insertInto('kysely_migration').values({ name: '9999_later', timestamp: '2099' }).execute(),
  );
  await assert.rejects(migrate(engine.db, { text: 'text', integer: 'integer' }), /newer version/);
});
