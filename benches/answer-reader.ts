// Reads HTTP/1.1 answers off one connection, as cheaply as a load generator must: one answer at a time, small bodies.
export type RawAnswer = { readonly status: number; readonly head: string; readonly body: string };

const headLimit = 64 * 1024;

/** Collects bytes until an answer is whole. Knows Content-Length and chunked bodies; anything else is an error. */
export class AnswerReader {
  #pending = '';

  /** The answer that this text (bytes as latin1) completes, or null. Errors: throws on what is no HTTP answer. */
  push(latin1: string): RawAnswer | null {
    this.#pending += latin1;
    const text = this.#pending;
    const headEnd = text.indexOf('\r\n\r\n');
    if (headEnd === -1) {
      if (text.length > headLimit) throw new Error('the head of the answer does not end');
      return null;
    }
    if (!text.startsWith('HTTP/1.1 ')) throw new Error(`not an HTTP answer: ${text.slice(0, 100)}`);
    const head = text.slice(0, headEnd + 2);
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1];
    const rest = text.slice(headEnd + 4);
    const body = length === undefined ? dechunk(rest) : rest.length >= Number(length) ? rest : null;
    if (body === null) return null;
    if (length !== undefined && body.length > Number(length)) throw new Error('bytes after the end of the answer');
    this.#pending = '';
    return { status: Number(text.slice(9, 12)), head, body };
  }
}

/** The body of a chunked answer, or null while its last chunk is missing. */
function dechunk(text: string): string | null {
  let body = '';
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error('neither a length nor chunks');
    if (text.length < lineEnd + 2 + size + 2) return null;
    if (size === 0) return body;
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}
