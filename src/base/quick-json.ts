// JSON of a text, for what is written with every request.

const needsNoEscape = /^[ !#-[\]-~]*$/;

/** JSON of a text. Most texts need no escapes, and to see that is cheaper than to look for some. */
export function quoted(text: string): string {
  return needsNoEscape.test(text) ? `"${text}"` : JSON.stringify(text);
}
