import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ShardedMap } from './sharded-map.ts';

describe('ShardedMap', () => {
  it('behaves like a Map through any batches, and never changes what was there before', () => {
    const key = fc.integer({ min: 0, max: 40 }).map((n) => `key ${n}`);
    const change = fc.record({ key, value: fc.option(fc.integer(), { nil: null }) });
    fc.assert(
      fc.property(fc.array(fc.array(change), { maxLength: 8 }), (batches) => {
        let map = ShardedMap.empty<number>();
        const model = new Map<string, number>();
        for (const batch of batches) {
          const before = map;
          const frozen = new Map(model);
          const editor = map.edit();
          for (const { key, value } of batch) {
            if (value === null) {
              editor.delete(key);
              model.delete(key);
            } else {
              editor.set(key, value);
              model.set(key, value);
            }
            assert.equal(editor.get(key), model.get(key));
          }
          map = editor.done();
          assert.deepEqual([...map.values()].sort(), [...model.values()].sort());
          assert.equal(map.size, model.size);
          for (let n = 0; n <= 40; n++) {
            assert.equal(map.get(`key ${n}`), model.get(`key ${n}`));
            assert.equal(before.get(`key ${n}`), frozen.get(`key ${n}`));
          }
        }
      }),
    );
  });

  it('finds every key again after growing far beyond its first shards', () => {
    const editor = ShardedMap.empty<number>().edit();
    for (let n = 0; n < 20_000; n++) editor.set(`api-${n}`, n);
    const map = editor.done();
    assert.equal(map.size, 20_000);
    for (let n = 0; n < 20_000; n++) assert.equal(map.get(`api-${n}`), n);
    assert.equal(map.get('api-20000'), undefined);
  });

  it('is the same map when an edit changes nothing', () => {
    const map = ShardedMap.empty<number>();
    const editor = map.edit();
    editor.delete('none');
    assert.equal(editor.done(), map);
  });
});
