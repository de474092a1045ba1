// The doorway: what every instance in a network of its own can reach on one address. Puts its servers on the sockets that
// the launcher opened there. Called by the composition.
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import type { Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { asStreamed, DnsForwarder, dnsLimits, takeStreamed } from './dns-forwarder.ts';
import { type ApiPlace, createHttpDoor } from './http-door.ts';
import type { DoorwaySockets } from './lent-sockets.ts';
import type { FindVisitor, Visitor } from './visitor.ts';

/** As instances see it. The cloud's own resolvers have this address in its private networks. Source: docs; that it serves more is ours. */
export const doorwayAddress = '100.100.2.136';

export type DoorwayOptions = {
  readonly clock: Clock;
  readonly sockets: DoorwaySockets;
  findVisitor: FindVisitor;
  apiPlace(): ApiPlace | null;
  /** See DnsOptions. */
  resolvers?(): readonly string[];
  onError(error: Error): void;
};

export type Doorway = { close(): void };

/** A connection for queries is closed when it has been still for so long, ms; so many are taken at once. */
const streamIdleMs = 10_000;
const streams = 128;

/** Errors: rejects when a socket cannot be used. */
export async function openDoorway(options: DoorwayOptions): Promise<Doorway> {
  const { clock, sockets, findVisitor, resolvers, onError } = options;
  const address = doorwayAddress;
  const dns = new DnsForwarder({ clock, address, isOwnName, ...(resolvers === undefined ? {} : { resolvers }) });
  const http = createHttpDoor(options);
  const stream = createServer((socket) => serveStream(socket, dns, findVisitor));
  stream.maxConnections = streams;
  const datagram = createSocket('udp4');
  datagram.on('message', (query, { address: from, port }) => {
    const visitor = findVisitor(from);
    if (visitor === null) return;
    void dns.answer(query, visitor, 'datagram').then((answer) => {
      if (answer !== null) datagram.send(answer, port, from, () => {}); // who has gone needs no answer
    });
  });
  for (const server of [http, stream, datagram]) server.on('error', onError);
  await Promise.all([
    listening(http, sockets.http),
    listening(stream, sockets.dnsStream),
    listening(datagram, sockets.dns),
  ]);
  return {
    close() {
      http.close();
      http.closeAllConnections();
      stream.close();
      datagram.close();
    },
  };
}

function listening(server: HttpServer | Server | DatagramSocket, handle: object): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    // Both take a bare handle, as a process of ours lends it; the types know it for servers alone.
    if ('listen' in server) server.listen(handle);
    else (server.bind as (handle: object) => void).call(server, handle);
  });
}

/**
 * Names by which functions find Function Compute of their own account. They lead here, so that an SDK in a function works
 * unchanged. Other accounts, and names without an account, are the real cloud's.
 *
 * Source: docs for the names; that all three are the doorway's is assumed.
 */
export function isOwnName(name: string, { accountId, regionId }: Visitor): boolean {
  return ['', '-internal', '-vpc'].some((kind) => name === `${accountId}.${regionId}${kind}.fc.aliyuncs.com`);
}

function serveStream(socket: Socket, dns: DnsForwarder, findVisitor: FindVisitor): void {
  const visitor = findVisitor(socket.remoteAddress ?? '');
  if (visitor === null) {
    socket.destroy();
    return;
  }
  let got: Buffer = Buffer.alloc(0);
  socket.setTimeout(streamIdleMs, () => socket.destroy());
  socket.on('error', () => {}); // 'close' follows
  socket.on('data', (chunk: Buffer) => {
    got = Buffer.concat([got, chunk]);
    if (got.length > 2 * dnsLimits.streamBytes) socket.destroy();
    for (let whole = takeStreamed(got); whole !== null; whole = takeStreamed(got)) {
      got = whole.rest;
      void dns.answer(whole.message, visitor, 'stream').then((answer) => {
        if (answer !== null && !socket.destroyed) socket.write(asStreamed(answer));
      });
    }
  });
}
