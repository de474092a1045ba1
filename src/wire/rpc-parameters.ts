// How RPC calls flatten lists and objects into parameters, and how to read them back. Used by control; the CLI flattens.
import type { QueryPair } from './percent-encoding.ts';

/**
 * The parameters of one call: query and form merged; the exact name wins, then any spelling of it.
 * The first of two equal names counts.
 */
export class RpcParameters {
  readonly pairs: readonly QueryPair[];
  readonly #exact = new Map<string, string>();
  readonly #folded = new Map<string, string>();

  constructor(pairs: readonly QueryPair[]) {
    this.pairs = pairs;
    for (const [name, value] of pairs) {
      if (!this.#exact.has(name)) this.#exact.set(name, value);
      const folded = name.toLowerCase();
      if (!this.#folded.has(folded)) this.#folded.set(folded, value);
    }
  }

  get(name: string): string | undefined {
    return this.#exact.get(name) ?? this.#folded.get(name.toLowerCase());
  }

  has(name: string): boolean {
    return this.#exact.has(name);
  }

  /** `Name.1=a&Name.2=b` as its values, by index; indexes may be sparse and start anywhere. */
  list(name: string): string[] {
    return this.#indexed(name)
      .filter(([rest]) => rest === '')
      .map(([, , value]) => value);
  }

  /** `Name.1.Key=..&Name.1.Value=..` as one record an index; member names as sent. */
  objects(name: string): Record<string, string>[] {
    const byIndex = new Map<number, Record<string, string>>();
    for (const [member, index, value] of this.#indexed(name)) {
      if (member === '') continue;
      const record = byIndex.get(index) ?? {};
      record[member] ??= value;
      byIndex.set(index, record);
    }
    return [...byIndex.values()];
  }

  /** Rows `[member, index, value]` of `name`, sorted by index. */
  #indexed(name: string): [string, number, string][] {
    const prefix = `${name.toLowerCase()}.`;
    const rows: [string, number, string][] = [];
    for (const [full, value] of this.pairs) {
      if (!full.toLowerCase().startsWith(prefix)) continue;
      const match = /^(\d{1,9})(?:\.(.+))?$/.exec(full.slice(prefix.length));
      if (match !== null) rows.push([match[2] ?? '', Number(match[1]), value]);
    }
    return rows.sort((left, right) => left[1] - right[1]);
  }
}

/** Flattens lists from index 1: texts as `Name.1`, records as `Name.1.Key`. */
export function flattenRpc(name: string, values: readonly (string | Readonly<Record<string, string>>)[]): QueryPair[] {
  return values.flatMap((value, index): QueryPair[] => {
    const base = `${name}.${index + 1}`;
    if (typeof value === 'string') return [[base, value]];
    return Object.entries(value).map(([member, text]): QueryPair => [`${base}.${member}`, text]);
  });
}
