// The life of an instance: hello, load, then one request after the other. Entered by bootstrap.cjs.
'use strict';

const net = require('net');
const dialects = require('./dialect.cjs');
const errors = require('./errors.cjs');
const handlers = require('./handler.cjs');
const PeakMemory = require('./memory.cjs').PeakMemory;
const Output = require('./output.cjs').Output;
const recalls = require('./recalls.cjs');
const wires = require('./wire.cjs');

const UNHANDLED = 'UnhandledInvocationError';
const HANDLED = 'HandledInvocationError';
const suffixes = {};
suffixes[UNHANDLED] = ', Error: Unhandled function error';
suffixes[HANDLED] = ', Error: Handled function error';
// As they are before user code can put others in their place.
const soon = setImmediate;
const later = setTimeout;
const markerWords = { initialize: 'Initialize', preFreeze: 'PreFreeze', preStop: 'PreStop' };

/** Connects, and serves from its greet() on until the host closes the connection. */
function connect(path) {
  const output = new Output();
  output.install();
  const socket = net.connect(path);
  const instance = new Instance(socket, output, new recalls.Recalls(path));
  socket.on('error', () => process.exit(0));
  socket.on('close', () => process.exit(0));
  process.on('uncaughtException', (error) => instance.onStray(error, 'uncaughtException'));
  process.on('unhandledRejection', (error) => instance.onStray(error, 'unhandledRejection'));
  return instance;
}

/** The same over a connection of spare.cjs with itself. It is over when the socket closes, and nothing of it stays. */
function rehearse(socket) {
  const output = new Output();
  output.install();
  const instance = new Instance(socket, output, new recalls.Recalls(''));
  instance.greet('');
  const listener = () => {};
  for (const name of ['uncaughtException', 'unhandledRejection']) process.on(name, listener).removeListener(name, listener);
  socket.on('close', () => instance.memory.close());
}

class Instance {
  constructor(socket, output, recalled) {
    this.recalled = recalled;
    this.ahead = []; // requests that were sent ahead: {stream, head, body}
    this.isNextDue = false;
    this.output = output;
    this.socket = socket;
    this.memory = new PeakMemory();
    this.wire = new wires.Wire(
      socket,
      (kind, stream, head, body) => this.onRequest(kind, stream, head, body),
      (reason) => {
        output.write(`protocol error: ${reason}\n`, 2);
        process.exit(1);
      }
    );
    this.dialect = dialects.dialectOf('');
    this.loaded = null; // {codePath, context, handler}; context as templateOf() gives it
    this.limit = 1; // requests at a time
    this.active = new Set(); // the requests under way
  }

  /** Says hello: it has been given its function. */
  greet(token) {
    const hello = {
      token: token,
      protocol: 1,
      language: 'node',
      version: process.versions.node,
      pid: process.pid,
      ahead: recalls.limit,
    };
    this.socket.write(wires.frame(wires.type.hello, 0, 0, JSON.stringify(hello), wires.none));
  }

  onRequest(kind, stream, head, body) {
    const limit = kind === wires.type.invoke ? this.limit : 1;
    // One more than it keeps: the answer to the one that the host takes for running may be on its way.
    const isOutOfTurn = head.ahead
      ? this.ahead.length > recalls.limit
      : this.active.size >= limit || (kind === wires.type.load) !== (this.loaded === null);
    if (isOutOfTurn) {
      this.wire.onBroken(`frame of type ${kind} out of turn`);
    } else if (head.ahead) {
      this.ahead.push({ stream: stream, head: head, body: body });
      this.planNext();
    } else if (kind === wires.type.invoke) {
      // The host waits for none of those that are left here: it has recalled them.
      for (const left of this.ahead.splice(0)) this.refuse(left);
      this.invoke(stream, head, body);
    } else if (kind === wires.type.load) {
      this.load(stream, head);
    } else {
      this.hook(stream, head);
    }
  }

  /** What timers and sockets of the function have to do comes first, as it does when a request arrives alone. */
  planNext() {
    if (this.isNextDue || this.ahead.length === 0 || this.active.size > 0) return;
    this.isNextDue = true;
    if (this.wire.isSent) soon(() => this.next());
    else later(() => this.next(), 1);
  }

  /** The host takes for begun what it finds when it has read the answer to the one before: so that has to be on its way. */
  next() {
    this.isNextDue = false;
    if (this.active.size > 0 || !this.wire.isSent) {
      this.planNext();
      return;
    }
    const request = this.ahead.shift();
    if (request === undefined) return;
    if (this.recalled.has(request.stream)) this.refuse(request);
    else this.invoke(request.stream, request.head, request.body);
    this.planNext();
  }

