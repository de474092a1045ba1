// The official SDKs, unmodified from npm, pointed at a test server.
import { createRequire } from 'node:module';
import { buffer } from 'node:stream/consumers';
import yazl from 'yazl';
import type { Credentials, Ready } from './server.ts';

const require = createRequire(import.meta.url);

/**
 * The time-out that SDKs get: longer than any run. Their own of three seconds is short on a machine that does much else; and the newer
 * generations leave the timer of each call running, at whose end httpx, under all of them, fails the request that has that kept-alive
 * connection by then ("ReadTimeout"), however quickly that was answered.
 */
export const longTimeoutMs = 600_000;

type RpcClient = {
  request(action: string, params: Record<string, unknown>, options: { method: 'POST' }): Promise<Record<string, never>>;
};
type FcResult<T> = { headers: Record<string, string>; data: T };
type FcClient = {
  createService(name: string, options?: object): Promise<FcResult<object>>;
  createFunction(service: string, options: object): Promise<FcResult<Record<string, unknown>>>;
  createTrigger(service: string, name: string, options: object): Promise<FcResult<unknown>>;
  deleteFunction(service: string, name: string): Promise<FcResult<unknown>>;
  updateFunction(service: string, name: string, options: object): Promise<FcResult<Record<string, unknown>>>;
  getFunction(service: string, name: string): Promise<FcResult<Record<string, unknown>>>;
  invokeFunction(service: string, name: string, event: string | Buffer, headers?: object): Promise<FcResult<unknown>>;
};
type GatewayClient = {
  get(url: string, options?: object): Promise<unknown>;
  post(url: string, options: { data: unknown; headers: Record<string, string>; timeout?: number }): Promise<unknown>;
};

export type Answer = { readonly [name: string]: unknown };

/** `@alicloud/pop-core`: CloudAPI by RPC signature v1. Nested configurations may be given as objects. */
export function cloudApi(ready: Ready, { accessKeyId, accessKeySecret }: Credentials) {
  const { RPCClient } = require('@alicloud/pop-core') as { RPCClient: new (config: object) => RpcClient };
  const opts = { timeout: longTimeoutMs };
  const client = new RPCClient({ accessKeyId, accessKeySecret, endpoint: ready.api, apiVersion: '2016-07-14', opts });
  return async (action: string, params: Record<string, unknown>): Promise<Answer> => {
    const flat = Object.entries(params).map(([name, value]) => [
      name,
      typeof value === 'object' ? JSON.stringify(value) : value,
    ]);
    return await client.request(action, Object.fromEntries(flat) as Record<string, unknown>, { method: 'POST' });
  };
}

/** `@alicloud/fc2`: Function Compute 2016-08-15 by the classic FC signature. */
export function functionCompute(ready: Ready, { accountId, accessKeyId, accessKeySecret }: Credentials): FcClient {
  const FC = require('@alicloud/fc2') as new (accountId: string, config: object) => FcClient;
  return new FC(accountId, {
    accessKeyID: accessKeyId,
    accessKeySecret,
    region: ready.region,
    endpoint: ready.api,
    timeout: longTimeoutMs,
  });
}

/** `aliyun-api-gateway`: the official client of published APIs. */
export function gatewayClient(appKey: string, appSecret: string, stage?: string): GatewayClient {
  const { Client } = require('aliyun-api-gateway') as {
    Client: new (key: string, secret: string, stage?: string) => GatewayClient;
  };
  const client = new Client(appKey, appSecret, stage);
  return {
    get: (url, options) => client.get(url, { timeout: longTimeoutMs, ...options }),
    post: (url, options) => client.post(url, { timeout: longTimeoutMs, ...options }),
  };
}

/** A zip of text files, base64 as the APIs take it. */
export async function zipped(files: Readonly<Record<string, string>>): Promise<string> {
  const zip = new yazl.ZipFile();
  for (const [name, text] of Object.entries(files)) {
    zip.addBuffer(Buffer.from(text), name, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
  zip.end();
  return (await buffer(zip.outputStream)).toString('base64');
}
