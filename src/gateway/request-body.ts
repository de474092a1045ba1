// The body of one request: read once, when a step first needs it, within the limit. Used by identify.ts and map.ts.

import { NoRoomForBody } from '../base/body-budget.ts';
import { isFormType } from '../wire/gateway-signature.ts';
import {
  allValues,
  type DecodePiece,
  decoderFor,
  noParameters,
  type Parameters,
  parseParameters,
  parseRawBareNames,
  textDecoderFor,
} from '../wire/query.ts';
import { refuse } from './errors.ts';

/** Where the bytes come from; listener.ts makes it from node:http. */
export type BodySource = {
  /** False when the request has no body. */
  readonly isPresent: boolean;
  /** From Content-Length; null when it is not announced. */
  readonly announcedBytes: number | null;
  /** What was read of it so far. */
  readonly receivedBytes: number;
  /** Reads all of it. Errors: BodyTooLarge over the limit, BodyTooSlow, ClientGone. Called at most once. */
  read(limitBytes: number): Promise<Buffer>;
  /** Hands it out as it comes, no more than is asked for. Errors as read(). Instead of read(), not beside it. */
  chunks(limitBytes: number): AsyncIterable<Buffer>;
};

/** What a BodySource throws when more than the limit arrived. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}

/** What it throws when the body did not arrive in its time. */
export class BodyTooSlow extends Error {
  override readonly name = 'BodyTooSlow';
}

/** A body that is already there, for tests. */
export function bodyOf(bytes: Buffer): BodySource {
  return {
    isPresent: bytes.length > 0,
    announcedBytes: bytes.length,
    receivedBytes: bytes.length,
    read: async (limitBytes) => {
      if (bytes.length > limitBytes) throw new BodyTooLarge();
      return bytes;
    },
    chunks: async function* (limitBytes) {
      if (bytes.length > limitBytes) throw new BodyTooLarge();
      yield bytes;
    },
  };
}

const noBytes = Buffer.alloc(0);
const charsetOf = /;\s*charset\s*=\s*"?([^\s;"]+)"?/i;

/** The charset of a body that is read as text, lower case. */
function charsetIn(contentType: string): string {
  if (contentType.endsWith('; charset=UTF-8')) return 'utf-8';
  return charsetOf.exec(contentType)?.[1]?.toLowerCase() ?? 'utf-8';
}

function isUtf8(charset: string): boolean {
  return charset === 'utf-8' || charset === 'utf8';
}

function tooLarge(limitBytes: number, got: number | null): Error {
  return refuse(
    'I413RL',
    {},
    {
      side: 'client',
      field: 'body',
      expected: `at most ${limitBytes} bytes`,
      got: got === null ? 'more' : `${got} bytes`,
      message: `The request body is larger than the limit of ${limitBytes} bytes.`,
    },
  );
}

/** Of bodies that are read here; one that is only passed on may have any charset. Source: docs, the latter assumed. */
function unknownCharset(charset: string): Error {
  return refuse(
    'I400CT',
    { Reason: `charset ${charset} is unknown` },
    { side: 'client', field: 'Content-Type', got: charset, message: `The body's charset "${charset}" is unknown.` },
  );
}

function noRoom(): Error {
  return refuse(
    'X503BZ',
    {},
    {
      side: 'platform',
      field: 'body',
      message: 'The bodies of all requests under way take as much memory as they may; try again when some are done.',
    },
  );
}

/** Source: assumed; the table of codes has none for this. */
function tooSlow(): Error {
  return refuse(
    'I400BD',
    { Reason: 'body did not arrive in time' },
    {
      side: 'client',
      field: 'body',
      expected: 'the whole body in time',
      got: 'a part of it',
      message: 'The body of the request did not arrive in time: the client sent it too slowly, or stopped.',
    },
  );
}

/** Errors: I413RL at once when Content-Length is over the limit. */
export class RequestBody {
  readonly isForm: boolean;
  readonly #source: BodySource;
  readonly #contentType: string | undefined;
  readonly #limitBytes: number;
  #bytes: Buffer | Promise<Buffer> | null = null;
  #form: Parameters | Promise<Parameters> | null = null;
  #formWithRawNames: Parameters | null = null;
  #wasRead = false;
  #isLate = false;
  /** The beginning of a body that is handed out as it comes, for the log. */
  #excerpt = noBytes;
  #excerptLimit = 0;

  constructor(source: BodySource, contentType: string | undefined, limitBytes: number) {
    if (source.announcedBytes !== null && source.announcedBytes > limitBytes) {
      throw tooLarge(limitBytes, source.announcedBytes);
    }
    this.#source = source;
    this.#contentType = contentType;
    this.#limitBytes = limitBytes;
    this.isForm = isFormType(contentType);
  }

  get isPresent(): boolean {
    return this.#source.isPresent;
  }

  /** From Content-Length; null when it is not announced. */
  get announcedBytes(): number | null {
    return this.#source.announcedBytes;
  }

