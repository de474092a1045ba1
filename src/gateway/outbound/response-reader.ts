// Takes the bytes of a connection apart into answers: interim heads skipped, the body without its framing. Called by connection.ts.
import { BackendFault } from './fault.ts';
import { parseHead, type ResponseHead } from './response-head.ts';

/** Hears of one answer, in this order: head, data …, end. */
export type ResponseSink = {
  head(head: ResponseHead): void;
  data(chunk: Buffer): void;
  end(): void;
};

/** Bytes of a head, interim ones included; of the trailers; of a chunk's size line. */
const headLimit = 64 * 1024;
const trailerLimit = 16 * 1024;
const sizeLineLimit = 1024;

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'head' }
  /** `left` bytes of a body or chunk to come. */
  | { readonly kind: 'data'; left: number; readonly isChunk: boolean }
  | { readonly kind: 'chunk-size' }
  | { readonly kind: 'chunk-end' }
  | { readonly kind: 'trailers' }
  | { readonly kind: 'until-close' };

const idle: State = { kind: 'idle' };
const inHead: State = { kind: 'head' };
const inSize: State = { kind: 'chunk-size' };
const inChunkEnd: State = { kind: 'chunk-end' };
const inTrailers: State = { kind: 'trailers' };
const untilClose: State = { kind: 'until-close' };

const hexLine = /^([0-9a-fA-F]{1,12})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/;

function bad(reason: string): BackendFault {
  return new BackendFault('response', reason);
}

/** One connection's reader. `expect` before each answer; errors are thrown by `push` as BackendFault. */
export class ResponseReader {
  #state: State = idle;
  #sink: ResponseSink | null = null;
  #isHead = false;
  /** What came of a head or line that is not whole yet. */
  #rest: Buffer | null = null;
  #interimBytes = 0;
  #trailerBytes = 0;
  #hasStarted = false;

  /** Whether any byte of the current answer has come. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  get isIdle(): boolean {
    return this.#state.kind === 'idle';
  }

  /** The next bytes are the answer to a request; `isHead`: to a HEAD. */
  expect(isHead: boolean, sink: ResponseSink): void {
    this.#state = inHead;
    this.#sink = sink;
    this.#isHead = isHead;
    this.#rest = null;
    this.#interimBytes = 0;
    this.#trailerBytes = 0;
    this.#hasStarted = false;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    if (this.isIdle) throw bad('bytes came that no request asked for');
    this.#hasStarted = true;
    let bytes = chunk;
    while (bytes.length > 0) {
      if (this.isIdle) throw bad('bytes came behind the end of the response');
      bytes = this.#step(bytes);
    }
  }

  /** The backend ended the connection. True: that was the end of the answer. Errors: BackendFault `closed` or `response`. */
  finish(): void {
    switch (this.#state.kind) {
      case 'idle':
        return;
      case 'until-close':
        this.#end();
        return;
      default:
        throw this.#hasStarted
          ? bad('the connection ended in the middle of the response')
          : new BackendFault('closed', 'Connection is closed');
    }
  }

  /** Uses up some of `bytes`; returns the rest. */
  #step(bytes: Buffer): Buffer {
    const state = this.#state;
    switch (state.kind) {
      case 'idle':
        return bytes;
      case 'head':
        return this.#readHead(bytes);
      case 'data':
        return this.#readData(bytes, state);
      case 'chunk-size':
        return this.#readLine(bytes, sizeLineLimit, (line) => this.#startChunk(line));
      case 'chunk-end':
        return this.#readLine(bytes, 2, (line) => {
          if (line !== '') throw bad('a chunk is longer than it said');
          this.#state = inSize;
        });
      case 'trailers':
        return this.#readLine(bytes, trailerLimit, (line) => this.#readTrailer(line));
      case 'until-close':
        this.#sink?.data(bytes);
        return bytes.subarray(bytes.length);
    }
  }

  #readHead(bytes: Buffer): Buffer {
    const before = this.#rest?.length ?? 0;
    const all = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
    // The blank line may begin up to three bytes before what is new.
    const end = all.indexOf('\r\n\r\n', Math.max(0, before - 3));
    if (this.#interimBytes + (end === -1 ? all.length : end) > headLimit) {
      throw bad(`the response head is larger than ${headLimit} bytes`);
    }
    if (end === -1) {
      this.#rest = all;
      return bytes.subarray(bytes.length);
    }
    this.#rest = null;
    const head = parseHead(all.toString('latin1', 0, end), this.#isHead);
    const rest = all.subarray(end + 4);
    if (head.status === 101) throw bad('the backend switched protocols without being asked');
    if (head.status < 200) this.#interimBytes += end + 4;
    else this.#startBody(head);
    return rest;
  }

  #startBody(head: ResponseHead): void {
    const { framing } = head;
    this.#sink?.head(head);
    switch (framing.kind) {
      case 'none':
        this.#end();
        return;
      case 'length':
        if (framing.bytes === 0) this.#end();
        else this.#state = { kind: 'data', left: framing.bytes, isChunk: false };
        return;
      case 'chunked':
        this.#state = inSize;
        return;
      case 'until-close':
        this.#state = untilClose;
        return;
    }
  }

  #readData(bytes: Buffer, state: Extract<State, { kind: 'data' }>): Buffer {
    const whole = bytes.length <= state.left;
    const part = whole ? bytes : bytes.subarray(0, state.left);
    state.left -= part.length;
    this.#sink?.data(part);
    if (state.left === 0) {
      if (state.isChunk) this.#state = inChunkEnd;
      else this.#end();
    }
    return bytes.subarray(part.length);
  }

  /** Hands over one line without its CRLF when it is whole. */
  #readLine(bytes: Buffer, limit: number, take: (line: string) => void): Buffer {
    const all = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
    const end = all.indexOf(10);
    if ((end === -1 ? all.length : end) > limit) throw bad('a chunk of the response is framed badly');
    if (end === -1) {
      this.#rest = all;
      return bytes.subarray(bytes.length);
    }
    if (end === 0 || all[end - 1] !== 13) throw bad('a line of the response ends without CR');
    this.#rest = null;
    take(all.toString('latin1', 0, end - 1));
    return all.subarray(end + 1);
  }

  #startChunk(line: string): void {
    const size = hexLine.exec(line);
    if (size === null) throw bad('a chunk of the response has no size');
    const left = Number.parseInt(size[1] ?? '', 16);
    this.#state = left === 0 ? inTrailers : { kind: 'data', left, isChunk: true };
  }

  /** Trailers are dropped. */
  #readTrailer(line: string): void {
    this.#trailerBytes += line.length + 2;
    if (this.#trailerBytes > trailerLimit) throw bad(`the trailers are larger than ${trailerLimit} bytes`);
    if (line === '') this.#end();
  }

  #end(): void {
    this.#state = idle;
    const sink = this.#sink;
    this.#sink = null;
    sink?.end();
  }
}
