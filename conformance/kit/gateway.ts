// Calls published APIs: with an app's key by the official client, or plainly.
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { buffer } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { longTimeoutMs } from '../../tests/harness/sdk.ts';
import type { Ready } from '../../tests/harness/server.ts';

const require = createRequire(import.meta.url);

export type AppKeys = { readonly key: string; readonly secret: string };

export type GatewayAnswer = {
  readonly status: number;
  readonly headers: Readonly<NodeJS.Dict<string | string[]>>;
  readonly body: string;
};

type Options = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
};

/** One unsigned call of an API of `groupId`. */
export function callPlain(ready: Ready, groupId: string, path: string, options: Options = {}): Promise<GatewayAnswer> {
  const { method = 'GET', headers = {}, form } = options;
  const { hostname, port } = new URL(ready.gateway);
  const type = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' };
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: hostname,
        port,
        method,
        path,
        agent: false,
        headers: { host: `${groupId}.localhost`, ...type, ...headers },
      },
      (answer) => {
        buffer(answer).then(
          (bytes) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: bytes.toString() }),
          reject,
        );
      },
    );
    call.on('error', reject).end(form === undefined ? undefined : new URLSearchParams(form).toString());
  });
}

type GatewayClient = {
  get(url: string, options: object): Promise<unknown>;
  post(url: string, options: object): Promise<unknown>;
};

/** `aliyun-api-gateway`, for the APIs of one group. Errors: it throws with `code` the HTTP status and the gateway's message. */
export function signedCalls(ready: Ready, groupId: string, { key, secret }: AppKeys, stage = 'RELEASE') {
  const { Client } = require('aliyun-api-gateway') as {
    Client: new (key: string, secret: string, stage: string) => GatewayClient;
  };
  const client = new Client(key, secret, stage);
  const host = `${groupId}.localhost`;
  return {
    get: (path: string) => client.get(`${ready.gateway}${path}`, { headers: { host }, timeout: longTimeoutMs }),
    postForm: (path: string, form: Readonly<Record<string, string>>) => {
      const headers = { host, 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' };
      return client.post(`${ready.gateway}${path}`, { data: form, headers, timeout: longTimeoutMs });
    },
    postJson: (path: string, data: object) => {
      const headers = { host, 'content-type': 'application/json; charset=UTF-8' };
      return client.post(`${ready.gateway}${path}`, { data, headers, timeout: longTimeoutMs });
    },
    postStream: (path: string, data: string) => {
      const headers = { host, 'content-type': 'application/octet-stream' };
      return client.post(`${ready.gateway}${path}`, { data, headers, timeout: longTimeoutMs });
    },
  };
}

/** SHA-256 of the certificate that a caller of `host` meets over TLS; a text for a handshake that fails. */
export function certificateOf(ready: Ready, host: string): Promise<string> {
  const { hostname, port } = new URL(ready.gatewayTls ?? '');
  return new Promise((resolve) => {
    // Which certificate it is, is what the caller compares.
    const socket = connect({ host: hostname, port: Number(port), servername: host, rejectUnauthorized: false });
    socket.once('error', (error) => resolve(`no handshake: ${error.message}`));
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
  });
}

/** What a client that speaks this version of TLS and no other meets at `host`: the protocol of ALPN (`h2`, `http/1.1`), or `refused`. */
export function protocolAt(ready: Ready, host: string, version: 'TLSv1' | 'TLSv1.2'): Promise<string> {
  const { hostname, port } = new URL(ready.gatewayTls ?? '');
  return new Promise((resolve) => {
    const socket = connect({
      ...{ host: hostname, port: Number(port), servername: host, rejectUnauthorized: false },
      ...{ minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0', ALPNProtocols: ['h2', 'http/1.1'] },
    });
    socket.once('error', () => resolve('refused'));
    socket.once('secureConnect', () => {
      resolve(String(socket.alpnProtocol));
      socket.destroy();
    });
  });
}
