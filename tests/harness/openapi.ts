// A fast signed client for load on the APIs (the SDKs are too slow for ten thousands of writes): ACS3 over one agent.
import { randomUUID } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { signV3 } from '../../src/wire/openapi-signature-v3.ts';
import type { Credentials, Ready } from './server.ts';

export type ApiAnswer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };
/** `errorType` null: it answered. `log`: as latin1. */
export type Invoked = {
  readonly status: number;
  readonly errorType: string | null;
  readonly bytes: Buffer;
  readonly log: string;
};
type Action = { readonly action: string; readonly version: string };
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

  /** InvokeFunction of Function Compute 3, with the end of the log; event and result as bytes. */
  async invoke(functionName: string, event: string): Promise<Invoked> {
    const path = `/2023-03-30/functions/${functionName}/invocations`;
    const action = { action: 'InvokeFunction', version: '2023-03-30' };
    const given = { bytes: Buffer.from(event), type: 'application/octet-stream', more: { 'x-fc-log-type': 'Tail' } };
    const { status, headers, bytes } = await this.#call('POST', path, action, {}, given);
    const log = Buffer.from(String(headers['x-fc-log-result'] ?? ''), 'base64').toString('latin1');
    return { status, errorType: headers['x-fc-error-type']?.toString() ?? null, bytes, log };
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(method: string, path: string, action: Action, query: Query, json: object | null): Promise<ApiAnswer> {
    const bytes = Buffer.from(json === null ? '' : JSON.stringify(json));
    const type = json === null ? null : 'application/json; charset=utf-8';
    const answer = await this.#call(method, path, action, query, { bytes, type, more: {} });
    const text = answer.bytes.toString();
    return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as ApiAnswer['body']) };
  }

  #call(
    method: string,
    path: string,
    { action, version }: Action,
    query: Query,
    { bytes: body, type, more }: { bytes: Buffer; type: string | null; more: Readonly<Record<string, string>> },
  ): Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly bytes: Buffer }> {
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
      contentType: type,
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
          headers: { ...headers, ...more, 'content-length': body.length },
          agent: this.#agent,
        },
        (answer) => {
          const { statusCode: status = 0, headers: told } = answer;
          buffer(answer).then((bytes) => resolve({ status, headers: told, bytes }), reject);
        },
      );
      call.on('error', reject).end(body);
    });
  }
}
