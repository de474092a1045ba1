// What functions print and log: process.stdout, process.stderr, console, context.logger, and the markers around each request.
// fd 1 and fd 2 are one stream to the host. Every write is synchronous, so that a crash loses nothing.
'use strict';

const fs = require('fs');
const stream = require('stream');
const util = require('util');

/** Lets the host read for a moment. Node 6 cannot sleep: it tries again at once. */
function pause() {
  if (typeof Atomics !== 'undefined' && Atomics.wait) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

// console.log → verbose: assumed (documented, not confirmed).
const consoleLevels = { log: 'verbose', info: 'info', debug: 'debug', warn: 'warn', error: 'error' };
const loggerLevels = { log: 'verbose', info: 'info', debug: 'debug', warn: 'warn', error: 'error' };

/** Where the log stream stands around one request. */
class Mark {
  constructor(kind, requestId, isTail) {
    this.kind = kind;
    this.requestId = requestId;
    this.isTail = isTail;
    this.isStartDue = true;
    this.hasStart = false;
  }
}

class Output {
  constructor() {
    this.mark = null; // of the last request that began
    this.storage = null; // with several requests at a time: knows whose code runs
    this.endsLine = true;
    this.logger = this.makeLogger(null);
  }

  /** From now on several requests run at a time: output belongs to the one whose code wrote it. */
  separate() {
    const AsyncLocalStorage = require('async_hooks').AsyncLocalStorage;
    if (AsyncLocalStorage !== undefined) this.storage = new AsyncLocalStorage(); // Node 12.17 and newer
  }

  /** Runs `run` as part of the request of `mark`. */
  within(mark, run) {
    return this.storage === null ? run() : this.storage.run(mark, run);
  }

  current() {
    return this.storage === null ? this.mark : this.storage.getStore() || null;
  }

  /** context.logger; `mark` null: of whatever request is under way. */
  makeLogger(mark) {
    const logger = {};
    for (const name of Object.keys(loggerLevels)) {
      logger[name] = (...args) => this.log(loggerLevels[name], util.format.apply(util, args), mark);
    }
    return logger;
  }

  install() {
    for (const name of Object.keys(consoleLevels)) console[name] = this.logMethod(consoleLevels[name]);
    console.trace = (...args) => this.log('error', new Error(util.format.apply(util, args)).stack.replace('Error', 'Trace'));
    this.replaceStream('stdout', 1);
    this.replaceStream('stderr', 2);
  }

  logMethod(level) {
    return (...args) => this.log(level, util.format.apply(util, args));
  }

  /** `2022-04-01T10:04:19.024Z {requestId} [info] hello`. Source: docs. */
  log(level, text, mark) {
    const owner = mark || this.current();
    const id = owner === null ? '' : `${owner.requestId} `;
    this.write(`${new Date().toISOString()} ${id}[${level}] ${text}\n`, 1, owner);
  }

  replaceStream(name, fd) {
    const made = new stream.Writable({
      decodeStrings: false,
      write: (chunk, encoding, done) => {
        this.write(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk, fd);
        done();
      },
    });
    made.fd = fd;
    made._isStdio = true;
    made.destroy = made._destroy = () => made; // as Node's own: these two never close
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => made });
  }

  /**
   * A request begins: its Start marker goes out with the first output, or before anything else when a tail is wanted:
   * children write without being seen.
   */
  begin(kind, requestId, isTail) {
    const mark = new Mark(kind, requestId, isTail);
    if (this.storage === null) this.mark = mark;
    if (isTail) this.write(this.takeStart(mark), 1, mark);
    return mark;
  }

  takeStart(mark) {
    mark.isStartDue = false;
    mark.hasStart = true;
    return `${this.endsLine ? '' : '\n'}FC ${mark.kind} Start RequestId: ${mark.requestId}\n`;
  }

  /** Completes the markers when there was output, an error (`suffix`), or a tail is wanted. */
  finish(mark, suffix) {
    if (mark.hasStart || mark.isTail || suffix !== '') {
      const newline = this.endsLine ? '' : '\n';
      this.write(`${newline}FC ${mark.kind} End RequestId: ${mark.requestId}${suffix}\n`, 1, mark);
    }
    mark.isStartDue = false;
  }

  write(data, fd, owner) {
    let bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (bytes.length === 0) return;
    const mark = owner === undefined ? this.current() : owner;
    if (mark !== null && mark.isStartDue) bytes = Buffer.concat([Buffer.from(this.takeStart(mark)), bytes]);
    this.endsLine = bytes[bytes.length - 1] === 10;
    let done = 0;
    while (done < bytes.length) {
      try {
        done += fs.writeSync(fd, bytes, done, bytes.length - done, null);
      } catch (error) {
        if (error.code === 'EPIPE' || error.code === 'ECONNRESET') return; // the host has gone: nobody reads the log
        if (error.code !== 'EAGAIN') throw error;
        pause();
      }
    }
  }
}

module.exports = { Output: Output };
