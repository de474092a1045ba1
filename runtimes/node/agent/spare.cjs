// A process that waits for a function: says that it is ready, takes its start line, and puts the environment that comes
// in it in the place of its own. Used by bootstrap.cjs when FC_SPARE is set; see "Spares" in ../../PROTOCOL.md.
'use strict';

const fs = require('fs');
const Module = require('module');
const net = require('net');
const wires = require('./wire.cjs');

const ready = 'FC_SPARE ready\n';

/**
 * Connects, reads a frame and answers one, all within this process, so that the code for it is compiled when a function
 * comes (6 to 10 ms on its way otherwise). `done` runs when nothing of it is left, or when it could not be done.
 */
function rehearse(done) {
  // Copies of its own, so that takeEnvironment() need not touch what stays: setting TZ alone costs 6 ms.
  for (const name of Object.keys(process.env)) process.env[name] = String(process.env[name]);
  // A socket that closes asks whether it is this one, and would make it.
  Object.defineProperty(process, 'stderr', { configurable: true, enumerable: true, get: () => null });
  let left = 2;
  const leave = () => {
    left -= 1;
    if (left === 0) setImmediate(done);
  };
  const server = net.createServer((host) => {
    let frames = 0;
    host.on('error', () => {});
    host.on('close', leave);
    host.on('data', () => {
      frames += 1;
      if (frames > 1) host.end();
      else host.write(wires.frame(wires.type.load, 0, 1, '{"handler":"","context":{"function":{}}}', wires.none));
    });
  });
  // Without a file: in the kernel's own table of names.
  const address = `\0fc-spare-${process.env.FC_INSTANCE_ID}`;
  server.on('error', done);
  server.listen(address, () => {
    const socket = net.connect(address);
    const wire = new wires.Wire(
      socket,
      (kind, stream) => wire.close(wires.type.end, stream, '{"rss":0}', ''),
      () => socket.destroy()
    );
    socket.write(wires.frame(wires.type.hello, 0, 0, '{}', wires.none));
    socket.on('error', () => {});
    socket.on('close', () => {
      server.close(leave);
    });
  });
}

/** The start line, when it comes. The process ends when nobody will send one. */
function wait() {
  const parts = [];
  const bytes = Buffer.alloc(65536);
  fs.writeSync(1, ready);
  for (;;) {
    const count = fs.readSync(0, bytes, 0, bytes.length, null);
    if (count === 0) process.exit(0);
    parts.push(Buffer.from(bytes.slice(0, count)));
    if (bytes[count - 1] === 10) break;
  }
  fs.closeSync(0);
  fs.openSync('/dev/null', 'r'); // takes the lowest free descriptor: 0
  return Buffer.concat(parts).toString('utf8');
}

/** `given` becomes the whole environment: in process.env, for children, and in /proc/self/environ. */
function takeEnvironment(given) {
  for (const name of Object.keys(process.env)) {
    if (process.env[name] !== given[name] || /^FC_/.test(name)) delete process.env[name];
  }
  for (const name of Object.keys(given)) if (process.env[name] !== given[name]) process.env[name] = given[name];
  Module._initPaths(); // NODE_PATH has been read already
  const stat = fs.readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const begin = Number(fields[47]);
  const area = Buffer.alloc(Number(fields[48]) - begin);
  const data = Buffer.from(Object.keys(given).map((name) => `${name}=${given[name]}\0`).join(''));
  if (data.length > area.length) return;
  data.copy(area);
  // Nothing refers to what the process was started with any more: all of it has been set anew, here or in rehearse().
  const memory = fs.openSync('/proc/self/mem', 'r+');
  fs.writeSync(memory, area, 0, area.length, begin);
  fs.closeSync(memory);
}

module.exports = { rehearse: rehearse, wait: wait, takeEnvironment: takeEnvironment };
