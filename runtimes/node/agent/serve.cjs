// The life of an instance: hello, load, then one request after the other. Entered by bootstrap.cjs.
'use strict';

const net = require('net');
const dialects = require('./dialect.cjs');
const errors = require('./errors.cjs');
const handlers = require('./handler.cjs');
const PeakMemory = require('./memory.cjs').PeakMemory;
const Output = require('./output.cjs').Output;
const wires = require('./wire.cjs');

const UNHANDLED = 'UnhandledInvocationError';
const HANDLED = 'HandledInvocationError';
const suffixes = {};
suffixes[UNHANDLED] = ', Error: Unhandled function error';
suffixes[HANDLED] = ', Error: Handled function error';
const markerWords = { initialize: 'Initialize', preFreeze: 'PreFreeze', preStop: 'PreStop' };

/** Connects, says hello, and serves until the host closes the connection. `start` is the parsed start line. */
function serve(start) {
  const output = new Output();
  output.install();
  const socket = net.connect(start.socket);
  const instance = new Instance(socket, output);
  const hello = { token: start.token, protocol: 1, language: 'node', version: process.versions.node, pid: process.pid };
  socket.write(wires.frame(wires.type.hello, 0, 0, JSON.stringify(hello), wires.none));
  socket.on('error', () => process.exit(0));
  socket.on('close', () => process.exit(0));
  process.on('uncaughtException', (error) => instance.onStray(error, 'uncaughtException'));
  process.on('unhandledRejection', (error) => instance.onStray(error, 'unhandledRejection'));
}

class Instance {
  constructor(socket, output) {
    this.output = output;
    this.memory = new PeakMemory();
    this.wire = new wires.Wire(
      socket,
      (kind, stream, head, body) => this.onRequest(kind, stream, head, body),
      (reason) => {
        output.write(`protocol error: ${reason}\n`, 2);
        process.exit(1);
      },
    );
    this.dialect = dialects.dialectOf('');
    this.loaded = null; // {codePath, context, handler}
    this.current = null; // the request under way
  }

  onRequest(kind, stream, head, body) {
    if (this.current !== null || (kind === wires.type.load) !== (this.loaded === null)) {
      this.wire.onBroken(`frame of type ${kind} out of turn`);
      return;
    }
    if (kind === wires.type.invoke) this.invoke(stream, head, body);
    else if (kind === wires.type.load) this.load(stream, head);
    else this.hook(stream, head);
  }

