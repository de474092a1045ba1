// Whole numbers of 64 bits, which JavaScript's numbers round beyond 2^53: read from texts and JSON, compared, and written as they were given.
// Used by control/ (definitions) and model/ (the checks of parameters).

/** A number, or the decimal digits of a whole number that no number holds exactly. */
export type ExactNumber = number | string;

/** Longest whole number that is kept by its digits; longer ones are numbers. Those of 64 bits have 19. */
const digitsLimit = 19;
const wholeNumber = new RegExp(`^[+-]?\\d{16,${digitsLimit}}$`);
const number64 = 2n ** 63n;

function digitsOf(text: string): string | null {
  if (!wholeNumber.test(text)) return null;
  const whole = BigInt(text.startsWith('+') ? text.slice(1) : text);
  if (Number.isSafeInteger(Number(whole))) return null;
  return whole >= -number64 && whole < number64 ? String(whole) : null;
}

/** The number that a text means; NaN when it is none. */
export function readExactNumber(text: string): ExactNumber {
  const trimmed = text.trim();
  return digitsOf(trimmed) ?? (trimmed === '' ? Number.NaN : Number(trimmed));
}

/** What `<` and `>` order exactly, against numbers as well. */
export function comparable(value: ExactNumber): number | bigint {
  return typeof value === 'string' ? BigInt(value) : value;
}

declare global {
  interface JSON {
    parse(
      text: string,
      reviver: (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
    rawJSON(text: string): unknown;
  }
}

/** JSON.parse() with the digits, as text, in place of whole numbers that would be rounded. Errors: SyntaxError. */
export function parseJsonExactly(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value: unknown, { source = '' }) =>
    typeof value === 'number' ? (digitsOf(source) ?? value) : value,
  );
}

/** JSON.stringify() of a value that may hold BigInts: they become numbers, all digits of them. */
export function stringifyExactly(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'bigint' ? JSON.rawJSON(String(member)) : member,
  );
}
