// Calls of URLs whose hosts are names below localhost, which not every machine resolves.
import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';

export type HostAnswer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string };
type Sent = { readonly method?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string };

/** Calls `url` at the loopback address with its host as Host, or the one in `headers`; every part of the answer. */
export function callByHost(url: string, sent: Sent = {}): Promise<HostAnswer> {
  return new Promise((resolve, reject) => {
    const { hostname, port, pathname, search } = new URL(url);
    const options: RequestOptions = {
      host: hostname.endsWith('localhost') ? '127.0.0.1' : hostname,
      port,
      path: pathname + search,
      method: sent.method ?? 'GET',
      headers: { host: hostname, ...sent.headers },
    };
    const asked = request(options, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts).toString() }),
      );
    });
    asked.on('error', reject);
    asked.end(sent.body);
  });
}
