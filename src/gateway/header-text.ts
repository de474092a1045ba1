// Text to and from the bytes of a header line. node:http reads and writes header strings as latin1; ours are UTF-8.

const nonAscii = /[^\0-\x7f]/;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads a header value that node decoded as latin1: UTF-8 when its bytes are that, else as it is. Source: sdk. */
export function readHeaderText(value: string): string {
  if (!nonAscii.test(value)) return value;
  try {
    return utf8.decode(Buffer.from(value, 'latin1'));
  } catch {
    return value; // The bytes are no UTF-8, so latin1 is what they are.
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that may not be in a header
const unsafe = /[\0-\x08\x0b-\x1f\x7f]/g;

/**
 * Makes any text fit for one header line: LF becomes `#`, other control characters a blank, text outside ASCII its
 * UTF-8 bytes (as a latin1 string, which is what node writes byte for byte), at most `limitBytes`, cut between characters.
 */
export function writeHeaderText(text: string, limitBytes: number): string {
  let safe = text.includes('\n') ? text.replaceAll('\n', '#') : text;
  safe = safe.replace(unsafe, ' ');
  if (!nonAscii.test(safe)) return safe.length > limitBytes ? safe.slice(0, limitBytes) : safe;
  const bytes = Buffer.from(safe, 'utf8');
  if (bytes.length <= limitBytes) return bytes.toString('latin1');
  let end = limitBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('latin1', 0, end);
}
