// The gateway on a real node:http listener, without processes around it: what the attacks in this folder are sent to.
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { systemClock } from '../../src/base/clock.ts';
import { createNonceStore } from '../../src/base/nonce-store.ts';
import { createWindowCounters } from '../../src/base/window-counters.ts';
import { createGateway, type Gateway } from '../../src/gateway/gateway.ts';
import { listenerOptions } from '../../src/gateway/listener.ts';
import { defaultGatewaySettings, type GatewaySettings } from '../../src/gateway/settings.ts';
import { returned } from '../../src/gateway/testing.ts';
import type { Change } from '../../src/model/published.ts';
import type { RequestRecord } from '../../src/model/record.ts';

export type Target = {
  readonly gateway: Gateway;
  readonly port: number;
  readonly records: RequestRecord[];
  readonly bugs: unknown[];
  /** Paths of the events that reached a function. */
  readonly reached: string[];
  /** Sends bytes (as latin1) and reads until the connection ends. */
  send(bytes: string): Promise<string>;
  close(): Promise<void>;
};

/** A gateway that serves `changes`; each function answers with the path that it got. */
export async function openTarget(
  changes: readonly Change[],
  options: { settings?: Partial<GatewaySettings>; prepare?: (server: Server) => void } = {},
): Promise<Target> {
  const records: RequestRecord[] = [];
  const bugs: unknown[] = [];
  const reached: string[] = [];
  const settings = { ...defaultGatewaySettings, ...options.settings };
  const gateway = createGateway({
    clock: systemClock,
    claimNonce: createNonceStore({ clock: systemClock }).claim,
    count: createWindowCounters(1_000).count,
    report: (record) => records.push(record),
    reportBug: (error) => bugs.push(error),
    settings,
    invoke: async (call) => {
      const event = JSON.parse(call.event.toString()) as { path: string };
      reached.push(event.path);
      return returned({ statusCode: 200, body: `reached ${event.path}` });
    },
  });
  await gateway.apply({ version: 1, changes });
  const server = createServer(listenerOptions(settings), gateway.handle);
  gateway.attach(server);
  options.prepare?.(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    gateway,
    port,
    records,
    bugs,
    reached,
    send(bytes) {
      const socket = connect(port, '127.0.0.1');
      socket.end(Buffer.from(bytes, 'latin1'));
      return readText(socket);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** How many answers a text holds. */
export function countAnswers(text: string): number {
  return text.split(/HTTP\/1\.1 \d{3} /).length - 1;
}
