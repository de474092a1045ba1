// Reading and writing query strings and URL-encoded forms as the gateway does. Called by gateway/ and gateway-signature.ts.

/** Decoded names and values in wire order; of a repeated name the first value. */
export type Parameters = ReadonlyMap<string, string>;

export const noParameters: Parameters = new Map();

const badEscape = /%(?![0-9a-fA-F]{2})/;

/** Turns one percent-encoded piece into text; null when it cannot be decoded. */
export type DecodePiece = (piece: string) => string | null;

/**
 * Percent-decodes UTF-8, `+` is a blank. Bytes that are not UTF-8 become U+FFFD; a `%` without two hex digits is null.
 * Source: assumed (Java's URLDecoder behaves so).
 */
export function decodeUtf8Piece(piece: string): string | null {
  const hasPlus = piece.includes('+');
  if (!hasPlus && !piece.includes('%')) return piece;
  const text = hasPlus ? piece.replaceAll('+', ' ') : piece;
  try {
    return decodeURIComponent(text);
  } catch {
    // Only URIError comes here: a bad escape, or escapes that are no UTF-8.
    return badEscape.test(text) ? null : percentBytes(text, 'utf8').toString('utf8');
  }
}

/** The bytes behind a percent-encoded text whose escapes are known to be well formed. */
function percentBytes(text: string, encoding: 'utf8' | 'latin1'): Buffer {
  const source = Buffer.from(text, encoding);
  const bytes = Buffer.allocUnsafe(source.length);
  let length = 0;
  for (let i = 0; i < source.length; i++) {
    if (source[i] === 0x25) {
      bytes[length++] = Number.parseInt(source.toString('latin1', i + 1, i + 3), 16);
      i += 2;
    } else bytes[length++] = source[i] ?? 0;
  }
  return bytes.subarray(0, length);
}

/** Null when the charset is unknown. */
export function textDecoderFor(charset: string): TextDecoder | null {
  try {
    return new TextDecoder(charset);
  } catch {
    return null; // RangeError: the one way in which TextDecoder says that it does not know the label.
  }
}

/**
 * A decoder for a form whose Content-Type names `charset`; its pieces are the body's bytes read as latin1.
 * Null when the charset is unknown.
 */
export function decoderFor(charset: string): DecodePiece | null {
  const decoder = textDecoderFor(charset);
  if (decoder === null) return null;
  return (piece) => {
    const text = piece.replaceAll('+', ' ');
    return badEscape.test(text) ? null : decoder.decode(percentBytes(text, 'latin1'));
  };
}

/**
 * Reads a query string (without `?`) or a form.
 *
 * `a` and `a=` are the empty text; an item without a name is ignored; the first of a repeated name counts.
 * Errors: null when an escape is malformed.
 * Source: docs.
 */
export function parseParameters(text: string, decode: DecodePiece = decodeUtf8Piece): Parameters | null {
  if (text === '') return noParameters;
  return readItems(text, decode, decode);
}

/**
 * Reads a form as the vendor's own verifier does for signatures: an item without `=` keeps its name as written.
 * Null when an escape elsewhere is malformed, or when no name differs from parseParameters().
 * Source: sdk.
 */
export function parseRawBareNames(text: string, decode: DecodePiece = decodeUtf8Piece): Parameters | null {
  if (!text.includes('%') && !text.includes('+')) return null;
  const hasBareEscape = text.split('&').some((item) => !item.includes('=') && /[%+]/.test(item));
  return hasBareEscape ? readItems(text, decode, (piece) => piece) : null;
}

function readItems(text: string, decode: DecodePiece, decodeBareName: DecodePiece): Parameters | null {
  const parameters = new Map<string, string>();
  let start = 0;
  while (start <= text.length) {
    let end = text.indexOf('&', start);
    if (end === -1) end = text.length;
    const equals = text.indexOf('=', start);
    const hasValue = equals !== -1 && equals < end;
    const name = hasValue ? decode(text.slice(start, equals)) : decodeBareName(text.slice(start, end));
    const value = hasValue ? decode(text.slice(equals + 1, end)) : '';
    if (name === null || value === null) return null;
    if (name !== '' && !parameters.has(name)) parameters.set(name, value);
    start = end + 1;
  }
  return parameters;
}

/** Every value of one name, in order; items that cannot be decoded are left out (parseParameters() refuses them). */
export function allValues(text: string, name: string, decode: DecodePiece = decodeUtf8Piece): string[] {
  const values: string[] = [];
  for (const item of text.split('&')) {
    const equals = item.indexOf('=');
    if (decode(equals === -1 ? item : item.slice(0, equals)) !== name) continue;
    const value = equals === -1 ? '' : decode(item.slice(equals + 1));
    if (value !== null) values.push(value);
  }
  return values;
}

/** Writes a form: UTF-8, blanks as `+`, everything but `A-Za-z0-9*-._` escaped. Source: docs (HTML form encoding). */
export function encodeForm(parameters: Iterable<readonly [string, string]>): string {
  let text = '';
  for (const [name, value] of parameters) {
    text += `${text === '' ? '' : '&'}${encodeFormPiece(name)}=${encodeFormPiece(value)}`;
  }
  return text;
}

const plainPiece = /^[A-Za-z0-9*\-._]*$/;
const keptByEncodeUri = /[!'()~]/g;

function encodeFormPiece(text: string): string {
  if (plainPiece.test(text)) return text;
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replace(keptByEncodeUri, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

const keptEscapes = /%(?=2f|5c)/gi;

/**
 * Decodes a request path for matching: UTF-8, `%2F` and `%5C` stay as written, `+` stays `+`.
 *
 * Errors: null when it is no RFC 3986 path (bad escape, bytes that are no UTF-8, raw blanks or non-ASCII).
 * Source: docs; refusing raw non-ASCII is assumed.
 */
export function decodePath(rawPath: string): string | null {
  if (notInPath.test(rawPath)) return null;
  if (!rawPath.includes('%')) return rawPath;
  try {
    return decodeURIComponent(rawPath.replace(keptEscapes, '%25'));
  } catch {
    return null; // URIError is decodeURIComponent's only failure.
  }
}

const notInPath = /[^!-~]/;
