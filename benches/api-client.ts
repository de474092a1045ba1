// A light signed client of a server's APIs for benches that write much (the SDKs would take the machine from what is measured).
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { signV3 } from '../src/wire/openapi-signature-v3.ts';
import type { Yunmen } from './processes.ts';

export type ApiBody = Readonly<Record<string, unknown>>;

export class ApiClient {
  readonly #yunmen: Yunmen;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });

  constructor(yunmen: Yunmen) {
    this.#yunmen = yunmen;
  }

  /** CloudAPI. Errors: when the answer is not 200. */
  rpc(action: string, parameters: Readonly<Record<string, string>>): Promise<ApiBody> {
    return this.send('POST', '/', { action, version: '2016-07-14' }, Object.entries(parameters), Buffer.alloc(0));
  }

  /** Any signed call; the body is sent as it is. Errors: when the answer is not 200. */
  async send(
    method: string,
    path: string,
    { action, version }: { readonly action: string; readonly version: string },
    query: readonly (readonly [string, string])[],
    body: Buffer,
  ): Promise<ApiBody> {
    const url = new URL(this.#yunmen.api);
    const headers = signV3({
      method,
      path,
      query,
      host: url.host,
      action,
      version,
      date: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
      nonce: randomUUID(),
      contentType: null,
      body,
      ...this.#yunmen.credentials,
    });
    const search = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
    const target = search === '' ? path : `${path}?${search}`;
    const { status, text } = await this.#exchange(method, target, { ...headers, 'content-length': body.length }, body);
    if (status !== 200) throw new Error(`${action} ${path}: ${status} ${text}`);
    return JSON.parse(text) as ApiBody;
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange(method: string, path: string, headers: Record<string, string | number>, body: Buffer) {
    const { hostname: host, port } = new URL(this.#yunmen.api);
    return new Promise<{ status: number; text: string }>((resolve, reject) => {
      const call = request({ host, port, method, path, headers, agent: this.#agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      call.on('error', reject).end(body);
    });
  }
}
