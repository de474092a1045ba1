// A fast signed client for load on the APIs (the SDKs are too slow for ten thousands of writes): ACS3 over one agent.
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { signV3 } from '../../src/wire/openapi-signature-v3.ts';
import type { Credentials, Ready } from './server.ts';

export type ApiAnswer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };
type Query = Readonly<Record<string, string>>;

export class OpenApi {
  readonly #url: URL;
  readonly #credentials: Credentials;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 });

  constructor(ready: Ready, credentials: Credentials) {
    this.#url = new URL(ready.api);
    this.#credentials = credentials;
  }

  /** CloudAPI; nested configurations may be objects. */
  rpc(action: string, params: Readonly<Record<string, unknown>>): Promise<ApiAnswer> {
    const query = Object.fromEntries(
      Object.entries(params).map(([name, value]) => [
        name,
        typeof value === 'object' ? JSON.stringify(value) : String(value),
      ]),
    );
    return this.#send('POST', '/', { action, version: '2016-07-14' }, query, null);
  }

  /** Function Compute 3. `path` below `/2023-03-30`. */
  fc(method: string, path: string, body: object | null = null): Promise<ApiAnswer> {
    return this.#send(method, `/2023-03-30${path}`, { action: 'Any', version: '2023-03-30' }, {}, body);
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(
    method: string,
    path: string,
    { action, version }: { action: string; version: string },
    query: Query,
    json: object | null,
  ): Promise<ApiAnswer> {
    const body = Buffer.from(json === null ? '' : JSON.stringify(json));
    const pairs = Object.entries(query);
    const headers = signV3({
      method,
      path,
      query: pairs,
      host: this.#url.host,
      action,
      version,
      date: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
      nonce: randomUUID(),
      contentType: json === null ? null : 'application/json; charset=utf-8',
      body,
      accessKeyId: this.#credentials.accessKeyId,
      accessKeySecret: this.#credentials.accessKeySecret,
    });
    const search = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
    return new Promise((resolve, reject) => {
      const call = request(
        {
          host: this.#url.hostname,
          port: this.#url.port,
          method,
          path: search === '' ? path : `${path}?${search}`,
          headers: { ...headers, 'content-length': body.length },
          agent: this.#agent,
        },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          answer.on('error', reject);
          answer.on('end', () => {
            resolve({
              status: answer.statusCode ?? 0,
              body: text === '' ? {} : (JSON.parse(text) as ApiAnswer['body']),
            });
          });
        },
      );
      call.on('error', reject).end(body);
    });
  }
}
