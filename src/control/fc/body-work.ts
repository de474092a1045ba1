// What is done to a body before it is looked at: its hash, JSON, and the zip in `code.zipFile`. On the API's thread for small
// bodies (bodies.ts), in body-thread.ts for large ones.
import { createHash } from 'node:crypto';

/** `isJson`: parse it; else it is handed back as it is. */
export type BodyJob = { readonly bytes: Uint8Array; readonly isJson: boolean; readonly wantsHash: boolean };

/** `code.zipFile`, decoded. */
export type ZipFile = { readonly kind: 'bytes'; readonly bytes: Uint8Array } | { readonly kind: 'malformed' };

export type BodyWork = {
  /** Lower-case hex; null when it was not wanted. */
  readonly sha256: string | null;
  readonly body:
    | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
    /** `json` lacks the zipFile that was taken out of it. */
    | { readonly kind: 'json'; readonly json: unknown; readonly zipFile: ZipFile | null }
    | { readonly kind: 'malformed' };
};

function asObject(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

/** The members called `name` in any case. */
function membersNamed(record: Record<string, unknown>, name: string): string[] {
  return Object.keys(record).filter((key) => key.toLowerCase() === name);
}

/** Buffer skips what is no base64; then the length does not fit. */
function decodeZip(text: string): ZipFile {
  const bytes = Buffer.from(text, 'base64');
  const digits = text.replace(/[\s=]+/g, '').length;
  return bytes.length === Math.floor((digits * 3) / 4) && bytes.length > 0
    ? { kind: 'bytes', bytes }
    : { kind: 'malformed' };
}

/** Takes `code.zipFile` out of a parsed body; null when there is none, or no text. */
function takeZipFile(json: unknown): ZipFile | null {
  const body = asObject(json);
  let zipFile: ZipFile | null = null;
  if (body === null) return zipFile;
  for (const codeKey of membersNamed(body, 'code')) {
    const code = asObject(body[codeKey]);
    if (code === null) continue;
    for (const zipKey of membersNamed(code, 'zipfile')) {
      const text = code[zipKey];
      if (typeof text !== 'string' || text === '') continue;
      zipFile = decodeZip(text);
      delete code[zipKey];
    }
  }
  return zipFile;
}

export function workOnBody({ bytes, isJson, wantsHash }: BodyJob): BodyWork {
  const sha256 = wantsHash ? createHash('sha256').update(bytes).digest('hex') : null;
  if (!isJson) return { sha256, body: { kind: 'bytes', bytes } };
  if (bytes.length === 0) return { sha256, body: { kind: 'json', json: {}, zipFile: null } };
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
    return { sha256, body: { kind: 'json', json, zipFile: takeZipFile(json) } };
  } catch (error) {
    if (error instanceof SyntaxError) return { sha256, body: { kind: 'malformed' } };
    throw error;
  }
}
