// A process that waits for a function: says that it is ready, takes its start line, and puts the environment that comes
// in it in the place of its own. Used by bootstrap.cjs when FC_SPARE is set; see "Spares" in ../../PROTOCOL.md.
'use strict';

const fs = require('fs');
const Module = require('module');
const net = require('net');
const path = require('path');
const wires = require('./wire.cjs');

const ready = 'FC_SPARE ready\n';

/** Frames that the host sends to an instance, with the least that a function can be. */
const rehearsed = [
  [wires.type.load, 0, {
    handler: 'index.handler',
    codePath: path.join(__dirname, 'rehearsal'),
    dialect: 'nodejs20',
    context: { function: {}, service: { name: '' }, region: '', accountId: '', credentials: null },
  }, wires.none],
  [wires.type.invoke, 1, { requestId: 'rehearsal', tail: false, deadline: 0 }, Buffer.from('{"queryParameters":{"n":"1"}}')],
];
/** The first compiles what is run, the next find what it is given; from the eighth on V8 keeps that (more made nothing quicker). */
const rounds = 8;

/**
 * Lives the life of an instance, with itself as the host, up to its first answer, so that the code for it is compiled when
 * a function comes: all that is lost on its way otherwise. `done` runs when nothing of it is left, or when it could not be done.
 */
function rehearse(serve, done) {
  // Copies of its own, so that takeEnvironment() need not touch what stays: setting TZ alone costs 6 ms.
  for (const name of Object.keys(process.env)) process.env[name] = String(process.env[name]);
  fs.closeSync(fs.openSync('/dev/null', 'r'));
  for (let round = 0; round < rounds; round += 1) {
    const line = JSON.stringify({ environment: Object.assign({}, process.env) });
    takeEnvironment(JSON.parse(Buffer.concat([Buffer.from(line)]).toString('utf8')).environment);
  }
  const directory = process.cwd();
  const environment = Object.assign({}, process.env);
  let round = 0;
  const again = () => {
    forgetModules();
    process.chdir(directory);
    for (const name of Object.keys(environment)) {
      if (process.env[name] !== environment[name]) process.env[name] = environment[name];
    }
    round += 1;
    if (round < rounds) converse(serve, again, done);
    else done();
  };
  converse(serve, again, done);
}

function converse(serve, end, fail) {
  let left = 2;
  const leave = () => {
    left -= 1;
    if (left === 0) setImmediate(end);
  };
  const server = net.createServer((host) => {
    let frames = 0;
    host.on('error', () => {});
    host.on('close', leave);
    host.on('data', () => {
      const next = rehearsed[frames];
      frames += 1;
      if (next === undefined) host.end();
      else host.write(wires.frame(next[0], next[1], frames, JSON.stringify(next[2]), next[3]));
    });
  });
  // Without a file: in the kernel's own table of names.
  const address = `\0fc-spare-${process.env.FC_INSTANCE_ID}`;
  server.on('error', fail);
  server.listen(address, () => {
    const socket = net.connect(address);
    socket.on('error', () => {});
    socket.on('close', () => {
      server.close(leave);
    });
    serve(socket);
  });
}

/** Of the rehearsed function, and of this file: nobody finds them where functions look for modules. */
function forgetModules() {
  const home = path.join(__dirname, 'rehearsal');
  for (const cache of [require.cache, Module._pathCache]) {
    for (const name of Object.keys(cache)) {
      if (name.indexOf(home) === 0 || name.indexOf('./agent/spare.cjs') === 0) delete cache[name];
    }
  }
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

/** Where the environment is that the process was started with: {begin, end}, addresses. It stays there. */
let place = null;

function findPlace() {
  const stat = fs.readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { begin: Number(fields[47]), end: Number(fields[48]) };
}

/** `given` becomes the whole environment: in process.env, for children, and in /proc/self/environ. */
function takeEnvironment(given) {
  for (const name of Object.keys(process.env)) {
    if (process.env[name] !== given[name] || /^FC_/.test(name)) delete process.env[name];
  }
  for (const name of Object.keys(given)) if (process.env[name] !== given[name]) process.env[name] = given[name];
  Module._initPaths(); // NODE_PATH has been read already
  if (place === null) place = findPlace();
  const area = Buffer.alloc(place.end - place.begin);
  const data = Buffer.from(Object.keys(given).map((name) => `${name}=${given[name]}\0`).join(''));
  if (data.length > area.length) return;
  data.copy(area);
  // Nothing refers to what the process was started with any more: all of it has been set anew, here or in rehearse().
  const memory = fs.openSync('/proc/self/mem', 'r+');
  fs.writeSync(memory, area, 0, area.length, place.begin);
  fs.closeSync(memory);
}

module.exports = { rehearse: rehearse, wait: wait, takeEnvironment: takeEnvironment };