  load(stream, head) {
    this.dialect = dialects.dialectOf(String(head.dialect));
    cleanEnvironment(this.dialect.variables);
    process.chdir(head.codePath);
    this.loaded = { codePath: head.codePath, context: head.context, handler: null };
    const request = (this.current = { stream: stream, hasMarkers: false });
    handlers.findHandler(head.handler, head.codePath, this.dialect, (error, handler) => {
      if (this.current !== request) return;
      if (error) {
        this.fail(request, UNHANDLED, errors.unhandledDocument(error, this.dialect), errors.textOf(error));
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
    const request = (this.current = { stream: stream, hasMarkers: true });
    this.output.begin('Invoke', head.requestId, head.tail);
    this.memory.begin();
    if (head.credentials) this.loaded.context.credentials = head.credentials;
    const context = this.makeContext(head.requestId, head.retryCount || 0);
    this.call(request, handler, (callback) => handler(event, context, callback), 3);
  }

  hook(stream, head) {
    const request = (this.current = { stream: stream, hasMarkers: true });
    this.output.begin(markerWords[head.hook] || 'Hook', head.requestId, false);
    handlers.findHandler(head.handler, this.loaded.codePath, this.dialect, (error, handler) => {
      if (this.current !== request) return;
      if (error) {
        this.fail(request, UNHANDLED, errors.unhandledDocument(error, this.dialect), errors.textOf(error));
        return;
      }
      const context = this.makeContext(head.requestId, 0);
      this.call(request, handler, (callback) => handler(context, callback), 2);
    });
  }

  /**
   * Runs user code and settles the request once: by the callback, and where the dialect says so by what it returns.
   * A handler of `arity` parameters takes the callback: what it returns without a value is then no result (assumed).
   */
  call(request, handler, run, arity) {
    const callback = (error, data) => {
      if (this.current !== request) return;
      if (error !== null && error !== undefined && error !== false && error !== '' && error !== 0) {
        this.fail(request, HANDLED, errors.handledDocument(error, this.dialect), errors.textOf(error));
      } else {
        this.succeed(request, data);
      }
    };
    let returned;
    try {
      returned = run(callback);
    } catch (error) {
      this.failThrown(request, error);
      return;
    }
    if (this.current !== request) return;
    const takesReturned = this.dialect.takesReturned;
    if (returned !== null && returned !== undefined && typeof returned.then === 'function') {
      returned.then(
        (value) => {
          if (takesReturned && this.current === request && (value !== undefined || handler.length < arity)) {
            this.succeed(request, value);
          }
        },
        (error) => {
          if (this.current === request) this.failThrown(request, error);
        },
      );
    } else if (takesReturned && returned !== undefined && handler.length < arity) {
      this.succeed(request, returned);
    }
  }

  succeed(request, result) {
    let body;
    try {
      body = handlers.encodeResult(result);
    } catch (error) {
      this.fail(request, UNHANDLED, errors.unhandledDocument(error, this.dialect), errors.textOf(error));
      return;
    }
    this.current = null;
    if (request.hasMarkers) this.output.finish('');
    this.wire.close(wires.type.end, request.stream, `{"rss":${this.memory.kilobytes()}}`, body);
  }

  failThrown(request, error) {
    if (this.dialect.throwEndsProcess) {
      this.output.log('error', errors.textOf(error));
      process.exit(1);
    }
    this.fail(request, UNHANDLED, errors.unhandledDocument(error, this.dialect), errors.textOf(error));
  }

  fail(request, type, document, text, exits) {
    this.current = null;
    this.output.log('error', text);
    if (request.hasMarkers) this.output.finish(suffixes[type]);
    const head = `{"type":"${type}","rss":${this.memory.kilobytes()}${exits ? ',"exit":true' : ''}}`;
    this.wire.close(wires.type.error, request.stream, head, document, exits ? () => process.exit(1) : undefined);
  }

  /** Thrown or rejected where nobody waits for it: fails the request under way and ends the process. */
  onStray(error, how) {
    const request = this.current;
    if (how === 'unhandledRejection' && !this.dialect.rejectionFails) {
      this.output.log('warn', `UnhandledPromiseRejectionWarning: ${errors.textOf(error)}`);
      return;
    }
    if (request === null || this.dialect.throwEndsProcess) {
      this.output.log('error', errors.textOf(error));
      process.exit(1);
    }
    this.fail(request, UNHANDLED, errors.strayDocument(error, how, this.dialect), errors.textOf(error), true);
  }

  /** Source: docs (function-runtime.md 5). */
  makeContext(requestId, retryCount) {
    const given = this.loaded.context;
    return {
      requestId: requestId,
      credentials: Object.assign({ accessKeyId: '', accessKeySecret: '', securityToken: '' }, given.credentials),
      function: Object.assign({}, given.function),
      service: Object.assign({}, given.service),
      region: given.region,
      accountId: given.accountId,
      retryCount: retryCount,
      logger: this.output.logger,
      tracing: {
        openTracingSpanContext: '',
        openTracingSpanBaggages: {},
        jaegerEndpoint: '',
        spanContext: '',
        spanBaggages: {},
        parseOpenTracingBaggages: () => ({}),
      },
    };
  }
}

/** Removes every FC_ and _FC_ variable but those that functions may see. */
function cleanEnvironment(visible) {
  for (const name of Object.keys(process.env)) {
    if (/^_?FC_/.test(name) && visible.indexOf(name) < 0) delete process.env[name];
  }
}

module.exports = { serve: serve };
