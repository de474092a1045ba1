// Opens one connection to a backend: resolve, ask the guard, connect to that very address, TLS. Called by connection-pool.ts.
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { AddressGuard } from '../../base/address-guard.ts';
import type { Clock } from '../../base/clock.ts';
import { BackendFault } from './fault.ts';

/** Where connections go. One object for each `key`. */
export type Origin = {
  /** Tells apart what may share connections. */
  readonly key: string;
  readonly isTls: boolean;
  /** Name or address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Value of the Host header. */
  readonly hostHeader: string;
  /** Name for TLS; empty for addresses. */
  readonly serverName: string;
  /** An operator named this place: only the server's own ports are refused there. */
  readonly isTrusted: boolean;
};

/** All addresses of a name, in the order to try. Rejects when it has none. */
export type ResolveName = (host: string) => Promise<readonly string[]>;

export type ConnectDeps = {
  readonly guard: AddressGuard;
  readonly resolve: ResolveName;
  readonly clock: Clock;
};

export const resolveBySystem: ResolveName = async (host) => {
  const entries = await lookup(host, { all: true, verbatim: true });
  return entries.map((entry) => entry.address);
};

/** Addresses that are tried for one connection. */
const triesLimit = 4;

/**
 * A connected socket, TLS done.
 *
 * Names are resolved once, here; the socket is connected to an address that the guard has seen, never to a name, and the
 * peer is looked at again afterwards.
 * Errors: BackendFault `resolve`, `illegal`, `connect`, `tls`.
 */
export async function connectBackend(origin: Origin, timeoutMs: number, deps: ConnectDeps): Promise<Socket> {
  const deadline = deps.clock.monotonic() + timeoutMs;
  const addresses = await addressesOf(origin, timeoutMs, deps);
  const legal = addresses.filter((address) => refusal(origin, address, deps.guard) === null).slice(0, triesLimit);
  if (legal.length === 0) throw illegal(origin, addresses[0] ?? origin.host);
  let failure: unknown = null;
  for (const [index, address] of legal.entries()) {
    const left = (deadline - deps.clock.monotonic()) / (legal.length - index);
    try {
      const socket = await connectTo(origin, address, Math.max(1, left), deps);
      return origin.isTls ? await secure(socket, origin, Math.max(1, deadline - deps.clock.monotonic()), deps) : socket;
    } catch (error) {
      if (!(error instanceof BackendFault) || error.kind !== 'connect') throw error;
      failure = error;
    }
  }
  throw failure;
}

function refusal(origin: Origin, address: string, guard: AddressGuard): string | null {
  if (origin.isTrusted) return guard.isOwn(address, origin.port) ? 'own port' : null;
  return guard.refusal(address, origin.port);
}

function illegal(origin: Origin, address: string): BackendFault {
  return new BackendFault('illegal', `${origin.host} leads to ${address}, which is refused`, address);
}

async function addressesOf(origin: Origin, timeoutMs: number, deps: ConnectDeps): Promise<readonly string[]> {
  if (isIP(origin.host) !== 0) return [origin.host];
  const late = Promise.withResolvers<never>();
  const cancel = deps.clock.after(timeoutMs, () => late.reject(new Error('the resolver did not answer')));
  try {
    const addresses = await Promise.race([deps.resolve(origin.host), late.promise]);
    if (addresses.length > 0) return addresses;
    throw new Error('no address');
  } catch (error) {
    throw new BackendFault('resolve', error instanceof Error ? error.message : String(error), origin.host);
  } finally {
    cancel();
  }
}

/** `1.2.3.4:80`, `[::1]:80`. */
function show(address: string, port: number): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

function connectTo(origin: Origin, address: string, timeoutMs: number, deps: ConnectDeps): Promise<Socket> {
  const { port } = origin;
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: address, port, noDelay: true });
    const fail = (fault: BackendFault) => {
      cancel();
      socket.destroy();
      reject(fault);
    };
    const cancel = deps.clock.after(timeoutMs, () =>
      fail(new BackendFault('connect', `Timeout connecting to ${show(address, port)}`)),
    );
    const onError = (error: NodeJS.ErrnoException) => {
      // Source: assumed wording; only the time-out's is documented.
      const what = error.code === 'ECONNREFUSED' ? 'Connection refused' : `Cannot connect (${error.code ?? 'error'})`;
      fail(new BackendFault('connect', `${what}: ${show(address, port)}`));
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      cancel();
      socket.off('error', onError);
      const peer = socket.remoteAddress ?? '';
      if (refusal(origin, peer, deps.guard) !== null) return fail(illegal(origin, peer));
      resolve(socket);
    });
  });
}

function secure(socket: Socket, origin: Origin, timeoutMs: number, deps: ConnectDeps): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = connectTls({
      socket,
      servername: origin.serverName,
      host: origin.host,
      ALPNProtocols: ['http/1.1'],
    });
    const fail = (reason: string) => {
      cancel();
      secured.destroy();
      socket.destroy();
      reject(new BackendFault('tls', reason));
    };
    const cancel = deps.clock.after(timeoutMs, () => fail('the handshake took too long'));
    const onError = (error: NodeJS.ErrnoException) => fail(error.code ?? error.message);
    const onClose = () => fail('the connection was closed in the handshake');
    secured.once('error', onError);
    secured.once('close', onClose);
    secured.once('secureConnect', () => {
      cancel();
      secured.off('error', onError);
      secured.off('close', onClose);
      resolve(secured);
    });
  });
}
