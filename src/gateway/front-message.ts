// A request of node:http/1.1 as the gateway's servers make it: its headers are read as they came and never sorted by name, and
// its body can be had as the parser reads it, without the stream in between. Made by node:http (listenerOptions()); used by
// listener.ts. Both are what node would do otherwise, for each request: measured in docs/decisions/0040.
import { IncomingMessage } from 'node:http';

/** Who takes a body as it comes. */
export type BodyTaker = {
  /** False: nothing more of it is wanted for now. */
  data(chunk: Buffer): boolean;
  /** All of it has been given. */
  end(): void;
  /** The connection broke off before that. */
  broken(): void;
};

export class FrontMessage extends IncomingMessage {
  #taker: BodyTaker | null = null;
  #isInStream = false;

  /** Gives all of the body to `taker`. False: some of it has come already and is in the stream, or the connection has gone. */
  giveBodyTo(taker: BodyTaker): boolean {
    if (this.#isInStream || this.destroyed) return false;
    this.#taker = taker;
    return true;
  }

  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    const taker = this.#taker;
    if (taker === null) {
      this.#isInStream = true;
      return super.push(chunk, encoding);
    }
    if (chunk !== null) return taker.data(chunk);
    this.#taker = null;
    super.push(null);
    taker.end();
    return true;
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const taker = this.#taker;
    this.#taker = null;
    taker?.broken();
    super._destroy(error, done);
  }
}

const noHeaders = {};

/** What node itself asks for with each request. Everybody else reads rawHeaders. */
Object.defineProperty(FrontMessage.prototype, 'headers', {
  get(this: FrontMessage): Readonly<Record<string, string>> {
    const { rawHeaders } = this;
    let expect: string | null = null;
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      const name = rawHeaders[i] ?? '';
      if (name.length === 6 && name.toLowerCase() === 'expect') {
        expect = expect === null ? (rawHeaders[i + 1] ?? '') : `${expect}, ${rawHeaders[i + 1]}`;
      }
    }
    return expect === null ? noHeaders : { expect };
  },
});
