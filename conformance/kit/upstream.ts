// A backend of the cases' own: answers every request with what it received, as JSON.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What the upstream saw; the body as text. */
export type Seen = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

export type Upstream = { readonly port: number; close(): Promise<void> };

/** Listens on loopback; which backends may reach is the server's `--allow-backend`. */
export async function startUpstream(): Promise<Upstream> {
  const server = createServer((request, answer) => {
    const { method = '', url = '', headers } = request;
    buffer(request).then(
      (bytes) => {
        const seen: Seen = { method, url, headers, body: bytes.toString() };
        answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(seen));
      },
      () => answer.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
