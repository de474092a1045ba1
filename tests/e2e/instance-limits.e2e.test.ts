// Limits of instances and provisioned instances with two and three data processes: what is seen is what one process does. The
// functions themselves count how many of their instances run, in files outside.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, connectTo, type Got } from '../harness/connections.ts';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import {
  Cleanup,
  instanceProcesses,
  type ServerFacts,
  startServer,
  type TestServer,
  temporaryDirectory,
} from '../harness/server.ts';

/** Notes in `seen` how many calls it found under way, its own among them. `/hold` stays until there is a file `release`. */
const source = `
const { appendFileSync, existsSync, readdirSync, unlinkSync, writeFileSync } = require('node:fs');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const dir = process.env.COUNTS;
exports.handler = async (event) => {
  const { rawPath } = JSON.parse(event.toString());
  const mark = dir + '/now-' + process.pid + '-' + Math.random();
  writeFileSync(mark, '');
  appendFileSync(dir + '/seen', readdirSync(dir).filter((name) => name.startsWith('now-')).length + '\\n');
  if (rawPath === '/hold') while (!existsSync(dir + '/release')) await sleep(5);
  else await sleep(10);
  unlinkSync(mark);
  return { statusCode: 200, body: String(process.pid) };
};
`;
/** Sends one chunk, and the other when there is a file \`release\`. */
const streaming = `#!/usr/bin/env python3
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *_): pass
    def do_GET(self):
        self.send_response_only(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        for chunk in [b'first', b'x' * 3000000 + b'last']:
            self.wfile.write(b'%x\\r\\n%s\\r\\n' % (len(chunk), chunk))
            self.wfile.flush()
            while not os.path.exists(os.environ['COUNTS'] + '/release'): time.sleep(0.01)
        self.wfile.write(b'0\\r\\n\\r\\n')
ThreadingHTTPServer(('0.0.0.0', int(os.environ['FC_SERVER_PORT'])), Handler).serve_forever()
`;

type DataProcess = ServerFacts['dataProcesses'][number];

function factsNow(server: TestServer): ServerFacts {
  return JSON.parse(readFileSync(join(server.dataDir, 'server.json'), 'utf8')) as ServerFacts;
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const late = Date.now() + 30_000;
  while (!(await isSo())) {
    assert.ok(Date.now() < late, `not in time: ${what}`);
    await sleep(10);
  }
}

/** A function with an HTTP trigger, called over connections to chosen data processes. */
class Called {
  readonly #server: TestServer;
  readonly #api: OpenApi;
  readonly #name: string;
  readonly #host: string;
  /** The function's files. */
  readonly counts: string;

  private constructor(server: TestServer, api: OpenApi, name: string, host: string, counts: string) {
    this.#server = server;
    this.#api = api;
    this.#name = name;
    this.#host = host;
    this.counts = counts;
  }

  static async make(
    server: TestServer,
    api: OpenApi,
    name: string,
    t: TestContext,
    more: object = {},
  ): Promise<Called> {
    const counts = temporaryDirectory(t);
    const made = await api.fc('POST', '/functions', {
      functionName: name,
      runtime: 'nodejs20',
      handler: 'index.handler',
      memorySize: 128,
      timeout: 60,
      environmentVariables: { COUNTS: counts },
      code: { zipFile: await zipped({ 'index.js': source }) },
      ...more,
    });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const trigger = await api.fc('POST', `/functions/${name}/triggers`, {
      triggerName: 'http',
      triggerType: 'http',
      triggerConfig: JSON.stringify({ authType: 'anonymous', methods: ['GET'] }),
    });
    assert.equal(trigger.status, 200, JSON.stringify(trigger.body));
    const { urlInternet } = trigger.body['httpTrigger'] as { urlInternet: string };
    return new Called(server, api, name, new URL(urlInternet).host, counts);
  }