  refuse(request) {
    this.socket.write(wires.frame(wires.type.recalled, 0, request.stream, '', wires.none));
  }

  /** A request begins. `mark`: its place in the log, null while the function is loaded. */
  open(stream, mark) {
    const request = { stream: stream, mark: mark, isHttp: false };
    this.active.add(request);
    return request;
  }

  load(stream, head) {
    this.dialect = dialects.dialectOf(String(head.dialect));
    cleanEnvironment(this.dialect.variables);
    process.chdir(head.codePath);
    this.loaded = { codePath: head.codePath, context: templateOf(head.context), handler: null };
    if (head.concurrency > 1) {
      this.limit = head.concurrency;
      this.output.separate();
    }
    const request = this.open(stream, null);
    handlers.findHandler(head.handler, head.codePath, this.dialect, (error, handler) => {
      if (!this.active.has(request)) return;
      if (error) {
        this.failUnhandled(request, error);
        return;
      }
      this.loaded.handler = handler;
      this.succeed(request, '');
    });
  }

  invoke(stream, head, event) {
    const handler = this.loaded.handler;
    if (handler === null) {
      this.wire.onBroken('invoke without a loaded handler');
      return;
    }
    const request = this.open(stream, this.output.begin('Invoke', head.requestId, head.tail));
    this.memory.begin();
    if (head.credentials) this.loaded.context.credentials = wholeCredentials(head.credentials);
    const context = this.makeContext(head.requestId, head.retryCount || 0, request.mark, head.span);
    if (head.http) this.callHttp(request, handler, head.http, event, context);
    else this.call(request, handler, (callback) => handler(event, context, callback), 3);
  }

  hook(stream, head) {
    const request = this.open(stream, this.output.begin(markerWords[head.hook] || 'Hook', head.requestId, false));
    handlers.findHandler(head.handler, this.loaded.codePath, this.dialect, (error, handler) => {
      if (!this.active.has(request)) return;
      if (error) {
        this.failUnhandled(request, error);
        return;
      }
      const context = this.makeContext(head.requestId, 0, request.mark, null);
      this.call(request, handler, (callback) => handler(context, callback), 2);
    });
  }

  /**
   * Runs user code and settles the request once: by the callback, and where the dialect says so by what it returns.
   * A handler of `arity` parameters takes the callback: what it returns without a value is then no result (assumed).
   */
  call(request, handler, run, arity) {
    const callback = (error, data) => {
      if (!this.active.has(request)) return;
      if (error !== null && error !== undefined && error !== false && error !== '' && error !== 0) {
        this.fail(request, HANDLED, errors.handledDocument(error, this.dialect), errors.textOf(error));
      } else if (global.FCWaitForEmptyEventLoop && request.mark !== null) {
        this.whenEmpty(() => this.succeed(request, data));
      } else {
        this.succeed(request, data);
      }
    };
    let returned;
    try {
      returned = this.output.within(request.mark, () => run(callback));
    } catch (error) {
      this.failThrown(request, error);
      return;
    }
    if (!this.active.has(request)) return;
    const takesReturned = this.dialect.takesReturned;
    if (returned !== null && returned !== undefined && typeof returned.then === 'function') {
      returned.then(
        (value) => {
          if (takesReturned && (value !== undefined || handler.length < arity)) this.succeed(request, value);
        },
        (error) => this.failThrown(request, error)
      );
    } else if (takesReturned && returned !== undefined && handler.length < arity) {
      this.succeed(request, returned);
    }
  }

  /** An HTTP handler answers by resp.send alone: what it returns means nothing. */
  callHttp(request, handler, given, body, context) {
    const http = httpModule();
    request.isHttp = true;
    const req = new http.Request(given, body, this.dialect.showsHttpBody);
    const resp = new http.Response((error, answer) => {
      if (error !== null) this.failUnhandled(request, error);
      else this.settle(request, answer.body, answer.head);
    });
    let returned;
    try {
      returned = this.output.within(request.mark, () => handler(req, resp, context));
    } catch (error) {
      this.failThrown(request, error);
      return;
    }
    if (returned !== null && returned !== undefined && typeof returned.then === 'function') {
      returned.then(undefined, (error) => this.failThrown(request, error));
    }
  }

