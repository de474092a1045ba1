// An immutable map from text keys that is cheap to change one key at a time. The gateway keeps its snapshot in these.

/** 64 × 64 shards, made when first used: no moment at which everything has to be sorted anew as the map grows. */
const fan = 64;

type Shard<Value> = Map<string, Value>;
type Bucket<Value> = (Shard<Value> | null)[];
type Top<Value> = (Bucket<Value> | null)[];

/** 12 bits of 32-bit FNV-1a over UTF-16 units: spreads keys over shards, nothing more. */
function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15) ^ (hash >>> 24)) & (fan * fan - 1);
}

function lookUp<Value>(top: Top<Value>, key: string): Value | undefined {
  const index = shardOf(key);
  return top[index >> 6]?.[index & (fan - 1)]?.get(key);
}

/**
 * An immutable map. Changing it goes through `edit()`, which copies only the shards that are touched.
 *
 *     top (64) ── bucket (64) ── shard: a Map of about size / 4,096 entries
 *
 * Bound: none of its own; the owner bounds what it puts in. A change of one key copies one shard and two arrays of 64.
 */
export class ShardedMap<Value> {
  readonly #top: Top<Value>;
  readonly size: number;

  private constructor(top: Top<Value>, size: number) {
    this.#top = top;
    this.size = size;
  }

  static empty<Value>(): ShardedMap<Value> {
    return new ShardedMap<Value>(new Array<Bucket<Value> | null>(fan).fill(null), 0);
  }

  get(key: string): Value | undefined {
    return lookUp(this.#top, key);
  }

  *values(): Generator<Value> {
    for (const bucket of this.#top) {
      if (bucket === null) continue;
      for (const shard of bucket) if (shard !== null) yield* shard.values();
    }
  }

  /** Starts a batch of changes; nothing is visible until `done()`. */
  edit(): ShardedMapEditor<Value> {
    return new ShardedMapEditor(this.#top, this.size, (top, size) =>
      top === this.#top ? this : new ShardedMap(top, size),
    );
  }
}

/** One batch of changes to a ShardedMap. Reads see the changes made so far. */
export class ShardedMapEditor<Value> {
  #top: Top<Value>;
  #size: number;
  /** What this editor made and may change. */
  #ownTop = false;
  readonly #ownBuckets = new Set<Bucket<Value>>();
  readonly #ownShards = new Set<Shard<Value>>();
  readonly #finish: (top: Top<Value>, size: number) => ShardedMap<Value>;

  constructor(top: Top<Value>, size: number, finish: (top: Top<Value>, size: number) => ShardedMap<Value>) {
    this.#top = top;
    this.#size = size;
    this.#finish = finish;
  }

  get(key: string): Value | undefined {
    return lookUp(this.#top, key);
  }

  set(key: string, value: Value): void {
    const shard = this.#ownShard(key);
    if (!shard.has(key)) this.#size++;
    shard.set(key, value);
  }

  delete(key: string): void {
    if (this.get(key) === undefined) return;
    if (this.#ownShard(key).delete(key)) this.#size--;
  }

  /** The changed map; the same one when nothing was changed. The editor may go on: what it changes then is another map. */
  done(): ShardedMap<Value> {
    this.#ownTop = false;
    this.#ownBuckets.clear();
    this.#ownShards.clear();
    return this.#finish(this.#top, this.#size);
  }

  #ownShard(key: string): Shard<Value> {
    if (!this.#ownTop) {
      this.#top = [...this.#top];
      this.#ownTop = true;
    }
    const index = shardOf(key);
    const high = index >> 6;
    const low = index & (fan - 1);
    let bucket = this.#top[high] ?? null;
    if (bucket === null || !this.#ownBuckets.has(bucket)) {
      bucket = bucket === null ? new Array<Shard<Value> | null>(fan).fill(null) : [...bucket];
      this.#top[high] = bucket;
      this.#ownBuckets.add(bucket);
    }
    let shard = bucket[low] ?? null;
    if (shard === null || !this.#ownShards.has(shard)) {
      shard = new Map(shard);
      bucket[low] = shard;
      this.#ownShards.add(shard);
    }
    return shard;
  }
}
