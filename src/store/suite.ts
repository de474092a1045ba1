// What every store must do, whatever it is kept in. Run by tests/contract/store.contract.test.ts for each engine.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { ChangeBatch } from '../model/published.ts';
import type { ReadTransaction, Store, WriteTransaction } from './port.ts';
import { appRow, functionRow, grantRow, groupRow, versionRow } from './suite-rows.ts';

/** A place where a store can be opened, closed and opened again with the same content. */
export type Place = { open(): Promise<Store>; dispose(): Promise<void> };

export type StoreSuite = { readonly name: string; makePlace(): Promise<Place> };

/** Declares the tests of a store. */
export function storeSuite({ name, makePlace }: StoreSuite): void {
  const opened = async (context: TestContext): Promise<{ store: Store; reopen: () => Promise<Store> }> => {
    const place = await makePlace();
    let store = await place.open();
    context.after(async () => {
      await store.close();
      await place.dispose();
    });
    const reopen = async () => {
      await store.close();
      store = await place.open();
      return store;
    };
    return { store, reopen };
  };
  describe(`store over ${name}: rows`, () => declareRowTests(opened));
  describe(`store over ${name}: transactions`, () => declareTransactionTests(opened));
  describe(`store over ${name}: keys`, () => declareKeyTests(opened));
  describe(`store over ${name}: feed`, () => declareFeedTests(opened));
}

type Opened = (context: TestContext) => Promise<{ store: Store; reopen: () => Promise<Store> }>;

const duplicate = { code: 'DuplicateRow' };

async function put(store: Store, work: (tx: WriteTransaction) => Promise<unknown>): Promise<number> {
  return (await store.write(work)).version;
}

