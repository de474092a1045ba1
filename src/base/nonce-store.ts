// Remembers values that may be used once, in bounded memory. The data process holds one behind the shared nonce port.
import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.ts';

/** Claims a nonce: true the first time within `ttlMs`, false when it was claimed before. */
export type ClaimNonce = (appKey: string, nonce: string, ttlMs: number) => boolean | Promise<boolean>;

export type NonceStore = { readonly claim: ClaimNonce };

const shardCount = 1024;
const wordsPerSlot = 3;
const initialSlots = 16;

/** One open-addressing table: slots of [hash, hash, expiry in seconds since the store began; 0 = free]. */
type Shard = { words: Uint32Array; slots: number; used: number };

/** Two independent 32-bit hashes of `scope` and `text`, seeded. Written to `out`. */
function hashInto(scope: string, text: string, seed: Uint32Array, out: Uint32Array): void {
  let a = seed[0] ?? 0;
  let b = seed[1] ?? 0;
  for (let i = 0; i < scope.length; i++) {
    const unit = scope.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x85ebca6b);
    b = Math.imul(b ^ unit, 0xc2b2ae35);
  }
  a = Math.imul(a ^ 0x10001, 0x85ebca6b);
  b = Math.imul(b ^ 0x10001, 0xc2b2ae35);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x85ebca6b);
    b = Math.imul(b ^ unit, 0xc2b2ae35);
    a ^= b >>> 17;
    b ^= a >>> 13;
  }
  a = Math.imul(a ^ (a >>> 16), 0x9e3779b1) ^ Math.imul(b ^ (b >>> 13), 0x27d4eb2f);
  b = Math.imul(b ^ (b >>> 16), 0x165667b1) ^ Math.imul(a ^ (a >>> 13), 0x9e3779b1);
  out[0] = a ^ (a >>> 15);
  out[1] = b ^ (b >>> 14);
}

/**
 * The in-memory nonce store of one process.
 *
 * Keeps 64 bits of a seeded hash and an expiry (whole seconds, rounded up) for each nonce: 24 to 96 bytes each.
 * Bound: `limit` live nonces; a part of the table (1 of 1,024) that is full forgets its older half, so
 * `limit` should be the top rate in nonces a second times the time to live.
 * `seed` is two random 32-bit numbers, so that nobody can aim at a slot.
 */
export function createNonceStore(options: { clock: Clock; seed?: Uint32Array; limit?: number }): NonceStore {
  const { clock, seed = new Uint32Array(new Uint8Array(randomBytes(8)).buffer) } = options;
  const slotLimit = Math.max(initialSlots, 2 ** Math.ceil(Math.log2((2 * (options.limit ?? 8_000_000)) / shardCount)));
  const startedAt = clock.monotonic();
  const shards: (Shard | undefined)[] = new Array<Shard | undefined>(shardCount).fill(undefined);
  const hash = new Uint32Array(2);

  const claimNonce = (appKey: string, nonce: string, ttlMs: number): boolean => {
    const now = Math.floor((clock.monotonic() - startedAt) / 1000) + 1;
    const expiry = now + Math.ceil(ttlMs / 1000);
    hashInto(appKey, nonce, seed, hash);
    const high = hash[0] ?? 0;
    const low = hash[1] ?? 0;
    let shard = shards[high & (shardCount - 1)];
    if (shard === undefined) {
      shard = { words: new Uint32Array(initialSlots * wordsPerSlot), slots: initialSlots, used: 0 };
      shards[high & (shardCount - 1)] = shard;
    }
    const isNew = claim(shard, high, low, { now, expiry });
    if (shard.used * 2 > shard.slots) rebuild(shard, now, slotLimit);
    return isNew;
  };
  return { claim: claimNonce };
}

/** Finds the nonce's slot or a free one; an expired entry of the same nonce is claimed anew. */
function claim(shard: Shard, high: number, low: number, time: { now: number; expiry: number }): boolean {
  const { words, slots } = shard;
  let slot = low & (slots - 1);
  for (;;) {
    const at = slot * wordsPerSlot;
    const expires = words[at + 2] ?? 0;
    if (expires === 0) {
      words[at] = high;
      words[at + 1] = low;
      words[at + 2] = time.expiry;
      shard.used++;
      return true;
    }
    if (words[at] === high && words[at + 1] === low) {
      if (expires > time.now) return false;
      words[at + 2] = time.expiry;
      return true;
    }
    slot = (slot + 1) & (slots - 1);
  }
}

/** Drops what has expired; doubles the table when it is still more than a quarter full; at the limit forgets the older half. */
function rebuild(shard: Shard, now: number, slotLimit: number): void {
  const { words, slots } = shard;
  const expiries: number[] = [];
  for (let slot = 0; slot < slots; slot++) {
    const expiry = words[slot * wordsPerSlot + 2] ?? 0;
    if (expiry > now) expiries.push(expiry);
  }
  const wanted = expiries.length * 4 > slots ? slots * 2 : slots;
  const keep = wanted > slotLimit ? slotLimit >> 2 : expiries.length;
  const oldestKept = expiries.sort((a, b) => b - a)[keep - 1] ?? now + 1;
  shard.slots = Math.min(wanted, slotLimit);
  shard.words = new Uint32Array(shard.slots * wordsPerSlot);
  shard.used = 0;
  // Of those that expire in the oldest kept second as many as there is still room for.
  for (const isOldest of [false, true]) {
    for (let slot = 0; slot < slots && shard.used < keep; slot++) {
      const at = slot * wordsPerSlot;
      const expiry = words[at + 2] ?? 0;
      const isWanted = isOldest ? expiry === oldestKept : expiry > oldestKept;
      if (isWanted) claim(shard, words[at] ?? 0, words[at + 1] ?? 0, { now, expiry });
    }
  }
}
