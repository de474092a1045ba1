// A write that fails anywhere in the middle leaves nothing; writers are in force in the order in which they are acknowledged.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Channel } from '../../src/base/channel.ts';
import { systemClock } from '../../src/base/clock.ts';
import { type ControlDeps, commit } from '../../src/control/ports.ts';
import { Follower } from '../../src/follower.ts';
import type { Store, WriteTransaction } from '../../src/store/index.ts';
import { at, fc2Sdk, fc3Sdk, type Loose, modelsOf, type Plane, startPlane, zipped } from './control-fixture.ts';

const tables = ['services', 'functions', 'versions', 'functionVersions', 'aliases', 'meta'] as const;

/** Fails the write operation number `failAt` of each transaction; 0 fails none. */
class Faults {
  failAt = 0;
  #count = 0;

  wrap(store: Store): Store {
    const write: Store['write'] = (work) =>
      store.write((tx) => {
        this.#count = 0;
        return work(this.#spoil(tx));
      });
    return { ...store, write };
  }

  #spoil(tx: WriteTransaction): WriteTransaction {
    const rows = Object.entries(tx.rows).map(([table, collection]) => {
      const { insert, update, delete: remove } = collection;
      const counted =
        <Args extends unknown[], Result>(run: (...args: Args) => Promise<Result>) =>
        (...args: Args) => {
          this.#step();
          return run(...args);
        };
      // Each function takes the rows of its own table, as the original does.
      const spoiled = {
        insert: counted(insert as (row: never) => Promise<void>),
        update: counted(update as (row: never) => Promise<boolean>),
        delete: counted(remove),
      };
      return [table, { ...collection, ...spoiled }] as const;
    });
    const publish: WriteTransaction['publish'] = (...args) => {
      this.#step();
      return tx.publish(...args);
    };
    return { rows: Object.fromEntries(rows) as WriteTransaction['rows'], publish };
  }

  #step(): void {
    this.#count += 1;
    if (this.#count === this.failAt) throw new Error('the disk is gone');
  }
}

