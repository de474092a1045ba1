// Bodies that nobody takes, both ways, through the real server: what waits is in the kernel's buffers, and the data process does not grow by it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { mockApi } from '../harness/mock-api.ts';
import { Project } from '../harness/project.ts';
import { startServer, temporaryDirectory } from '../harness/server.ts';

const connections = 20;
const megabyte = 1024 * 1024;
/** Of each connection: in all many times what the process may grow by. */
const bodyBytes = 64 * megabyte;
/** For the buffers of chunks on their way and what the collector has not looked at yet, MB. */
const growthLimitMb = 160;

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Resolves when a count has stood still for two seconds. */
async function stillness(count: () => number): Promise<number> {
  let [last, since] = [-1, Date.now()];
  while (Date.now() - since < 2_000) {
    await sleep(50);
    if (count() !== last) [last, since] = [count(), Date.now()];
  }
  return last;
}

/** Writes a body as fast as it is taken. */
function pour(socket: Socket): void {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let left = bodyBytes / chunk.length;
  const more = () => {
    while (left > 0) {
      left--;
      if (!socket.write(chunk)) return;
    }
  };
  socket.on('drain', more);
  more();
}

/** A backend that answers GET with a long body and reads nothing of any other request. */
async function startBackend(t: TestContext): Promise<{ readonly port: number; readonly sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    socket.once('data', (bytes) => {
      socket.pause();
      if (!bytes.toString('latin1').startsWith('GET ')) return;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bodyBytes}\r\n\r\n`);
      pour(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

test('bodies that nobody takes do not make the data process grow', { timeout: 180_000 }, async (t) => {
  const backend = await startBackend(t);
  const command = [
    'start',
    '--isolation',
    'none',
    '--allow-backend',
    '127.0.0.1/32',
    '--body-limit',
    String(bodyBytes / megabyte),
  ];
  const server = await startServer(t, command, temporaryDirectory(t));
  const project = await Project.create(server, 'pressed');
  const definition = mockApi(project.groupId, '/body', 'ANONYMOUS', '');
  const { ApiId } = await project.cloudApi('CreateApi', {
    ...definition,
    RequestConfig: { ...definition.RequestConfig, RequestHttpMethod: 'ANY' },
    ServiceConfig: {
      ...{ ServiceProtocol: 'HTTP', ServiceAddress: `http://127.0.0.1:${backend.port}`, ServicePath: '/body' },
      ...{ ServiceHttpMethod: 'ANY', ServiceTimeout: 30_000 },
    },
  });
  const live = { GroupId: project.groupId, ApiId, StageName: 'RELEASE', Description: 'd' };
  await project.cloudApi('DeployApi', live);
  const { data } = server.facts.pids;
  const before = residentMb(data);
  const { port } = new URL(server.ready.gateway);
  for (const method of ['POST', 'GET']) {
    const clients = Array.from({ length: connections }, () => connect(Number(port), '127.0.0.1'));
    for (const client of clients) {
      client.on('error', () => client.destroy());
      client.pause();
      const length = method === 'POST' ? `Content-Length: ${bodyBytes}\r\n` : '';
      client.write(`${method} /body HTTP/1.1\r\nHost: ${project.host}\r\n${length}\r\n`);
      if (method === 'POST') pour(client);
    }
    const writers = () => (method === 'POST' ? clients : backend.sockets);
    const taken = await stillness(() =>
      writers().reduce((sum, { bytesWritten, writableLength }) => sum + bytesWritten - writableLength, 0),
    );
    const grown = residentMb(data) - before;
    t.diagnostic(`${method}: ${Math.round(taken / megabyte)} MB under way, ${Math.round(grown)} MB more resident`);
    assert.ok(taken > connections * 64 * 1024, 'bodies are under way');
    assert.ok(taken < connections * bodyBytes, 'the bodies were taken whole although nobody reads them');
    assert.ok(grown < growthLimitMb, `${Math.round(grown)} MB more`);
    for (const socket of [...clients, ...backend.sockets.splice(0)]) socket.destroy();
  }
  assert.equal(await server.stop(), 0);
});
