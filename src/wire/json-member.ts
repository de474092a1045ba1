// Cuts one member out of a JSON document as it is written, without white space. Called by function-result.ts.

const quote = 0x22;
const backslash = 0x5c;

/** The index after the string that begins at `start` (a quote). */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end + 1;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

/** True for the four kinds of JSON white space. */
function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

/** The index after the value that begins at `start`, up to the `,` or closing bracket that ends it; and its compact text. */
function readValue(text: string, start: number): { end: number; compact: string } {
  let depth = 0;
  let compact = '';
  let from = start;
  let i = start;
  while (i < text.length) {
    const unit = text.charCodeAt(i);
    if (unit === quote) {
      i = endOfString(text, i);
      continue;
    }
    if (isBlank(unit)) {
      compact += text.slice(from, i);
      while (isBlank(text.charCodeAt(i))) i++;
      from = i;
      continue;
    }
    if (depth === 0 && (unit === 0x2c || unit === 0x7d || unit === 0x5d)) break;
    if (unit === 0x7b || unit === 0x5b) depth++;
    else if (unit === 0x7d || unit === 0x5d) depth--;
    i++;
  }
  return { end: i, compact: compact + text.slice(from, i) };
}

/**
 * The compact text of member `name` of the object that `text` is; of a repeated name the last (as JSON.parse). Null when absent.
 *
 * `text` must be a valid JSON object: check with JSON.parse first.
 */
export function jsonMember(text: string, name: string): string | null {
  let found: string | null = null;
  let i = text.indexOf('{') + 1;
  while (i < text.length) {
    while (isBlank(text.charCodeAt(i)) || text.charCodeAt(i) === 0x2c) i++;
    if (text.charCodeAt(i) !== quote) break;
    const keyEnd = endOfString(text, i);
    const key: unknown = JSON.parse(text.slice(i, keyEnd));
    const value = readValue(text, text.indexOf(':', keyEnd) + 1);
    if (key === name) found = value.compact;
    i = value.end;
  }
  return found;
}
