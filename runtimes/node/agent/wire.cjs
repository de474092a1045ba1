// Frames over one socket: the instance's end. Used by serve.cjs only.
'use strict';

const type = {
  hello: 1,
  load: 2,
  invoke: 3,
  responseHead: 4,
  chunk: 5,
  end: 6,
  error: 7,
  cancel: 8,
  credit: 9,
  ping: 10,
  hook: 11,
  recalled: 12,
};
const FIN = 1;
const FRAME_LIMIT = 65536;
const HEADER_BYTES = 12;
const WINDOW = 262144;
const none = Buffer.alloc(0);

/** One frame in one buffer. `head` is ASCII text; `body` a Buffer or a string. It must fit. */
function frame(kind, flags, stream, head, body) {
  const bodyLength = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  const total = HEADER_BYTES + head.length + bodyLength;
  const bytes = Buffer.allocUnsafe(total);
  bytes.writeUInt32BE(total - 4, 0);
  bytes[4] = kind;
  bytes[5] = flags;
  bytes.writeUInt16BE(head.length, 6);
  bytes.writeUInt32BE(stream, 8);
  if (head.length > 0) bytes.write(head, HEADER_BYTES, 'latin1');
  if (bodyLength > 0) {
    if (typeof body === 'string') bytes.write(body, HEADER_BYTES + head.length, 'utf8');
    else body.copy(bytes, HEADER_BYTES + head.length);
  }
  return bytes;
}

/** One connection. `onRequest(kind, stream, head, body)` gets load, hook and invoke, the last with its whole event. */
class Wire {
  constructor(socket, onRequest, onBroken) {
    this.socket = socket;
    this.onRequest = onRequest;
    this.onBroken = onBroken;
    this.rest = null;
    this.incoming = new Map(); // events under way by stream: {head, parts, consumed}
    this.outgoing = new Map(); // large results under way by stream: {kind, stream, head, body, sent, window, done}
    socket.on('data', (chunk) => this.receive(chunk));
  }

  /** Whether the system has taken all that was to be sent. */
  get isSent() {
    return this.outgoing.size === 0 && this.socket._writableState.length === 0;
  }

  receive(chunk) {
    let bytes = this.rest === null ? chunk : Buffer.concat([this.rest, chunk]);
    this.rest = null;
    while (bytes.length >= HEADER_BYTES) {
      const total = bytes.readUInt32BE(0) + 4;
      const bodyStart = HEADER_BYTES + bytes.readUInt16BE(6);
      if (total > FRAME_LIMIT || bodyStart > total) {
        this.onBroken(`frame of ${total} bytes with a head of ${bodyStart - HEADER_BYTES}`);
        return;
      }
      if (bytes.length < total) break;
      this.take(bytes, total, bodyStart);
      if (bytes.length === total) return;
      bytes = bytes.slice(total);
    }
    if (bytes.length > 0) this.rest = bytes;
  }

  take(bytes, total, bodyStart) {
    const kind = bytes[4];
    const stream = bytes.readUInt32BE(8);
    const body = bytes.slice(bodyStart, total);
    const isFinal = (bytes[5] & FIN) !== 0;
    switch (kind) {
      case type.invoke: {
        const head = JSON.parse(bytes.toString('utf8', HEADER_BYTES, bodyStart));
        // A copy: the event is the function's for as long as it likes, and nothing else may show through its buffer.
        if (isFinal) this.onRequest(kind, stream, head, Buffer.from(body));
        else this.incoming.set(stream, { head: head, parts: [body], consumed: body.length });
        return;
      }
      case type.chunk:
        this.takeChunk(stream, body, isFinal);
        return;
      case type.load:
      case type.hook:
        this.onRequest(kind, stream, JSON.parse(bytes.toString('utf8', HEADER_BYTES, bodyStart)), none);
        return;
      case type.credit: {
        const out = this.outgoing.get(stream);
        if (out !== undefined && body.length === 4) {
          out.window += body.readUInt32BE(0);
          this.pump(out);
        }
        return;
      }
      case type.ping:
        this.socket.write(frame(type.ping, FIN, 0, '', body));
        return;
      case type.cancel: // a handler cannot be stopped: the host ends the instance if it will not wait
        return;
      default:
        this.onBroken(`unexpected frame of type ${kind}`);
    }
  }

  takeChunk(stream, body, isFinal) {
    const incoming = this.incoming.get(stream);
    if (incoming === undefined) {
      this.onBroken(`chunk of an unknown stream ${stream}`);
      return;
    }
    incoming.parts.push(body);
    if (isFinal) {
      this.incoming.delete(stream);
      this.onRequest(type.invoke, stream, incoming.head, Buffer.concat(incoming.parts));
      return;
    }
    incoming.consumed += body.length;
    if (incoming.consumed < WINDOW / 2) return;
    const grant = Buffer.allocUnsafe(4);
    grant.writeUInt32BE(incoming.consumed, 0);
    incoming.consumed = 0;
    this.socket.write(frame(type.credit, 0, stream, '', grant));
  }

  /**
   * Closes `stream` with `body` (Buffer or string): one write if it fits one frame. `done` runs when all is written.
   * `http` is null, or the answer's head as text of JSON: it stands in the first frame.
   */
  close(kind, stream, head, body, done, http) {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    const whole = http ? `${head.slice(0, -1)},"http":${http}}` : head;
    if (HEADER_BYTES + whole.length + length <= FRAME_LIMIT) {
      this.socket.write(frame(kind, 0, stream, whole, body), done);
      return;
    }
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    this.socket.write(frame(type.responseHead, 0, stream, http ? `{"http":${http}}` : '', none));
    const out = { kind: kind, stream: stream, head: head, body: bytes, sent: 0, window: WINDOW, done: done };
    this.outgoing.set(stream, out);
    this.pump(out);
  }

  /** Sends of a large result what its window allows; the last frame when it fits. */
  pump(out) {
    for (;;) {
      const left = out.body.length - out.sent;
      if (left <= out.window && HEADER_BYTES + out.head.length + left <= FRAME_LIMIT) {
        this.outgoing.delete(out.stream);
        this.socket.write(frame(out.kind, 0, out.stream, out.head, out.body.slice(out.sent)), out.done);
        return;
      }
      const part = Math.min(left, out.window, FRAME_LIMIT - HEADER_BYTES);
      if (part === 0) return;
      this.socket.write(frame(type.chunk, 0, out.stream, '', out.body.slice(out.sent, out.sent + part)));
      out.sent += part;
      out.window -= part;
    }
  }
}

module.exports = { Wire: Wire, frame: frame, type: type, none: none };