  /** Whether all of it has arrived. */
  get wasRead(): boolean {
    return this.#wasRead;
  }

  /** It did not arrive in time, and nobody waits for the rest. */
  get isLate(): boolean {
    return this.#isLate;
  }

  /** All of the body; a promise only while it comes. Errors: I413RL, I400BD, X503BZ, ClientGone. */
  bytes(): Buffer | Promise<Buffer> {
    this.#bytes ??= this.#source.isPresent ? this.#read() : noBytes;
    return this.#bytes;
  }

  /** All of the body as it comes, for one reader; what a step read before is given whole. Errors: I413RL, I400BD, ClientGone. */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    if (this.#bytes !== null) {
      yield await this.#bytes;
      return;
    }
    try {
      if (this.#excerptLimit === 0) yield* this.#source.chunks(this.#limitBytes);
      else yield* this.#excerpted(this.#source.chunks(this.#limitBytes));
      this.#wasRead = true;
    } catch (error) {
      throw this.#worded(error);
    }
  }

  /** The first `limit` bytes are wanted, also of a body that is only handed on. */
  keepExcerpt(limit: number): void {
    this.#excerptLimit = limit;
  }

  /** The beginning of what was read; null when keepExcerpt() was not called or nothing was read. */
  excerpt(): Buffer | null {
    if (this.#excerptLimit === 0) return null;
    if (this.#bytes !== null && !(this.#bytes instanceof Promise)) return this.#bytes.subarray(0, this.#excerptLimit);
    return this.#excerpt.length === 0 ? null : this.#excerpt;
  }

  async *#excerpted(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of chunks) {
      const left = this.#excerptLimit - this.#excerpt.length;
      if (left > 0) this.#excerpt = Buffer.concat([this.#excerpt, chunk.subarray(0, left)]);
      yield chunk;
    }
  }

  /**
   * The fields of a URL-encoded form; none when the body is no form. A promise only while it comes.
   * Errors: I400CT, I400BD and those of bytes().
   */
  form(): Parameters | Promise<Parameters> {
    if (this.#form !== null) return this.#form;
    const bytes = this.isForm && this.#source.isPresent ? this.bytes() : null;
    if (bytes === null) this.#form = noParameters;
    else this.#form = bytes instanceof Promise ? bytes.then((all) => this.#parse(all)) : this.#parse(bytes);
    return this.#form;
  }

  /** After form(): the same with the names of bare items as written; null when that is the same. For signatures. */
  get formWithRawNames(): Parameters | null {
    return this.#formWithRawNames;
  }

  #read(): Promise<Buffer> {
    return this.#source.read(this.#limitBytes).then(
      (bytes) => {
        this.#wasRead = true;
        this.#bytes = bytes;
        return bytes;
      },
      (error: unknown) => {
        throw this.#worded(error);
      },
    );
  }

  #worded(error: unknown): unknown {
    if (error instanceof NoRoomForBody) return noRoom();
    if (error instanceof BodyTooLarge) return tooLarge(this.#limitBytes, null);
    if (!(error instanceof BodyTooSlow)) return error;
    this.#isLate = true;
    return tooSlow();
  }

  /** All of the body as text. Errors: I400CT and those of bytes(). */
  async text(): Promise<string> {
    const charset = charsetIn(this.#contentType ?? '');
    const decoder = isUtf8(charset) ? undefined : textDecoderFor(charset);
    if (decoder === null) throw unknownCharset(charset);
    const bytes = await this.bytes();
    return decoder?.decode(bytes) ?? bytes.toString('utf8');
  }

  /** Of a form: every value of one field, in order. Errors: those of form(). */
  async formValues(name: string): Promise<readonly string[]> {
    const { text, decode } = this.#readText(await this.bytes());
    return allValues(text, name, decode);
  }

  /** The form as its pieces are decoded; `decode` undefined: as UTF-8. Errors: I400CT. */
  #readText(bytes: Buffer): { readonly text: string; readonly decode: DecodePiece | undefined } {
    const charset = charsetIn(this.#contentType ?? '');
    const decode = isUtf8(charset) ? undefined : decoderFor(charset);
    if (decode === null) throw unknownCharset(charset);
    return { text: bytes.toString(decode === undefined ? 'utf8' : 'latin1'), decode };
  }

  #parse(bytes: Buffer): Parameters {
    const { text, decode } = this.#readText(bytes);
    const form = parseParameters(text, decode);
    this.#formWithRawNames = form === null ? null : parseRawBareNames(text, decode);
    if (form === null) {
      throw refuse(
        'I400BD',
        { Reason: 'form is not URL-encoded' },
        {
          side: 'client',
          field: 'body',
          expected: 'name=value pairs with % escapes of two hex digits',
          message: 'The form in the body holds a % that is not followed by two hexadecimal digits.',
        },
      );
    }
    this.#form = form;
    return form;
  }
}
