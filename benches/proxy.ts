// The proxy without policies beside nginx doing the same: both relay GET / to one bare node:http server over kept connections.
// Called by main.ts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { type Contestant, interleave } from './interleave.ts';
import { startHello, startYunmen, type Yunmen } from './processes.ts';
import { familyOf } from './processor-time.ts';
import { formatTable, type Row } from './report.ts';

// The SDK is CommonJS and exports its client as `default`.
const require = createRequire(import.meta.url);
const cloudApiSdk = require('@alicloud/cloudapi20160714') as typeof import('@alicloud/cloudapi20160714');
const { Config } = require('@alicloud/openapi-client') as typeof import('@alicloud/openapi-client');

const nginxPaths = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function configOf(directory: string, port: number, backend: string): string {
  return `daemon off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi; uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
  upstream backend { server ${new URL(backend).host}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096; keepalive_requests 100000000;
    location / {
      proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Real-IP $remote_addr;
    }
  }
}
`;
}

type Nginx = { readonly pid: number; readonly origin: string; close(): Promise<void> };

async function startNginx(path: string, backend: string): Promise<Nginx> {
  const directory = mkdtempSync(`${tmpdir()}/yunmen-bench-nginx-`);
  const port = await freePort();
  writeFileSync(`${directory}/nginx.conf`, configOf(directory, port, backend));
  const child = spawn(path, ['-p', directory, '-c', `${directory}/nginx.conf`, '-e', `${directory}/error.log`], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = once(child, 'exit');
  for (let tries = 0; !(await isOpen(port)); tries++) {
    if (tries > 100 || child.exitCode !== null) throw new Error('nginx did not start');
    await delay(50);
  }
  return {
    pid: child.pid ?? 0,
    origin: `http://127.0.0.1:${port}`,
    async close() {
      child.kill('SIGTERM');
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** An anonymous API that passes everything to the backend, in the server's only group. */
async function publishProxy(yunmen: Yunmen, backend: string): Promise<void> {
  const { accessKeyId, accessKeySecret } = yunmen.credentials;
  const endpoint = new URL(yunmen.api).host;
  const client = new cloudApiSdk.default(
    new Config({ accessKeyId, accessKeySecret, endpoint, protocol: 'http', regionId: yunmen.region }),
  );
  const group = await client.createApiGroup(
    new cloudApiSdk.CreateApiGroupRequest({ groupName: 'bench', description: '' }),
  );
  const groupId = group.body?.groupId ?? '';
  const api = await client.createApi(
    new cloudApiSdk.CreateApiRequest({
      groupId,
      apiName: 'proxy',
      visibility: 'PRIVATE',
      authType: 'ANONYMOUS',
      requestConfig: JSON.stringify({
        RequestProtocol: 'HTTP',
        RequestHttpMethod: 'ANY',
        RequestPath: '/*',
        RequestMode: 'PASSTHROUGH',
      }),
      serviceConfig: JSON.stringify({ ServiceProtocol: 'HTTP', ServiceAddress: backend, ServiceTimeout: 10_000 }),
      resultType: 'PASSTHROUGH',
      resultSample: '',
    }),
  );
  const apiId = api.body?.apiId ?? '';
  await client.deployApi(
    new cloudApiSdk.DeployApiRequest({ groupId, apiId, stageName: 'RELEASE', description: 'bench' }),
  );
}

function ratioLine(rows: readonly Row[]): string {
  const parts = rows.flatMap((row) => {
    const nginx = rows.find((other) => other.name === 'nginx proxy' && other.connections === row.connections);
    if (row.name !== 'proxy' || nginx === undefined || row.cpuData === null) return [];
    const own = (row.cpuData / nginx.cpuAll).toFixed(2);
    return [
      `${own} × nginx at ${row.connections} connections (${row.cpuData.toFixed(1)} of ${nginx.cpuAll.toFixed(1)} µs)`,
    ];
  });
  return parts.length === 0 ? '' : `\n\nCPU of the data process: ${parts.join('; ')}.`;
}

/** Without nginx the proxy is measured alone, and the text says so. */
export async function runProxy(rounds: number, windowMs: number): Promise<string> {
  const hello = await startHello();
  const path = nginxPaths.find((candidate) => existsSync(candidate));
  let nginx: Nginx | null = null;
  let yunmen: Yunmen | null = null;
  try {
    yunmen = await startYunmen(['--allow-backend', '127.0.0.1']);
    await publishProxy(yunmen, hello.origin);
    const { control, data, launcher } = yunmen.pids;
    const of = (name: string, origin: string, pids: Contestant['pids'], dataPid: number | null): Contestant => {
      return { name, target: { kind: 'hello', origin }, pids, dataPid };
    };
    const contestants = [
      of('hello', hello.origin, () => [hello.pid], null),
      of('proxy', yunmen.gateway, () => [control, data, launcher], data),
    ];
    if (path !== undefined) {
      nginx = await startNginx(path, hello.origin);
      const { pid, origin } = nginx;
      contestants.push(of('nginx proxy', origin, () => familyOf(pid), null));
    }
    const rows = await interleave(contestants, rounds, windowMs);
    const missing = path === undefined ? 'nginx was not found (apt-get install nginx-light): no comparison. ' : '';
    return `Proxy without policies. ${missing}${rounds} rounds, windows of ${windowMs / 1000} s; CPU without the backend's.\n\n${formatTable(rows)}${ratioLine(rows)}`;
  } finally {
    await nginx?.close();
    await yunmen?.close();
    await hello.close();
  }
}
