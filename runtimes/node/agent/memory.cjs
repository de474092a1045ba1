// Peak memory of this process, cheaply enough to be told with every answer.
'use strict';

const fs = require('fs');

// How old a figure may get, and how long a request must be to have it read anew: a shorter one cannot touch much.
const STALE_MS = 100;
const LONG_MS = 1;

/** Reads VmHWM. (The peak of getrusage is no use: exec keeps the peak of the process that started us.) */
class PeakMemory {
  constructor() {
    this.bytes = Buffer.alloc(4096);
    try {
      this.fd = fs.openSync('/proc/self/status', 'r');
    } catch (error) {
      this.fd = -1; // no /proc: kilobytes() takes the present size
    }
    this.began = Date.now();
    this.readAt = this.began;
    this.known = this.read();
  }

  begin() {
    this.began = Date.now();
  }

  kilobytes() {
    const now = Date.now();
    if (now - this.began > LONG_MS || now - this.readAt > STALE_MS) {
      this.known = Math.max(this.known, this.read());
      this.readAt = now;
    }
    return this.known;
  }

  close() {
    if (this.fd >= 0) fs.closeSync(this.fd);
  }

  read() {
    if (this.fd < 0) return Math.ceil(process.memoryUsage().rss / 1024);
    const length = fs.readSync(this.fd, this.bytes, 0, this.bytes.length, 0);
    const found = /VmHWM:\s*(\d+)/.exec(this.bytes.toString('latin1', 0, length));
    return found === null ? 0 : Number(found[1]);
  }
}

module.exports = { PeakMemory: PeakMemory };
