// HTTP/2 byte by byte, as it comes out of the TLS layer: frames, and a client in memory that sends what no library would.
import type { Http2Server } from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';

export const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
export const types = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  window: 8,
  more: 9,
};
export const endStream = 0x1;
export const endHeaders = 0x4;

export function frame(type: number, flags: number, stream: number, payload: string): string {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return head.toString('latin1') + payload;
}

/** A block of literal header fields without Huffman code or index. Source: docs (RFC 7541 6.2.2). */
export function block(...fields: readonly (readonly [name: string, value: string])[]): string {
  const text = (part: string) => String.fromCharCode(part.length) + part; // shorter than 127 bytes
  return fields.map(([name, value]) => `\0${text(name)}${text(value)}`).join('');
}

/** No header table: every answer's fields stand in it as they are. A window, and streams at once. */
export const settings = frame(types.settings, 0, 0, '\0\x01\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x01\0\0');

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** One connection in memory. */
export class Http2Connection {
  readonly #client: Duplex;
  readonly #accepted: Duplex;
  readonly #closed: Promise<void>;
  #received: Buffer[] = [];
  #isClosed = false;
  #isNew = true;
  /** It answers pings: what was sent left its frames whole. */
  stands = true;

  constructor(server: Http2Server) {
    const [client, accepted]: [Duplex, Duplex] = duplexPair();
    Object.assign(accepted, { remoteAddress: '198.51.100.7', setTimeout() {}, setNoDelay() {}, setKeepAlive() {} });
    this.#client = client;
    this.#accepted = accepted;
    server.emit('connection', accepted);
    client.on('data', (chunk: Buffer) => this.#received.push(chunk)).on('error', () => {});
    this.#closed = new Promise<void>((resolve) => {
      for (const side of [client, accepted]) side.once('close', resolve).once('end', resolve);
    }).then(() => {
      this.#isClosed = true;
    });
  }

  /** Sends the pieces and a ping, and reads until nothing comes any more. */
  async exchange(pieces: readonly string[]): Promise<Came> {
    const startsItself = pieces.length === 2 && pieces[1] === '';
    if (this.#isNew && !startsItself) this.#write(preface + settings);
    this.#isNew = false;
    for (const piece of pieces) {
      this.#write(piece);
      await turn();
    }
    this.#write(frame(types.ping, 0, 0, 'is there'));
    let quiet = 0;
    for (let before = -1; quiet < 6 && !this.#isClosed; quiet++) {
      await turn();
      if (this.#received.length !== before) quiet = 0;
      before = this.#received.length;
    }
    const came = readFrames(Buffer.concat(this.#received));
    this.#received = [];
    this.stands = !this.#isClosed && came.isAlive;
    return came;
  }

  async end(): Promise<void> {
    this.#client.end();
    for (let turns = 0; turns < 4 && !this.#isClosed; turns++) await turn();
    this.#client.destroy();
    this.#accepted.destroy();
    await this.#closed;
  }

  #write(bytes: string): void {
    if (!this.#client.destroyed && bytes !== '') this.#client.write(bytes, 'latin1');
  }
}

/** The statuses that came, the last kind of frame that no ping asked for, and whether the connection goes on. */
export type Came = { readonly statuses: number[]; readonly reached: string; readonly isAlive: boolean };

function readFrames(bytes: Buffer): Came {
  const statuses: number[] = [];
  let reached = 'nothing';
  let isAlive = false;
  let isLeaving = false;
  for (let at = 0; at + 9 <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const type = bytes.readUInt8(at + 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    if (type === types.headers) statuses.push(statusOf(payload));
    if (type === types.goAway) isLeaving = true;
    if (type === types.ping && payload.toString('latin1') === 'is there') isAlive = true;
    else if (type !== types.settings) reached = `frame ${type}`;
    at += 9 + length;
  }
  return { reached, statuses, isAlive: isAlive && !isLeaving };
}

/** `:status` comes first: one of the seven of the static table, or three digits. Source: docs (RFC 7541 A). */
function statusOf(given: Buffer): number {
  // The first block tells that the table has no room. Source: docs (RFC 7541 6.3).
  const payload = given.length > 0 && given.readUInt8(0) >> 5 === 1 ? given.subarray(1) : given;
  const first = payload.readUInt8(0);
  const indexed = [200, 204, 206, 304, 400, 404, 500][(first & 0x7f) - 8];
  if (first >= 0x80 && indexed !== undefined) return indexed;
  return Number(/\d{3}/.exec(payload.toString('latin1', 0, 8))?.[0] ?? 0);
}
