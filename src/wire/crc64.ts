// CRC-64/XZ, the checksum that Function Compute gives a code package. Called by the store's package worker.

const slices = 8;

/**
 * Eight tables of 256 entries: the remainder of a byte followed by 0…7 zero bytes.
 * Shape: entry `slice * 256 + byte` of `low` and `high` holds the lower and upper 32 bits.
 */
function buildTables(): { readonly low: Int32Array; readonly high: Int32Array } {
  const low = new Int32Array(slices * 256);
  const high = new Int32Array(slices * 256);
  for (let byte = 0; byte < 256; byte++) {
    let l = byte;
    let h = 0;
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (l & 1) === 1;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (isOdd) {
        l ^= 0xd7870f42;
        h ^= 0xc96c5795;
      }
    }
    low[byte] = l;
    high[byte] = h;
  }
  for (let index = 256; index < slices * 256; index++) {
    const l = low[index - 256] ?? 0;
    const h = high[index - 256] ?? 0;
    low[index] = ((l >>> 8) | (h << 24)) ^ (low[l & 0xff] ?? 0);
    high[index] = (h >>> 8) ^ (high[l & 0xff] ?? 0);
  }
  return { low, high };
}

const tables = buildTables();

/**
 * The checksum of `bytes`.
 *
 * Shape: unsigned decimal, e.g. `11051210869376104954` for the ASCII text `123456789`.
 * Source: sdk (`codeChecksum` is CRC-64/ECMA-182 reflected, as xz has it).
 */
export function crc64(bytes: Uint8Array): string {
  const { low, high } = tables;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length - (bytes.length % slices);
  let l = -1;
  let h = -1;
  for (let at = 0; at < whole; at += slices) {
    l ^= view.getInt32(at, true);
    h ^= view.getInt32(at + 4, true);
    const a = 1792 + (l & 0xff);
    const b = 1536 + ((l >>> 8) & 0xff);
    const c = 1280 + ((l >>> 16) & 0xff);
    const d = 1024 + (l >>> 24);
    const e = 768 + (h & 0xff);
    const f = 512 + ((h >>> 8) & 0xff);
    const g = 256 + ((h >>> 16) & 0xff);
    const i = h >>> 24;
    l =
      pick(low, a) ^
      pick(low, b) ^
      pick(low, c) ^
      pick(low, d) ^
      pick(low, e) ^
      pick(low, f) ^
      pick(low, g) ^
      pick(low, i);
    h =
      pick(high, a) ^
      pick(high, b) ^
      pick(high, c) ^
      pick(high, d) ^
      pick(high, e) ^
      pick(high, f) ^
      pick(high, g) ^
      pick(high, i);
  }
  for (let at = whole; at < bytes.length; at++) {
    const index = (l ^ view.getUint8(at)) & 0xff;
    l = ((l >>> 8) | (h << 24)) ^ pick(low, index);
    h = (h >>> 8) ^ pick(high, index);
  }
  return ((BigInt(~h >>> 0) << 32n) | BigInt(~l >>> 0)).toString();
}

/** An entry of a table; the index is always inside it, the fallback only satisfies the compiler. */
function pick(table: Int32Array, index: number): number {
  return table[index] ?? 0;
}
