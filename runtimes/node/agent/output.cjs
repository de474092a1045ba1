// What functions print and log: process.stdout, process.stderr, console, context.logger, and the markers around each request.
// fd 1 and fd 2 are one stream to the host. Every write is synchronous, so that a crash loses nothing.
'use strict';

const fs = require('fs');
const stream = require('stream');
const util = require('util');

const sleeper = new Int32Array(new SharedArrayBuffer(4));

// console.log → verbose: assumed (function-runtime.md 11 gives it as unconfirmed).
const consoleLevels = { log: 'verbose', info: 'info', debug: 'debug', warn: 'warn', error: 'error' };
const loggerLevels = { log: 'verbose', info: 'info', debug: 'debug', warn: 'warn', error: 'error' };

class Output {
  constructor() {
    this.requestId = '';
    this.kind = 'Invoke';
    this.isTail = false;
    this.isStartDue = false;
    this.hasStart = false;
    this.endsLine = true;
    /** context.logger */
    this.logger = {};
    for (const name of Object.keys(loggerLevels)) this.logger[name] = this.logMethod(loggerLevels[name]);
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

  /** `2022-04-01T10:04:19.024Z {requestId} [info] hello`. Source: docs (function-runtime.md 11). */
  log(level, text) {
    const id = this.requestId === '' ? '' : `${this.requestId} `;
    this.write(`${new Date().toISOString()} ${id}[${level}] ${text}\n`, 1);
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

  /** A request begins: its Start marker goes out with the first output. */
  begin(kind, requestId, isTail) {
    this.kind = kind;
    this.requestId = requestId;
    this.isTail = isTail;
    this.isStartDue = true;
    this.hasStart = false;
  }

  /** Completes the markers when there was output, an error (`suffix`), or a tail is wanted. */
  finish(suffix) {
    if (this.hasStart || this.isTail || suffix !== '') {
      const newline = this.endsLine ? '' : '\n';
      this.write(`${newline}FC ${this.kind} End RequestId: ${this.requestId}${suffix}\n`, 1);
    }
    this.isStartDue = false;
  }

  write(data, fd) {
    let bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (bytes.length === 0) return;
    if (this.isStartDue) {
      this.isStartDue = false;
      this.hasStart = true;
      const newline = this.endsLine ? '' : '\n';
      bytes = Buffer.concat([Buffer.from(`${newline}FC ${this.kind} Start RequestId: ${this.requestId}\n`), bytes]);
    }
    this.endsLine = bytes[bytes.length - 1] === 10;
    let done = 0;
    while (done < bytes.length) {
      try {
        done += fs.writeSync(fd, bytes, done, bytes.length - done, null);
      } catch (error) {
        if (error.code === 'EPIPE' || error.code === 'ECONNRESET') return; // the host has gone: nobody reads the log
        if (error.code !== 'EAGAIN') throw error;
        Atomics.wait(sleeper, 0, 0, 1);
      }
    }
  }
}

module.exports = { Output: Output };
