// What the killed child and its judge agree on: the acks, and the content that an id stands for.
import type { GroupRow } from '../../src/store/rows.ts';
import { groupRow } from '../../src/store/suite-rows.ts';
import { buildZip, programMode } from './store-zips.ts';

/** One acknowledged write. `version` null: nothing was published. */
export type Ack =
  | { readonly kind: 'row'; readonly id: string; readonly version: number | null }
  | { readonly kind: 'published'; readonly id: string; readonly version: number }
  | { readonly kind: 'package'; readonly id: string; readonly sha256: string; readonly checksum: string };

export function groupOf(id: string): GroupRow {
  return { ...groupRow(id), description: 'x'.repeat(id.length * 50) };
}

/** Up to 20 files of up to 20 KB, different for each id. */
export function zipOf(id: string, random: () => number): Buffer {
  const files = Array.from({ length: 1 + Math.floor(random() * 20) }, (_, index) => ({
    name: `d${index % 3}/f${index}.py`,
    content: `${id} ${index} `.repeat(Math.floor(random() * 1500)),
  }));
  return buildZip([{ name: 'index.py', content: id, mode: programMode }, ...files]);
}

/** Numbers in [0, 1) that a seed determines (mulberry32). */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
