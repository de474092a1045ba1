// How often the long tests repeat themselves: by YUNMEN_TORTURE, which scripts/test.ts sets for `--torture` and `--part`.

/** The part of the full counts that is wanted, over 0 to 1; 0 outside of torture. */
const part = Number(process.env['YUNMEN_TORTURE'] ?? '0');
if (!(part >= 0 && part <= 1)) throw new RangeError(`YUNMEN_TORTURE is over 0 to 1, not ${part}`);

export const isTorture = part > 0;

/** `full` under torture, or that part of it which is wanted, but not below `usual`. */
export function counted(usual: number, full: number): number {
  return Math.max(usual, Math.ceil(full * part));
}