  async put(what: 'concurrency' | 'scaling-config', body: object): Promise<void> {
    const answer = await this.#api.fc('PUT', `/functions/${this.#name}/${what}`, body);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }

  limit(reservedConcurrency: number): Promise<void> {
    return this.put('concurrency', { reservedConcurrency });
  }

  /** So many connections, spread over the data processes. */
  async connect(count: number, t: TestContext): Promise<Connection[]> {
    const pids = factsNow(this.#server).dataProcesses.map(({ data }) => data);
    const connections: Connection[] = [];
    for (let at = 0; at < count; at += 1) {
      connections.push(await connectTo(this.#server.ready.http, pids[at % pids.length] ?? 0, t));
    }
    return connections;
  }

  /** The process whose part a limit of one is, and a connection to another. It has been called once. */
  async fromElsewhere(t: TestContext): Promise<{ readonly owner: DataProcess; readonly connection: Connection }> {
    const [first] = await this.connect(1, t);
    assert.equal((await this.get(first as Connection)).status, 200);
    const all = factsNow(this.#server).dataProcesses;
    const owner = all.find(({ runDir }) => hasInstanceOf(runDir, this.counts));
    const other = all.find((each) => each !== owner);
    assert.ok(owner !== undefined && other !== undefined);
    return { owner, connection: await connectTo(this.#server.ready.http, other.data, t) };
  }

  get(connection: Connection, path = '/'): Promise<Got> {
    return connection.send('GET', path, { Host: this.#host });
  }

  /** The answer when its head is there. */
  open(connection: Connection): Promise<IncomingMessage> {
    return connection.open('GET', '/', { Host: this.#host });
  }

  async instances(): Promise<number> {
    const { body } = await this.#api.fc('GET', `/functions/${this.#name}/instances`);
    return (body['instances'] as unknown[]).length;
  }

  /** Calls under way. */
  get now(): number {
    return readdirSync(this.counts).filter((name) => name.startsWith('now-')).length;
  }

  /** The most that were ever under way. */
  get most(): number {
    const path = join(this.counts, 'seen');
    if (!existsSync(path)) return 0;
    return Math.max(...readFileSync(path, 'utf8').trim().split('\n').map(Number));
  }

  release(): void {
    writeFileSync(join(this.counts, 'release'), '');
  }

  /** As before the first call. */
  reset(): void {
    for (const name of readdirSync(this.counts)) rmSync(join(this.counts, name));
  }
}

function assertLimited({ status, body }: Got): void {
  assert.equal(status, 429, body);
  assert.match(body, /ResourceExhausted/);
}

for (const processes of [2, 3]) {
  describe(`${processes} data processes`, () => {
    const cleanup = new Cleanup();
    let server: TestServer;
    let api: OpenApi;

    before(async () => {
      const command = ['start', '--runtime-fallback', '--isolation', 'none', '--data-processes', String(processes)];
      server = await startServer(cleanup, command, temporaryDirectory(cleanup));
      api = new OpenApi(server.ready, server.credentials);
      cleanup.after(() => api.close());
    });
    after(() => cleanup.run());

    test('a limit of one: calls one after the other are all answered, by one instance', async (t) => {
      const one = await Called.make(server, api, 'turns', t);
      await one.limit(1);
      const connections = await one.connect(processes, t);
      const pids = new Set<string>();
      for (let at = 0; at < 60; at += 1) {
        const got = await one.get(connections[at % processes] as Connection);
        assert.equal(got.status, 200, `call ${at}: ${got.body}`);
        pids.add(got.body);
      }
      assert.deepEqual([pids.size, one.most], [1, 1]);
    });

    test('a limit of one under 20 connections: never two at once, every call answered or refused', async (t) => {
      const one = await Called.make(server, api, 'crowd', t);
      await one.limit(1);
      const connections = await one.connect(20, t);
      const got = await Promise.all(
        connections.map(async (connection) => {
          const answers: Got[] = [];
          for (let at = 0; at < 30; at += 1) answers.push(await one.get(connection));
          return answers;
        }),
      );
      const refused = got.flat().filter(({ status }) => status !== 200);
      for (const each of refused) assertLimited(each);
      assert.equal(one.most, 1);
      assert.equal(await one.instances(), 1);
      t.diagnostic(`${600 - refused.length} answered, ${refused.length} refused`);
      assert.ok(refused.length < 600 && refused.length > 0);
    });

    test('a limit of ten is reached and never exceeded', async (t) => {
      const ten = await Called.make(server, api, 'ten', t);
      await ten.limit(10);
      const connections = await ten.connect(30, t);
      let refused = 0;
      const calls = connections.map(async (connection) => {
        const got = await ten.get(connection, '/hold');
        if (got.status !== 200) {
          assertLimited(got);
          refused += 1;
        }
        return got.status;
      });
      await until('ten run, the others are refused', () => ten.most === 10 && refused === 20);
      ten.release();
      assert.equal((await Promise.all(calls)).filter((status) => status === 200).length, 10);
      assert.equal(ten.most, 10);
      assert.equal(await ten.instances(), 10);
    });

    test('a limit that is lowered and raised while it is in use holds from its acknowledgement on', async (t) => {
      const changing = await Called.make(server, api, 'changing', t);
      await changing.limit(4);
      const connections = await changing.connect(12, t);
      const held = connections.slice(0, 4).map((connection) => changing.get(connection, '/hold'));
      await until('four run', () => changing.now === 4);
      await changing.limit(1);
      for (const connection of connections.slice(4)) assertLimited(await changing.get(connection));
      changing.release();
      for (const { status } of await Promise.all(held)) assert.equal(status, 200);

      changing.reset();
      const crowd = await Promise.all(connections.map((connection) => changing.get(connection)));
      assert.ok(crowd.some(({ status }) => status === 200));
      assert.equal(changing.most, 1, 'instances that the former limit left idle do not run beside it');

      await changing.limit(6);
      changing.reset();
      const more = connections.slice(0, 6).map((connection) => changing.get(connection, '/hold'));
      await until('six run', () => changing.now === 6);
      for (const connection of connections.slice(6)) assertLimited(await changing.get(connection));
      changing.release();
      for (const { status } of await Promise.all(more)) assert.equal(status, 200);
      await changing.limit(0);
      for (const connection of connections) assertLimited(await changing.get(connection));
    });

    test('only one provisioned instance may serve: it serves the calls of all processes', async (t) => {
      const kept = await Called.make(server, api, 'kept', t);
      await kept.put('scaling-config', { minInstances: 1, enableOnDemandScaling: false });
      await until('it is there', async () => (await kept.instances()) === 1);
      const connections = await kept.connect(processes, t);
      for (let at = 0; at < 20; at += 1) {
        const got = await kept.get(connections[at % processes] as Connection);
        assert.equal(got.status, 200, got.body);
      }
      assert.deepEqual([await kept.instances(), kept.most], [1, 1]);
      await kept.put('scaling-config', { minInstances: 5, enableOnDemandScaling: false });
      await until('there are five', async () => (await kept.instances()) === 5);
      const held = (await kept.connect(5, t)).map((connection) => kept.get(connection, '/hold'));
      await until('five run', () => kept.now === 5);
      for (const connection of connections) assertLimited(await kept.get(connection));
      kept.release();
      for (const { status } of await Promise.all(held)) assert.equal(status, 200);
    });

    test('an answer that comes in parts comes in parts from another process too', async (t) => {
      const parts = await Called.make(server, api, 'parts', t, {
        runtime: 'custom.debian10',
        code: { zipFile: await zipped({ bootstrap: streaming }) },
      });
      await parts.limit(1);
      const connections = await parts.connect(processes, t);
      for (const connection of connections) {
        parts.reset();
        const answer = await parts.open(connection);
        assert.equal(answer.statusCode, 200);
        const chunks = answer[Symbol.asyncIterator]();
        assert.equal(String((await chunks.next()).value), 'first', 'before the function went on');
        parts.release();
        let bytes = 0;
        for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) bytes += next.value.length;
        assert.equal(bytes, 3_000_004);
      }
    });

    test('one that stands still with the only instance: calls are refused in time, and served when it goes on', async (t) => {
      const one = await Called.make(server, api, 'standing', t);
      await one.limit(1);
      const { owner, connection } = await one.fromElsewhere(t);
      process.kill(owner.data, 'SIGSTOP');
      try {
        assertLimited(await one.get(connection));
        const began = performance.now();
        assertLimited(await one.get(connection));
        assert.ok(performance.now() - began < 3_000, 'it is not waited for again');
      } finally {
        process.kill(owner.data, 'SIGCONT');
      }
      await until('it serves again', async () => (await one.get(connection)).status === 200);
      assert.equal(one.most, 1);
    });

    test('one that is killed gives its part back: calls wait for the one that replaces it', async (t) => {
      const two = await Called.make(server, api, 'killed', t);
      await two.limit(1);
      const { owner, connection } = await two.fromElsewhere(t);
      const passed = two.get(connection, '/hold');
      await until('it runs', () => two.now === 1);
      process.kill(owner.data, 'SIGKILL');
      const broken = await passed;
      assert.deepEqual([broken.status, /InternalServerError/.test(broken.body)], [500, true], broken.body);
      two.reset();
      assert.equal((await two.get(connection)).status, 200);
      await until('it is replaced', () => factsNow(server).dataProcesses.every(({ data }) => data !== owner.data));
      assert.equal(factsNow(server).dataProcesses.length, processes);
      const held = two.get(connection, '/hold');
      await until('one runs', () => two.now === 1);
      for (const each of await two.connect(processes, t)) assertLimited(await two.get(each));
      two.release();
      assert.equal((await held).status, 200);
      assert.equal(two.most, 1);
    });
  });
}

/** Whether one of the instances there counts in this directory. */
function hasInstanceOf(runDir: string, counts: string): boolean {
  return instanceProcesses(runDir).some(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`COUNTS=${counts}`);
    } catch {
      return false; // it has gone meanwhile
    }
  });
}