function declareRowTests(opened: Opened): void {
  test('gives back what was inserted, also after opening again', async (context) => {
    const { store, reopen } = await opened(context);
    await put(store, async ({ rows }) => {
      await rows.groups.insert(groupRow('g1'));
      await rows.apps.insert(appRow(7));
      await rows.functions.insert(functionRow('svc', 'fn'));
    });
    const look = async ({ rows }: ReadTransaction) => [
      await rows.groups.get('g1'),
      await rows.apps.get('7'),
      await rows.functions.get('svc/fn'),
      await rows.groups.get('g2'),
    ];
    const expected = [groupRow('g1'), appRow(7), functionRow('svc', 'fn'), null];
    assert.deepEqual(await store.read(look), expected);
    assert.deepEqual(await (await reopen()).read(look), expected);
  });

  test('replaces and deletes only rows that are there', async (context) => {
    const { store } = await opened(context);
    await put(store, async ({ rows }) => {
      assert.equal(await rows.groups.update(groupRow('g1')), false);
      assert.equal(await rows.groups.delete('g1'), false);
      await rows.groups.insert(groupRow('g1'));
      assert.equal(await rows.groups.update(groupRow('g1', 'renamed')), true);
      assert.equal((await rows.groups.get('g1'))?.groupName, 'renamed');
      assert.equal((await rows.groups.find('groupName', 'renamed', 10)).length, 1);
      assert.equal((await rows.groups.find('groupName', 'name of g1', 10)).length, 0);
      assert.equal(await rows.groups.delete('g1'), true);
      assert.equal(await rows.groups.get('g1'), null);
    });
  });

  test('refuses a taken key or unique value, and the transaction goes on', async (context) => {
    const { store } = await opened(context);
    await put(store, async ({ rows }) => {
      await rows.groups.insert(groupRow('g1', 'one'));
      await rows.groups.insert(groupRow('g2', 'two'));
      await assert.rejects(rows.groups.insert(groupRow('g1', 'other')), { ...duplicate, table: 'groups', key: 'g1' });
      await assert.rejects(rows.groups.insert(groupRow('g3', 'one')), duplicate);
      await assert.rejects(rows.groups.update(groupRow('g2', 'one')), duplicate);
      await rows.apps.insert(appRow(1, 'key'));
      await assert.rejects(rows.apps.insert(appRow(2, 'key')), duplicate);
      await rows.groups.insert(groupRow('g4'));
    });
    const ids = await store.read(async ({ rows }) => (await rows.groups.list({ limit: 10 })).map((row) => row.groupId));
    assert.deepEqual(ids, ['g1', 'g2', 'g4']);
  });

  test('lists pages in the order of keys, from an inclusive start, below a prefix', async (context) => {
    const { store } = await opened(context);
    await put(store, async ({ rows }) => {
      for (const name of ['b', 'a', 'c', 'd']) await rows.functions.insert(functionRow('svc', name));
      await rows.functions.insert(functionRow('svc2', 'a'));
      await rows.functions.insert(functionRow(null, 'alone'));
    });
    await store.read(async ({ rows: { functions } }) => {
      const keys = async (page: Parameters<typeof functions.list>[0]) =>
        (await functions.list(page)).map(({ key }) => key);
      assert.deepEqual(await keys({ limit: 10 }), ['alone', 'svc/a', 'svc/b', 'svc/c', 'svc/d', 'svc2/a']);
      assert.deepEqual(await keys({ prefix: 'svc/', limit: 2 }), ['svc/a', 'svc/b']);
      assert.deepEqual(await keys({ prefix: 'svc/', startKey: 'svc/c', limit: 10 }), ['svc/c', 'svc/d']);
      assert.deepEqual(await keys({ where: { index: 'serviceName', value: '' }, limit: 10 }), ['alone']);
      assert.deepEqual(await keys({ startKey: 'svc2', limit: 0 }), []);
      await assert.rejects(functions.list({ limit: -1 }), RangeError);
      assert.equal((await functions.find('serviceName', 'svc', 3)).length, 3);
      assert.equal(await functions.count('serviceName', 'svc'), 4);
      assert.equal(await functions.count('serviceName', 'none'), 0);
    });
  });

  test('lists from the end, and orders numbers at the end of a key as numbers', async (context) => {
    const { store } = await opened(context);
    await put(store, async ({ rows }) => {
      for (const id of ['2', '10', '1']) await rows.versions.insert(versionRow('services/s1', id));
      await rows.versions.insert(versionRow('services/s', '3'));
    });
    await store.read(async ({ rows: { versions } }) => {
      const ids = async (page: Parameters<typeof versions.list>[0]) =>
        (await versions.list(page)).map(({ owner, versionId }) => `${owner}/${versionId}`);
      const all = ['services/s/3', 'services/s1/1', 'services/s1/2', 'services/s1/10'];
      assert.deepEqual(await ids({ limit: 10 }), all);
      assert.deepEqual(await ids({ limit: 10, isDescending: true }), all.toReversed());
      const page = { prefix: 'services/s1/', limit: 2, isDescending: true };
      assert.deepEqual(await ids(page), ['services/s1/10', 'services/s1/2']);
      assert.deepEqual(await ids({ ...page, startKey: 'services/s1/2' }), ['services/s1/2', 'services/s1/1']);
      assert.equal((await versions.get('services/s1/10'))?.versionId, '10');
    });
  });

  test('orders numeric keys as numbers and finds by a numeric column', async (context) => {
    const { store } = await opened(context);
    await put(store, async ({ rows }) => {
      for (const id of [100, 9, 20]) await rows.apps.insert(appRow(id));
      for (const id of [1, 10, 100]) await rows.grants.insert(grantRow(id, 'api'));
    });
    await store.read(async ({ rows }) => {
      const apps = await rows.apps.list({ startKey: '10', limit: 10 });
      assert.deepEqual(
        apps.map((row) => row.appId),
        [20, 100],
      );
      const grants = await rows.grants.list({ prefix: '10/', limit: 10 });
      assert.deepEqual(
        grants.map((row) => row.appId),
        [10],
      );
      assert.equal((await rows.grants.get('100/api/RELEASE'))?.appId, 100);
      assert.equal(await rows.grants.count('appId', 1), 1);
    });
  });
}

function declareKeyTests(opened: Opened): void {
  test('derives the same key for a purpose after opening again, and another for each purpose', async (context) => {
    const { store, reopen } = await opened(context);
    const key = store.deriveKey('tokens');
    assert.equal(key.length, 32);
    assert.notDeepEqual(store.deriveKey('others'), key);
    assert.deepEqual((await reopen()).deriveKey('tokens'), key);
  });
}

