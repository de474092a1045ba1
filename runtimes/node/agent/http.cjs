// HTTP handlers: what `(req, resp, context)` gets. Loaded at the first HTTP call.
// Source: docs.
'use strict';

const http = require('http');
const stream = require('stream');

/** A response body that is a stream is collected. Source: docs. */
const BODY_LIMIT = 16 * 1024 * 1024;
/** Headers beyond it would not fit a frame (PROTOCOL.md 6). */
const HEADER_LIMIT = 16384;

/** Of these the first value counts when a name is repeated, as in Node itself. */
const singles = [
  'age', 'authorization', 'content-length', 'content-type', 'etag', 'expires', 'from', 'host', 'if-modified-since',
  'if-unmodified-since', 'last-modified', 'location', 'max-forwards', 'proxy-authorization', 'referer', 'retry-after',
  'server', 'user-agent',
];

function joinHeaders(headersMap) {
  const headers = {};
  for (const name of Object.keys(headersMap)) {
    const lower = name.toLowerCase();
    const values = headersMap[name];
    if (lower === 'set-cookie') headers[lower] = values;
    else headers[lower] = singles.indexOf(lower) >= 0 ? values[0] : values.join(lower === 'cookie' ? '; ' : ', ');
  }
  return headers;
}

/** The request: a readable stream of the body, told as node:http tells one. */
class Request extends http.IncomingMessage {
  /** `hasBody`: the newer ids show the whole body and the client's address as well (assumed: from nodejs12 on). */
  constructor(given, body, hasBody) {
    super(null);
    this.method = given.method;
    this.url = given.requestURI;
    this.path = given.path;
    this.clientIP = given.clientIP;
    this.httpVersion = '1.1';
    this.httpVersionMajor = this.httpVersionMinor = 1;
    const queries = {};
    for (const name of Object.keys(given.queriesMap)) {
      const values = given.queriesMap[name];
      const value = values.length === 1 ? values[0] : values;
      Object.defineProperty(queries, name, { value: value, enumerable: true, configurable: true, writable: true });
    }
    this.queries = queries;
    const raw = [];
    for (const name of Object.keys(given.headersMap)) {
      for (const value of given.headersMap[name]) raw.push(name, value);
    }
    // Own properties: newer Nodes make these from what their parser saw.
    const own = { headers: joinHeaders(given.headersMap), rawHeaders: raw };
    for (const name of Object.keys(own)) {
      Object.defineProperty(this, name, { value: own[name], enumerable: true, configurable: true, writable: true });
    }
    if (hasBody) {
      this.body = body;
      this.ip = given.clientIP;
    }
    this.complete = true;
    if (body.length > 0) this.push(body);
    this.push(null);
  }

  getHeader(name) {
    return this.headers[String(name).toLowerCase()];
  }

  _read() {}

  _destroy(error, done) {
    done(error);
  }
}

/** The response. `settle(error, {head, body})` is called once, when send() has the whole body. */
class Response {
  constructor(settle) {
    this.statusCode = 200;
    Object.defineProperty(this, '_headers', { value: new Map() });
    Object.defineProperty(this, '_settle', { value: settle });
    Object.defineProperty(this, '_isSent', { value: false, writable: true });
  }

  setStatusCode(code) {
    this._assertOpen();
    if (!Number.isInteger(code)) throw new TypeError('"statusCode" argument must be an integer');
    this.statusCode = code;
  }

  setHeader(name, value) {
    this._assertOpen();
    if (typeof name !== 'string') throw new TypeError('"name" argument must be a string');
    const values = Array.isArray(value) ? value.map(String) : [String(value)];
    this._headers.set(name.toLowerCase(), { name: name, values: values });
  }

  getHeader(name) {
    const found = this._headers.get(String(name).toLowerCase());
    return found === undefined ? undefined : found.values.length === 1 ? found.values[0] : found.values;
  }

  deleteHeader(name) {
    this._assertOpen();
    this._headers.delete(String(name).toLowerCase());
  }

  hasHeader(name) {
    return this._headers.has(String(name).toLowerCase());
  }

  send(body) {
    this._assertOpen();
    if (typeof body === 'string' || Buffer.isBuffer(body)) {
      this._isSent = true;
      this._finish(null, body);
    } else if (body instanceof stream.Readable || (body !== null && typeof body === 'object' && typeof body.pipe === 'function')) {
      this._isSent = true;
      this._collect(body);
    } else {
      throw new TypeError('"body" argument must be a string, a Buffer or a stream.Readable');
    }
  }

  _assertOpen() {
    if (this._isSent) throw new Error('the response has been sent');
  }

  _collect(source) {
    const parts = [];
    let size = 0;
    source.on('data', (chunk) => {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
      size += bytes.length;
      if (size > BODY_LIMIT) {
        source.removeAllListeners('data');
        if (typeof source.destroy === 'function') source.destroy();
        this._finish(new RangeError(`the response body exceeds ${BODY_LIMIT} bytes`));
        return;
      }
      parts.push(bytes);
    });
    source.on('error', (error) => this._finish(error));
    source.on('end', () => this._finish(null, Buffer.concat(parts)));
  }

  _finish(error, body) {
    if (error !== null) {
      this._settle(error, null);
      return;
    }
    const headersMap = {};
    let size = 0;
    this._headers.forEach((each) => {
      headersMap[each.name] = each.values;
      for (const value of each.values) size += each.name.length + Buffer.byteLength(value);
    });
    if (size > HEADER_LIMIT) {
      const excess = new Error(`response headers of ${size} bytes exceed 8192`);
      excess.name = 'BadResponse';
      this._settle(excess, null);
      return;
    }
    // A frame's head is ASCII here.
    const text = JSON.stringify({ status: this.statusCode, headersMap: headersMap });
    const head = text.replace(/[\u0080-\uffff]/g, (c) => `\\u${`000${c.charCodeAt(0).toString(16)}`.slice(-4)}`);
    this._settle(null, { head: head, body: body });
  }
}

module.exports = { Request: Request, Response: Response };