  /** Runs `done` when nothing but our own connection keeps the process going. */
  whenEmpty(done) {
    this.socket.unref();
    process.once('beforeExit', () => {
      this.socket.ref();
      done();
    });
  }

  succeed(request, result) {
    let body;
    try {
      body = handlers.encodeResult(result);
    } catch (error) {
      this.failUnhandled(request, error);
      return;
    }
    this.settle(request, body, null);
  }

  settle(request, body, http) {
    if (!this.active.delete(request)) return;
    if (request.mark !== null) this.output.finish(request.mark, '');
    this.wire.close(wires.type.end, request.stream, `{"rss":${this.memory.kilobytes()}}`, body, undefined, http);
    this.planNext();
  }

  failThrown(request, error) {
    if (!this.active.has(request)) return;
    if (this.dialect.throwEndsProcess) {
      this.output.log('error', errors.textOf(error), request.mark);
      process.exit(1);
    }
    this.failUnhandled(request, error);
  }

  failUnhandled(request, error) {
    this.fail(request, UNHANDLED, errors.unhandledDocument(error, this.dialect), errors.textOf(error));
  }

  fail(request, type, document, text, exits) {
    if (!this.active.delete(request)) return;
    this.output.log('error', text, request.mark);
    if (request.mark !== null) this.output.finish(request.mark, suffixes[type]);
    const head = `{"type":"${type}","rss":${this.memory.kilobytes()}${exits ? ',"exit":true' : ''}}`;
    this.wire.close(wires.type.error, request.stream, head, document, exits ? () => process.exit(1) : undefined);
    if (!exits) this.planNext();
  }

  /** Thrown or rejected where nobody waits for it: fails the requests under way and ends the process. */
  onStray(error, how) {
    if (how === 'unhandledRejection' && !this.dialect.rejectionFails) {
      this.output.log('warn', `UnhandledPromiseRejectionWarning: ${errors.textOf(error)}`);
      return;
    }
    if (this.active.size === 0 || this.dialect.throwEndsProcess) {
      this.output.log('error', errors.textOf(error));
      process.exit(1);
    }
    const document = errors.strayDocument(error, how, this.dialect);
    for (const request of Array.from(this.active)) this.fail(request, UNHANDLED, document, errors.textOf(error), true);
  }

  /** Source: docs; what parseOpenTracingBaggages() gives: assumed. `span`: the caller's, if it names one. */
  makeContext(requestId, retryCount, mark, span) {
    const given = this.loaded.context;
    const spanContext = span ? span.context : '';
    const baggages = span ? Object.assign({}, span.baggages) : {};
    return {
      requestId: requestId,
      credentials: Object.assign({}, given.credentials),
      function: Object.assign({}, given.function),
      service: Object.assign({}, given.service),
      region: given.region,
      accountId: given.accountId,
      retryCount: retryCount,
      logger: this.limit > 1 ? this.output.makeLogger(mark) : this.output.logger,
      tracing: {
        openTracingSpanContext: spanContext,
        openTracingSpanBaggages: baggages,
        jaegerEndpoint: given.jaegerEndpoint || '',
        spanContext: spanContext,
        spanBaggages: baggages,
        parseOpenTracingBaggages: () => baggages,
      },
    };
  }
}

/** What a request's context is copied from: made once, because each copy of what had members taken away is slow to make and to read. */
function templateOf(given) {
  const isFc3 = given.service.name === '';
  const about = {};
  for (const name of Object.keys(given.function)) {
    if (!isFc3 || (name !== 'initializer' && name !== 'initializationTimeout')) about[name] = given.function[name];
  }
  return Object.assign({}, given, { function: about, credentials: wholeCredentials(given.credentials) });
}

function wholeCredentials(given) {
  return Object.assign({ accessKeyId: '', accessKeySecret: '', securityToken: '' }, given);
}

let loadedHttp = null;

/** Loaded when it is first wanted; functions do not find it in the cache of their modules. */
function httpModule() {
  if (loadedHttp === null) {
    loadedHttp = require('./http.cjs');
    delete require.cache[require.resolve('./http.cjs')];
  }
  return loadedHttp;
}

/** Removes every FC_ and _FC_ variable but those that functions may see. */
function cleanEnvironment(visible) {
  for (const name of Object.keys(process.env)) {
    if (/^_?FC_/.test(name) && visible.indexOf(name) < 0) delete process.env[name];
  }
}

module.exports = { connect: connect, rehearse: rehearse };