function declareTransactionTests(opened: Opened): void {
  test('leaves nothing of a write that throws, and everything of its neighbours', async (context) => {
    const { store } = await opened(context);
    const batches: ChangeBatch[] = [];
    store.onPublished((batch) => batches.push(batch));
    const failure = new Error('no');
    const results = await Promise.allSettled(
      ['a', 'bad', 'c'].map((id) =>
        store.write(async (tx) => {
          await tx.rows.groups.insert(groupRow(id));
          await tx.publish('service', id, { serviceName: id });
          if (id === 'bad') throw failure;
        }),
      ),
    );
    assert.deepEqual(
      results.map((result) => result.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.equal(results[1]?.status === 'rejected' && results[1].reason, failure);
    const kept = await store.read(async ({ rows }) => (await rows.groups.list({ limit: 9 })).map((row) => row.groupId));
    assert.deepEqual(kept, ['a', 'c']);
    assert.deepEqual(
      batches.map(({ version, changes }) => [version, changes[0]?.key]),
      [
        [1, 'a'],
        [2, 'c'],
      ],
    );
  });

  test('runs writes one after the other in the order they came', async (context) => {
    const { store } = await opened(context);
    const add = async ({ rows }: WriteTransaction) => {
      const row = await rows.meta.get('count');
      const next = { name: 'count', value: String(Number(row?.value ?? '0') + 1) };
      if (row === null) await rows.meta.insert(next);
      else await rows.meta.update(next);
      return next.value;
    };
    const results = await Promise.all(Array.from({ length: 200 }, () => store.write(add)));
    assert.deepEqual(
      results.map(({ result }) => result),
      Array.from({ length: 200 }, (_, index) => String(index + 1)),
    );
  });

  test('shows a reader the writes before it and none half done', async (context) => {
    const { store } = await opened(context);
    const pair = (id: string) =>
      store.write(async ({ rows }) => {
        await rows.groups.insert(groupRow(`${id}1`));
        await rows.groups.insert(groupRow(`${id}2`));
      });
    const count = () => store.read(async ({ rows }) => (await rows.groups.list({ limit: 100 })).length);
    const [, first, , second] = await Promise.all([pair('a'), count(), pair('b'), count()]);
    assert.deepEqual([first, second], [2, 4]);
  });

  test('refuses what is done with a transaction after its end', async (context) => {
    const { store } = await opened(context);
    const { result } = await store.write(async (tx) => ({ late: tx }));
    await assert.rejects(result.late.rows.groups.insert(groupRow('g')), /has ended/);
    await assert.rejects(result.late.publish('service', 'a', null), /has ended/);
  });

  test('undoes a write that ends before its own operations', async (context) => {
    const { store } = await opened(context);
    const floating = store.write(async ({ rows }) => {
      void rows.groups.insert(groupRow('g'));
    });
    await assert.rejects(floating, /await each of them/);
    assert.equal(await store.read(({ rows }) => rows.groups.get('g')), null);
  });

  test('refuses the store inside its own transaction instead of waiting for ever', async (context) => {
    const { store } = await opened(context);
    await assert.rejects(
      store.write(() => store.read(({ rows }) => rows.groups.get('g'))),
      /inside its own transaction/,
    );
    await put(store, ({ rows }) => rows.groups.insert(groupRow('g')));
  });

  test('finishes what waits when it is closed, and refuses what comes later', async (context) => {
    const { store, reopen } = await opened(context);
    const waiting = put(store, ({ rows }) => rows.groups.insert(groupRow('g')));
    const again = reopen();
    await waiting;
    await assert.rejects(
      store.read(({ rows }) => rows.groups.get('g')),
      { code: 'StoreClosed' },
    );
    assert.notEqual(await (await again).read(({ rows }) => rows.groups.get('g')), null);
  });

  test('refuses more work than its queue holds, and does all that it took', async (context) => {
    const { store } = await opened(context);
    const results = await Promise.allSettled(
      Array.from({ length: 5000 }, (_, index) =>
        store.write(({ rows }) => rows.meta.insert({ name: `m${index}`, value: '' })),
      ),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    assert.ok(refused.length > 0);
    for (const { reason } of refused) assert.equal(reason.code, 'StoreBusy');
    const kept = await store.read(async ({ rows }) => (await rows.meta.list({ limit: 9999 })).length);
    assert.equal(kept, results.length - refused.length);
  });
}

function declareFeedTests(opened: Opened): void {
  const publish = (store: Store, ...names: string[]) =>
    put(store, async (tx) => {
      for (const name of names) await tx.publish('service', name, { serviceName: name });
    });
  const names = (batch: ChangeBatch) => batch.changes.map(({ key, value }) => (value === null ? `-${key}` : key));

  test('counts versions one by one, only for writes that publish', async (context) => {
    const { store } = await opened(context);
    assert.equal(await put(store, ({ rows }) => rows.groups.insert(groupRow('g'))), 0);
    assert.equal(await publish(store, 'a', 'b'), 1);
    assert.equal(await put(store, ({ rows }) => rows.groups.delete('g')), 1);
    assert.equal(await publish(store, 'c'), 2);
    assert.deepEqual(await store.changesSince(2, 10), { version: 2, changes: [], isLast: true });
    assert.deepEqual(names(await store.changesSince(1, 10)), ['c']);
    assert.deepEqual(names(await store.changesSince(0, 10)), ['a', 'b', 'c']);
  });

  test('keeps only the newest value of a fact, and tells that it is gone', async (context) => {
    const { store } = await opened(context);
    await publish(store, 'a', 'b');
    await put(store, async (tx) => {
      await tx.publish('service', 'a', { serviceName: 'passing' });
      await tx.publish('service', 'a', null);
    });
    assert.deepEqual(names(await store.changesSince(0, 10)), ['b', '-a']);
    assert.deepEqual(names(await store.changesSince(1, 10)), ['-a']);
  });

  test('never parts the changes of one version', async (context) => {
    const { store } = await opened(context);
    await publish(store, 'a');
    await publish(store, 'b', 'c', 'd');
    await publish(store, 'e', 'f');
    const seen: [number, string[], boolean][] = [];
    for (let version = 0, isLast = false; !isLast; ) {
      const page = await store.changesSince(version, 2);
      ({ version, isLast } = page);
      seen.push([version, names(page), isLast]);
    }
    assert.deepEqual(seen, [
      [1, ['a'], false],
      [2, ['b', 'c', 'd'], false],
      [3, ['e', 'f'], true],
    ]);
    await assert.rejects(store.changesSince(0, 0), RangeError);
  });

  test('tells listeners each batch after its commit and in order, until they leave', async (context) => {
    const { store } = await opened(context);
    const versions: number[] = [];
    const leave = store.onPublished(({ version }) => versions.push(version));
    const written = await Promise.all(Array.from({ length: 100 }, (_, index) => publish(store, `n${index}`)));
    assert.deepEqual(versions, written);
    assert.deepEqual(
      versions,
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
    leave();
    await publish(store, 'unheard');
    assert.equal(versions.length, 100);
  });

  test('acknowledges a write only after its listeners have heard of it', async (context) => {
    const { store } = await opened(context);
    const order: string[] = [];
    store.onPublished(() => order.push('heard'));
    await publish(store, 'a');
    order.push('acknowledged');
    assert.deepEqual(order, ['heard', 'acknowledged']);
  });

  test('keeps the feed over opening again, but not what was withdrawn', async (context) => {
    const { store, reopen } = await opened(context);
    await put(store, (tx) =>
      tx.publish('app', '7', { appId: 7, appName: 'a', keys: [{ key: 'k', secret: 'app-secret' }] }),
    );
    await publish(store, 'a', 'b');
    await put(store, (tx) => tx.publish('service', 'a', null));
    const again = await reopen();
    const page = await again.changesSince(0, 10);
    assert.deepEqual(names(page), ['7', 'b']);
    assert.equal(page.version, 3);
    assert.deepEqual(page.changes[0]?.value, { appId: 7, appName: 'a', keys: [{ key: 'k', secret: 'app-secret' }] });
    await assert.rejects(again.changesSince(2, 10), { code: 'FeedPruned' });
    assert.deepEqual(names(await again.changesSince(3, 10)), []);
    assert.equal(await publish(again, 'c'), 4);
  });
}
