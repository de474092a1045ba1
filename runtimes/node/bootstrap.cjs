// Entry of a Node instance: reads the start line, connects to the host, says hello, serves until the host goes.
// Started as `node /path/bootstrap.cjs` by the launcher; the protocol is told in ../PROTOCOL.md.
// Syntax that Node 6 can parse, here and in agent/ (but for import-module.cjs).
'use strict';

const fs = require('fs');
const path = require('path');

/** The first line of fd 0, at most 4 KB; fd 0 is /dev/null afterwards. */
function readStartLine() {
  const bytes = Buffer.alloc(4096);
  let length = 0;
  while (length === 0 || bytes[length - 1] !== 10) {
    let count;
    try {
      count = fs.readSync(0, bytes, length, bytes.length - length, null);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      if (typeof Atomics !== 'undefined' && Atomics.wait) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      continue;
    }
    if (count === 0) throw new Error('no start line on standard input');
    length += count;
  }
  fs.closeSync(0);
  fs.openSync('/dev/null', 'r'); // takes the lowest free descriptor: 0
  return bytes.toString('utf8', 0, length);
}

const isSpare = process.env.FC_SPARE !== undefined;
const agent = require('./agent/serve.cjs');
const spare = isSpare ? require('./agent/spare.cjs') : null;

// Functions do not find our modules in the cache of theirs.
const home = path.join(__dirname, 'agent') + path.sep;
for (const name of Object.keys(require.cache)) {
  if (name.indexOf(home) === 0) delete require.cache[name];
}
module.children.length = 0;

if (isSpare) {
  spare.rehearse(agent.rehearse, () => {
    const instance = agent.connect(process.env.FC_SPARE.split(' ')[0]);
    const take = () => {
      const start = JSON.parse(spare.wait());
      spare.takeEnvironment(start.environment);
      instance.greet(start.token);
    };
    // Two turns later the socket is read from: what comes next is there without further ado.
    instance.socket.once('connect', () => setImmediate(() => setImmediate(take)));
  });
} else {
  const start = JSON.parse(readStartLine());
  agent.connect(start.socket).greet(start.token);
}
