// A connection that a function keeps open across the freeze of its instance, in each tier that can run here: nobody behind
// it is answered until the function is called again. It holds in every tier, so the control is within the same test: while
// the call runs, the same thread answers over the same connection. (Functions are in the host's network here, to reach it.)
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findSandd, probeSandd } from '../../src/functions/index.ts';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import { Cleanup, startServer, temporaryDirectory } from '../harness/server.ts';

const sandd = await findSandd();
const probed = sandd.ok ? await probeSandd(sandd.path) : new Map<string, string>();
const tiers = ['none', ...['restricted', 'user', 'strong'].filter((tier) => probed.get(tier) === 'ok')];

/** Connects in its first call, and answers what comes there in a thread; every call waits until something was answered. */
const answering = (port: number) => `
import json, os, socket, threading
answered = threading.Semaphore(0)
connection = socket.create_connection(('127.0.0.1', ${port}))
def serve():
    while True:
        connection.sendall(connection.recv(1))
        answered.release()
threading.Thread(target=serve, daemon=True).start()
def handler(event, context):
    answered.acquire(timeout=5)
    return json.dumps({'id': os.environ['FC_INSTANCE_ID']})
`;

describe('a connection that is kept open across a freeze', () => {
  for (const tier of tiers) {
    test(`is answered in tier ${tier} while the function runs: yes; between its calls: no`, async (t) => {
      const cleanup = new Cleanup();
      t.after(() => cleanup.run());
      const connected = Promise.withResolvers<Socket>();
      let answers = 0;
      const listener = createServer((socket) => {
        socket
          .on('error', () => {})
          .on('data', ({ length }) => {
            answers += length;
          });
        connected.resolve(socket);
      });
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      cleanup.after(() => void listener.close());
      const address = listener.address();
      assert.ok(address !== null && typeof address !== 'string');

      const command = ['start', '--runtime-fallback', '--strict', '--network', 'host', '--isolation', tier];
      const server = await startServer(cleanup, command, temporaryDirectory(cleanup));
      assert.equal(server.ready.isolation, tier);
      const api = new OpenApi(server.ready, server.credentials);
      cleanup.after(() => api.close());
      const code = { zipFile: await zipped({ 'index.py': answering(address.port) }) };
      const made = { functionName: 'answering', runtime: 'python3.10', handler: 'index.handler', timeout: 10, code };
      assert.equal((await api.fc('POST', '/functions', made)).status, 200);
      const call = () => api.fc('POST', '/functions/answering/invocations', {});

      const first = call();
      const socket = await connected.promise;
      cleanup.after(() => void socket.destroy());
      socket.write('x');
      assert.equal((await first).status, 200);
      assert.equal(answers, 1, 'answered while the function ran');

      // It freezes right after its answer, not in it: until nothing of ten questions is answered any more.
      let before = -1;
      for (let tries = 0; before !== answers && tries < 20; tries += 1) {
        before = answers;
        for (let asked = 0; asked < 10; asked += 1) {
          socket.write('x');
          await sleep(30);
        }
      }
      assert.equal(before, answers, 'nobody answers in between');
      assert.equal((await call()).status, 200);
      assert.ok(answers > before, 'the same connection is answered when the function runs again');
    });
  }
});
