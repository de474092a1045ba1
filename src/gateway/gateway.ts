// The gateway of one data process: holds the current snapshot and answers requests on it. Made by composition.
import type { Server } from 'node:http';
import type { Http2SecureServer, SecureServerOptions, ServerHttp2Session } from 'node:http2';
import { BodyBudget } from '../base/body-budget.ts';
import { InternalTimeout } from '../base/internal-timeout.ts';
import { compileIpRanges } from '../base/ip-ranges.ts';
import { BackendState } from './backends/backend-state.ts';
import type { BreakerEvent } from './backends/breaker.ts';
import { RelayedBody } from './backends/relayed-body.ts';
import type { GatewayDeps, GatewayRequest, PipelineDeps } from './context.ts';
import type { Refusal } from './errors.ts';
import { attachEdges } from './http-edges.ts';
import { type Incoming, type Outgoing, requestOf, sendReply } from './listener.ts';
import { internalTimeout, type PipelineResult, recordOfRelayed, runPipeline } from './pipeline.ts';
import { type BatchPage, SnapshotFollower } from './snapshot-follower.ts';
import { followTls, type TlsAuthority, TlsCertificates, tlsOptions } from './tls.ts';

export type Gateway = {
  /**
   * Makes a batch visible, as one, to requests that begin from now on; those under way keep what they began with. A small one is
   * in force when the call returns, a large one when the promise resolves; of a batch in pages nothing shows before the last.
   */
  apply(page: BatchPage): void | Promise<void>;
  /** The group of a Host that names the machine; overrides settings.defaultGroup. */
  setDefaultGroup(groupId: string | null): void;
  /** A request listener of node:http and node:http2. */
  readonly handle: (message: Incoming, response: Outgoing) => void;
  /** Makes the gateway answer what node:http would answer by itself, and bounds the server's connections. */
  attach(server: Server): void;
  /** The same, and the requests, of a TLS server; call tlsOptions() first. */
  attachTls(server: Http2SecureServer): void;
  /** How a TLS server is made whose certificates and versions follow what is published; give it to attachTls(). */
  tlsOptions(authority: TlsAuthority): SecureServerOptions;
  /** The port that redirects to HTTPS name; overrides settings.tlsPort. */
  setTlsPort(port: number | null): void;
  /** The version reached by the last batch; 0 before the first. */
  version(): number;
  /** Answers a request value without a socket. */
  run(request: GatewayRequest): Promise<PipelineResult>;
  /** What another data process saw of a backend. */
  breakerEvent(event: BreakerEvent): void;
  /** Ends the connections to backends. */
  close(): void;
};

export function createGateway(given: GatewayDeps): Gateway {
  const backends = new BackendState(given.clock, given.outbound ?? {});
  let deps: PipelineDeps = {
    ...given,
    backends,
    bodies: new BodyBudget(given.settings.bodiesLimitBytes),
    answers: new BodyBudget(given.settings.answersLimitBytes),
    trustedProxies: compileIpRanges(given.settings.trustedProxies),
    intranet: compileIpRanges(given.settings.intranet),
  };
  const snapshots = new SnapshotFollower(given.clock);
  // Connections on which a request's end was in doubt: nothing that follows on them is served.
  const doubtful = new WeakSet<object>();
  let certificates: TlsCertificates | null = null;
  const answer = async (message: Incoming, request: GatewayRequest, response: Outgoing) => {
    const result = await runPipeline(request, snapshots.current, deps);
    const { reply, record } = result;
    const report = (error: Error | null) => deps.report(recordOfRelayed(result, request, error, deps.clock));
    // First, so that the record is there as soon as the caller has the (whole) answer.
    if (reply === null || !(reply.body instanceof RelayedBody)) deps.report(record);
    if (reply === null) response.destroy();
    else sendReply(response, reply, message.method === 'HEAD', report);
  };
  const handle: Gateway['handle'] = (message, response) => {
    const wait = deps.enter?.() ?? null;
    if (wait === null) serve(message, response);
    else {
      wait.then(
        () => serve(message, response),
        (error: unknown) => {
          if (error instanceof InternalTimeout) serve(message, response, internalTimeout(error));
          else response.destroy(); // control has gone, and we go with it
        },
      );
    }
  };
  /** `unready`: why it may not be served now. */
  const serve = (message: Incoming, response: Outgoing, unready: Refusal | null = null) => {
    const isHttp1 = message.httpVersion.startsWith('1');
    if (isHttp1 && doubtful.has(message.socket)) return;
    const asked = requestOf(message, response, deps);
    const request = unready === null || asked.fault ? asked : { ...asked, fault: unready };
    if (isHttp1 && request.fault) doubtful.add(message.socket);
    // runPipeline never rejects; what is left to fail here is writing, and that is a bug.
    answer(message, request, response).catch((error: unknown) => {
      deps.reportBug(error, '');
      response.destroy();
    });
  };
  // Where control does not answer in time the handshake goes on: the request behind it is refused with its code.
  const enterHandshake = () =>
    given.enter?.()?.catch((error: unknown) => {
      if (!(error instanceof InternalTimeout)) throw error;
    }) ?? null;
  const attach = (server: Server | Http2SecureServer) => {
    server.maxConnections = deps.settings.connectionLimit;
    server.setTimeout(deps.settings.stallTimeoutMs);
    attachEdges(server, {
      handle,
      isEnding: (socket) => doubtful.has(socket),
      run: async (request) => {
        const { reply, record } = await runPipeline(request, snapshots.current, deps);
        deps.report(record);
        return reply;
      },
    });
  };
  return {
    apply: (page) => snapshots.apply(page),
    attach,
    attachTls: (server) => {
      if (certificates !== null) followTls(server, certificates, enterHandshake);
      server.on('request', handle);
      server.on('session', stopTimerAtEnd);
      attach(server);
    },
    setDefaultGroup: (defaultGroup) => {
      deps = { ...deps, settings: { ...deps.settings, defaultGroup } };
    },
    tlsOptions: (authority) => {
      const { settings } = deps;
      certificates = new TlsCertificates(authority, settings.httpsPolicy, given.clock, () => snapshots.current);
      return tlsOptions(certificates, settings, enterHandshake);
    },
    setTlsPort: (tlsPort) => {
      deps = { ...deps, settings: { ...deps.settings, tlsPort } };
    },
    handle,
    version: () => snapshots.current.version,
    run: (request) => runPipeline(request, snapshots.current, deps),
    breakerEvent: (event) => backends.breakers.hear(event),
    close: () => backends.close(),
  };
}

/**
 * node (26) stops the timer of a session after it has called it destroyed, which does nothing: the timer holds the session until it
 * would have run. Sessions end by destroy(), and those whose connection closed under open streams by close() alone.
 */
function stopTimerAtEnd(session: ServerHttp2Session): void {
  const { destroy, close } = session;
  session.destroy = (...how) => {
    session.setTimeout(0);
    destroy.apply(session, how);
  };
  session.close = (...how) => {
    close.apply(session, how);
    if (!session.destroyed && session.socket.destroyed) session.setTimeout(0);
  };
}
