// Hides in a text, whatever it is written in, the values of what is named like a secret: for the log of bodies and headers, and of
// what functions print. Called by the gateway with 8 KB at most, by output-sender.ts with a line of 32 KB.
import { hidden } from '../base/secret-names.ts';
import { decodeUtf8Piece } from './query.ts';

export type IsHidden = (name: string) => boolean;

/** `name=value` in URLs, forms and attributes. */
const pair = /(^|[^\w.%+-])([\w.%+-]{1,100})=("[^"]*"?|'[^']*'?|[^&;\s"'`#<>]+)/g;
const xmlElement = /<([\w:.-]{1,100})((?:\s[^<>]{0,200})?)>([^<]+)/g;
/** One part of a multipart body, up to the next boundary: its head, which names it, and what it holds. */
const multipart = /(name="([^"\r\n]{1,100})"[^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\n)([\s\S]*?)(?=\r?\n--|$)/g;
const jsonName = /"((?:[^"\\]|\\.){1,100})"\s*:\s*/g;

/** `name: value` and `'name': 'value'`, as languages print what they hold, and headers. */
const printed =
  /(^|[^\w.%+"'-])('?)([\w.-]{1,100})\2(\s?:\s?|\]?\s?=>\s?)('(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|(?:(?:Bearer|Basic|Digest)\s+)?[^\s,;{}()[\]'"]+)/gi;

/** A header as it is sent: what it holds goes on behind `;`. */
const cookies = /(^|[\s,{])((?:set-)?cookie:\s?)[^'"\s][^'"\r\n]*/gi;

export function maskPairs(text: string, isHidden: IsHidden): string {
  return text.replace(pair, (whole, before: string, name: string) =>
    isHidden(decodeUtf8Piece(name) ?? name) ? `${before}${name}=${hidden}` : whole,
  );
}

/** A body that may be JSON, XML, multipart or anything else, perhaps cut. */
export function maskText(text: string, isHidden: IsHidden): string {
  const withoutParts = text.replace(multipart, (whole, head: string, name: string) =>
    isHidden(name) ? `${head}${hidden}` : whole,
  );
  const withoutElements = withoutParts.replace(xmlElement, (whole, name: string, attributes: string) =>
    isHidden(name) ? `<${name}${attributes}>${hidden}` : whole,
  );
  return maskPairs(maskJson(withoutElements, isHidden), isHidden);
}

/** A line that a function printed: JSON, pairs, or what the languages' own print makes of objects. */
export function maskPrinted(line: string, isHidden: IsHidden): string {
  const withoutCookies = line.replace(cookies, `$1$2${hidden}`);
  const withoutMembers = maskPairs(maskJson(withoutCookies, isHidden), isHidden);
  return withoutMembers.replace(printed, (whole, before: string, quote: string, name: string, between: string) =>
    isHidden(name) ? `${before}${quote}${name}${quote}${between}${hidden}` : whole,
  );
}

/** Members of JSON, whatever their value is. */
function maskJson(text: string, isHidden: IsHidden): string {
  let masked = '';
  let kept = 0;
  jsonName.lastIndex = 0;
  for (let found = jsonName.exec(text); found !== null; found = jsonName.exec(text)) {
    if (!isHidden(unescaped(found[1] ?? ''))) continue;
    const from = jsonName.lastIndex;
    const to = valueEnd(text, from);
    if (to === from) continue;
    masked += `${text.slice(kept, from)}"${hidden}"`;
    kept = to;
    jsonName.lastIndex = to;
  }
  return masked + text.slice(kept);
}

/** A name with its escapes, `pass\u0077ord`, as it is meant. */
function unescaped(name: string): string {
  if (!name.includes('\\')) return name;
  try {
    return String(JSON.parse(`"${name}"`));
  } catch {
    return name; // SyntaxError: no JSON, so the name is what is written.
  }
}

/** Where a value that begins at `from` ends; the end of the text where it is cut. */
function valueEnd(text: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const mark = text[at];
    if (mark === '"') {
      at = stringEnd(text, at);
      if (depth === 0) return at;
      continue;
    }
    const closes = mark === ']' || mark === '}';
    if (depth === 0 && (closes || mark === ',' || mark === '\n' || mark === '\r' || mark === ' ')) return at;
    at++;
    if (mark === '[' || mark === '{') depth++;
    else if (closes && --depth === 0) return at;
  }
  return at;
}

/** Behind the quote that closes the string which begins at `from`. */
function stringEnd(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}
