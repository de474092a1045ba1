import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { bind, CachingDatabase, isBusy, isDuplicate } from './database.ts';

function memory(): CachingDatabase {
  return new CachingDatabase(new DatabaseSync(':memory:'));
}

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('prepares a text once', () => {
  const database = memory();
  assert.equal(database.prepare('select 1'), database.prepare('select 1'));
  database.close();
});

test('forgets the oldest statements beyond its limit and still runs them', () => {
  const database = memory();
  const first = database.prepare('select 0 as n');
  for (let n = 1; n <= 500; n++) database.prepare(`select ${n} as n`);
  const again = database.prepare('select 0 as n');
  assert.notEqual(again, first);
  assert.deepEqual({ ...(again.all([])[0] as object) }, { n: 0 });
  database.close();
});

test('tells statements that give rows from those that change some', () => {
  const database = memory();
  assert.equal(database.prepare('create table t (k text primary key, v integer)').reader, false);
  database.prepare('create table t (k text primary key, v integer)').run([]);
  assert.equal(database.prepare('select * from t').reader, true);
  assert.equal(database.prepare('insert into t values (?, ?)').run(['a', true]).changes, 1);
  assert.equal(database.prepare('insert into t values (?, ?) returning k').reader, true);
  assert.deepEqual({ ...(database.prepare('select v from t').all([])[0] as object) }, { v: 1 });
  database.close();
});

test('knows a taken primary key and a taken unique value from other errors', () => {
  const database = memory();
  database.prepare('create table t (k text primary key, v integer unique not null)').run([]);
  const insert = database.prepare('insert into t values (?, ?)');
  insert.run(['a', 1]);
  assert.equal(isDuplicate(errorOf(() => insert.run(['a', 2]))), true);
  assert.equal(isDuplicate(errorOf(() => insert.run(['b', 1]))), true);
  assert.equal(isDuplicate(errorOf(() => insert.run(['c', null]))), false);
  assert.equal(isDuplicate(new Error('UNIQUE constraint failed')), false);
  assert.equal(isBusy(errorOf(() => insert.run(['a', 2]))), false);
  database.close();
});

test('takes the write lock when a transaction begins', () => {
  const database = memory();
  assert.equal(database.prepare('begin'), database.prepare('begin immediate'));
  database.close();
});

test('binds only what SQLite keeps as it is, and never repeats a refused value', () => {
  assert.deepEqual([null, 'a', 1.5, 2n, true, false].map(bind), [null, 'a', 1.5, 2n, 1, 0]);
  assert.deepEqual(bind(Buffer.from('x')), Buffer.from('x'));
  for (const value of [undefined, {}, ['secret'], Symbol('secret'), () => {}, Number.NaN]) {
    assert.throws(
      () => bind(value),
      (error: Error) => error instanceof TypeError && !error.message.includes('secret'),
    );
  }
});