describe('writes of the control plane', () => {
  let plane: Plane;
  let zipFile: string;
  const faults = new Faults();
  before(async () => {
    plane = await startPlane((store) => faults.wrap(store));
    zipFile = await zipped({ 'index.py': '' });
  });
  after(() => plane.close());

  /** All that is kept and published. */
  async function everything(): Promise<string> {
    const rows = await plane.store.read(async (tx) => {
      const all: unknown[] = [];
      for (const table of tables) all.push(await tx.rows[table].list({ limit: 1000 }));
      return all;
    });
    return JSON.stringify([rows, await plane.store.changesSince(0, 100_000)]);
  }

  const fc2 = async (name: string, ...args: unknown[]): Promise<Loose> => {
    const sdk = fc2Sdk(plane);
    const method = sdk[name];
    assert.ok(method !== undefined, name);
    return await method.apply(sdk, args);
  };
  const fc3 = async (name: string, path: string[], input?: readonly [string, object]): Promise<Loose> => {
    const sdk = fc3Sdk(plane);
    const models = modelsOf('@alicloud/fc20230330');
    const method = sdk[name];
    assert.ok(method !== undefined, name);
    if (input === undefined) return await method.apply(sdk, path);
    const Request = models[`${name[0]?.toUpperCase()}${name.slice(1)}Request`];
    const Input = models[input[0]];
    assert.ok(Request !== undefined && Input !== undefined, input[0]);
    return await method.apply(sdk, [...path, new Request({ body: new Input(input[1]) })]);
  };

  const code = () => ({ handler: 'index.h', runtime: 'python3', code: { zipFile } });
  const steps: [string, () => Promise<unknown>][] = [
    ['createService', () => fc2('createService', 's')],
    ['createFunction', () => fc2('createFunction', 's', { functionName: 'f', ...code() })],
    ['a second one', () => fc2('createFunction', 's', { functionName: 'g', ...code() })],
    ['publishVersion', () => fc2('publishVersion', 's', 'd')],
    ['createAlias', () => fc2('createAlias', 's', 'a', '1')],
    ['updateAlias', () => fc2('updateAlias', 's', 'a', '1', { additionalVersionWeight: { 1: 0.5 } })],
    ['updateService', () => fc2('updateService', 's', { role: 'acs:ram::1:role/r' })],
    ['updateFunction', () => fc2('updateFunction', 's', 'f', { timeout: 5 })],
    ['tagResource', () => fc2('tagResource', 'services/s', { a: 'b' })],
    ['deleteFunction', () => fc2('deleteFunction', 's', 'f')],
    ['deleteVersion', () => fc2('deleteVersion', 's', '1')],
    ['the last function', () => fc2('deleteFunction', 's', 'g')],
    ['deleteService with an alias', () => fc2('deleteService', 's')],
    [
      '2023: createFunction',
      () => fc3('createFunction', [], ['CreateFunctionInput', { functionName: 'x', ...code() }]),
    ],
    ['2023: publishFunctionVersion', () => fc3('publishFunctionVersion', ['x'], ['PublishVersionInput', {}])],
    ['2023: createAlias', () => fc3('createAlias', ['x'], ['CreateAliasInput', { aliasName: 'a', versionId: '1' }])],
    ['2023: deleteFunction with version and alias', () => fc3('deleteFunction', ['x'])],
  ];

  it('that fail at any of their steps leave nothing of it, and can be tried again', async () => {
    for (const [name, run] of steps) {
      const beforehand = await everything();
      for (let failAt = 1; ; failAt += 1) {
        assert.ok(failAt < 100, `${name} does not end`);
        faults.failAt = failAt;
        const error = await run().then(
          () => null,
          (thrown: unknown) => thrown,
        );
        if (error === null) {
          assert.ok(failAt > 1, `${name} wrote nothing`);
          break;
        }
        assert.equal(at(error, 'code'), 'InternalServerError', `${name}, step ${failAt}: ${String(error)}`);
        faults.failAt = 0;
        assert.equal(await everything(), beforehand, `${name} left something when step ${failAt} failed`);
      }
      faults.failAt = 0;
      assert.notEqual(await everything(), beforehand, name);
    }
  });

  it('are acknowledged only when they are in force', async () => {
    await fc2('createService', 'order');
    plane.awaited.length = 0;
    await fc2('updateService', 'order', { description: 'x' });
    const { version } = await plane.store.changesSince(0, 100_000);
    assert.equal(plane.awaited.at(-1), version);
  });

  it('to one thing lose nothing of each other, and number versions without a gap', async () => {
    await fc2('createFunction', 'order', { functionName: 'f', ...code() });
    const tags = Array.from({ length: 10 }, (_, index) => `k${index}`);
    await Promise.all([
      ...tags.map((key) => fc2('tagResource', 'services/order', { [key]: 'v' })),
      fc2('updateFunction', 'order', 'f', { timeout: 7 }),
      fc2('updateService', 'order', { description: 'kept' }),
    ]);
    const shown = await fc2('getResourceTags', { resourceArn: 'services/order' });
    assert.deepEqual(Object.keys(at(shown, 'data.tags') ?? {}).sort(), [...tags].sort());
    assert.equal(at(await fc2('getService', 'order'), 'data.description'), 'kept');
    const published = await Promise.allSettled(tags.map(() => fc2('publishVersion', 'order', '')));
    assert.deepEqual(
      published.filter(({ status }) => status === 'fulfilled').map((made) => at(made, 'value.data.versionId')),
      ['1'],
    );
    const etag = { 'if-match': String(at(await fc2('getService', 'order'), 'headers.etag')) };
    const guarded = await Promise.allSettled(
      tags.map((description) => fc2('updateService', 'order', { description }, etag)),
    );
    assert.equal(guarded.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  it('are acknowledged in the order in which they are in force', async (t) => {
    // A data process that takes its time over some changes.
    let sent = 0;
    const channel = {
      call: async () => {
        for (let turns = (sent++ % 3) * 5; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
        return { data: null };
      },
    } as unknown as Channel;
    const options = { clock: systemClock, limitMs: 10_000, onLaggard: assert.ifError };
    const follower = new Follower(plane.store, channel, options);
    t.after(() => follower.close());
    await follower.catchUp();
    const deps = { store: plane.store, awaitLive: (version: number) => follower.awaitLive(version) };
    const acknowledged: string[] = [];
    const write = async (value: string) => {
      await commit(deps as ControlDeps, async (tx) => {
        const row = { name: 'order', value };
        if (!(await tx.rows.meta.update(row))) await tx.rows.meta.insert(row);
        await tx.publish('service', 'order', { serviceName: value });
      });
      acknowledged.push(value);
    };
    const writers: Promise<void>[] = [];
    for (let writer = 0; writer < 60; writer += 1) {
      writers.push(write(String(writer)));
      if (writer % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(writers);
    assert.deepEqual(
      acknowledged,
      writers.map((_, writer) => String(writer)),
    );
    const row = await plane.store.read((tx) => tx.rows.meta.get('order'));
    assert.equal(row?.value, acknowledged.at(-1));
  });
});
