// An immutable map from text keys that is cheap to change one key at a time. The gateway keeps its snapshot in these.

const initialShards = 16;
/** Shards are doubled when they hold more entries than this on average. */
const meanShardSize = 16;

/** 32-bit FNV-1a over UTF-16 units: spreads keys over shards, nothing more. */
function shardHash(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/**
 * An immutable map. Changing it goes through `edit()`, which copies only the shards that are touched.
 *
 * Bound: none of its own; the owner bounds what it puts in. A change of one key copies about 16 entries
 * and one array with a slot per shard.
 */
export class ShardedMap<Value> {
  readonly #shards: readonly ReadonlyMap<string, Value>[];
  readonly size: number;

  private constructor(shards: readonly ReadonlyMap<string, Value>[], size: number) {
    this.#shards = shards;
    this.size = size;
  }

  static empty<Value>(): ShardedMap<Value> {
    return new ShardedMap<Value>(
      Array.from({ length: initialShards }, () => new Map<string, Value>()),
      0,
    );
  }

  get(key: string): Value | undefined {
    return this.#shards[shardHash(key) & (this.#shards.length - 1)]?.get(key);
  }

  *values(): Generator<Value> {
    for (const shard of this.#shards) yield* shard.values();
  }

  /** Starts a batch of changes; nothing is visible until `done()`. */
  edit(): ShardedMapEditor<Value> {
    return new ShardedMapEditor(this.#shards, this.size, (shards, size) =>
      size === this.size && shards === this.#shards ? this : new ShardedMap(shards, size),
    );
  }
}

/** One batch of changes to a ShardedMap. Reads see the changes made so far. */
export class ShardedMapEditor<Value> {
  #shards: readonly ReadonlyMap<string, Value>[];
  #size: number;
  /** The shards this editor made and may change; null until the first change. */
  #own: (Map<string, Value> | null)[] | null = null;
  readonly #finish: (shards: readonly ReadonlyMap<string, Value>[], size: number) => ShardedMap<Value>;

  constructor(
    shards: readonly ReadonlyMap<string, Value>[],
    size: number,
    finish: (shards: readonly ReadonlyMap<string, Value>[], size: number) => ShardedMap<Value>,
  ) {
    this.#shards = shards;
    this.#size = size;
    this.#finish = finish;
  }

  get(key: string): Value | undefined {
    const index = shardHash(key) & (this.#shards.length - 1);
    return (this.#own?.[index] ?? this.#shards[index])?.get(key);
  }

  set(key: string, value: Value): void {
    if (this.#size > this.#shards.length * meanShardSize) this.#grow();
    const shard = this.#ownShard(key);
    if (!shard.has(key)) this.#size++;
    shard.set(key, value);
  }

  delete(key: string): void {
    if (this.get(key) === undefined) return;
    if (this.#ownShard(key).delete(key)) this.#size--;
  }

  /** The changed map; the same one when nothing was changed. */
  done(): ShardedMap<Value> {
    const own = this.#own;
    if (own === null) return this.#finish(this.#shards, this.#size);
    this.#own = null;
    return this.#finish(
      this.#shards.map((shard, index) => own[index] ?? shard),
      this.#size,
    );
  }

  #ownShard(key: string): Map<string, Value> {
    this.#own ??= new Array<Map<string, Value> | null>(this.#shards.length).fill(null);
    const index = shardHash(key) & (this.#shards.length - 1);
    const owned = this.#own[index];
    if (owned) return owned;
    const copy = new Map(this.#shards[index]);
    this.#own[index] = copy;
    return copy;
  }

  #grow(): void {
    const count = this.#shards.length * 2;
    const grown = Array.from({ length: count }, () => new Map<string, Value>());
    this.#shards.forEach((shard, index) => {
      for (const [key, value] of this.#own?.[index] ?? shard) grown[shardHash(key) & (count - 1)]?.set(key, value);
    });
    this.#shards = grown;
    this.#own = [...grown];
  }
}
