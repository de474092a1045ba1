// Holds connections that have had one answer and do nothing since. A process of its own, so that its work is not the server's.
// Takes {origin, count} from connections.ts, answers `ready`, and lets them all go at `close`.
import { createConnection, type Socket } from 'node:net';

type Order = { readonly origin: string; readonly count: number };

/** Connections that are being made at once. */
const atOnce = 200;

function openOne({ origin }: Order): Promise<Socket> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.once('connect', () => socket.write('GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n'));
    socket.once('data', (answer) => {
      if (String(answer).startsWith('HTTP/1.1 200 ')) resolve(socket);
      else reject(new Error(String(answer)));
    });
    socket.once('error', reject);
  });
}

async function hold(order: Order): Promise<Socket[]> {
  const held: Socket[] = [];
  let left = order.count;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      held.push(await openOne(order));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  let lost = 0;
  for (const socket of held) {
    socket.on('error', () => {});
    socket.on('close', () => {
      lost += 1;
      process.send?.({ lost });
    });
  }
  return held;
}

process.on('message', (order: Order) => {
  hold(order).then(
    () => process.send?.('ready'),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit(0));
