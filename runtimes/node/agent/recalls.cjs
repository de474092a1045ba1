// Which requests that were sent ahead are not to be begun. Used by serve.cjs; see "Sent ahead" in ../../PROTOCOL.md.
'use strict';

const fs = require('fs');
const path = require('path');

/** Requests that are kept while one runs. */
const limit = 16;
// As they are before user code can put others in their place.
const open = fs.openSync;
const read = fs.readSync;

class Recalls {
  constructor(socketPath) {
    this.path = path.join(path.dirname(socketPath), 'r');
    this.fd = -1;
    this.bytes = Buffer.alloc(4);
  }

  /** Also when nobody can tell: it is then begun elsewhere. */
  has(stream) {
    try {
      if (this.fd < 0) this.fd = open(this.path, 'r');
      return read(this.fd, this.bytes, 0, 4, 0) !== 4 || this.bytes.readUInt32BE(0) >= stream;
    } catch (_) {
      return true;
    }
  }
}

module.exports = { Recalls: Recalls, limit: limit };
