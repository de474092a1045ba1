// What one of several data processes may use of something that all of them share. Used by composition and functions.

/** How many processes there are, and which of them this is (from 0). */
export type Among = { readonly dataProcesses: number; readonly place: number };

export const alone: Among = { dataProcesses: 1, place: 0 };

/**
 * The part of `total` that is this process's: all parts together are the whole. What cannot be divided goes to the
 * processes that come first for `key`, each key beginning with another one, so that the small totals of many keys are
 * spread. Parts of two totals of one key: of the larger total no process has less than of the smaller.
 */
export function shareOf(total: number, { dataProcesses, place }: Among, key: string): number {
  if (dataProcesses === 1) return total;
  const turn = (place + hash(key)) % dataProcesses;
  return Math.floor(total / dataProcesses) + (turn < total % dataProcesses ? 1 : 0);
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}
