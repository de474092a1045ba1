// One API request as it arrived, and the answer to it: what the endpoints work on, free of the HTTP framework.
import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type { SignedParts } from '../wire/openapi-signature.ts';
import type { QueryPair } from '../wire/percent-encoding.ts';
import { ApiError } from './errors.ts';
import type { ExecSessionOptions } from './fc/exec-session.ts';

export type Received = {
  readonly method: string;
  /** As on the request line, without the query. */
  readonly path: string;
  readonly query: readonly QueryPair[];
  /** Names in lower case. */
  readonly headers: SignedParts['headers'];
  readonly requestId: string;
  /** The Host header. */
  readonly host: string;
  /** The port that the request came in by. */
  readonly localPort: number;
  /** The address that the connection comes from. */
  readonly peerAddress: string;
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal;
  /** The body as it comes; for those who do not use readBody(). */
  readonly stream: Readable;
  /** A call of an HTTP trigger: the classic signature covers its query. */
  readonly isHttpTrigger?: boolean;
  /** It asks for a WebSocket. */
  readonly isUpgrade?: boolean;
  /** Reads the whole body once. Errors: BodyTooLarge. */
  readBody(limitBytes: number): Promise<Buffer>;
};

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
  /** To a WebSocket that was asked for: what it is to carry. Destroying `stream` ends it. */
  readonly session?: { readonly stream: Duplex; readonly options: ExecSessionOptions };
};

/** The first value of a query member, by exact name. */
export function queryValue(query: readonly QueryPair[], name: string): string | null {
  return query.find(([key]) => key === name)?.[1] ?? null;
}

/** A body over its limit; each product answers it in its own form. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
  readonly limitBytes: number;

  constructor(limitBytes: number) {
    super(`the body is larger than ${limitBytes} bytes`);
    this.limitBytes = limitBytes;
  }
}

/**
 * Collects a body of at most `limitBytes`.
 * Over the limit the rest is read and thrown away, so that the client can read the answer.
 */
export function readBody(stream: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const announced = Number(stream.headers['content-length'] ?? 0);
    if (announced > limitBytes) {
      stream.resume();
      reject(new BodyTooLarge(limitBytes));
      return;
    }
    if (stream.readableEnded) {
      resolve(Buffer.alloc(0));
      return;
    }
    let chunks: Buffer[] = [];
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limitBytes) chunks.push(chunk);
      else if (chunks.length > 0) {
        chunks = [];
        reject(new BodyTooLarge(limitBytes));
      } else reject(new BodyTooLarge(limitBytes));
    });
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', reject);
    stream.once('close', () => reject(new ApiError('ClientClosedRequest', 499, 'the client closed the connection')));
  });
}
