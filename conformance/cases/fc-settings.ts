// Settings of functions in the three versions: what is given is shown, what it asks for happens, what is wrong is refused.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails, type OperationName } from '../kit/calls.ts';
import { model, zipped } from '../kit/clients.ts';
import { at } from '../kit/read.ts';
import { classic, open } from '../kit/service-fc.ts';
import { nodeReturning, type World } from '../kit/world.ts';

type Members = Readonly<Record<string, unknown>>;

type SettingsFc = {
  readonly version: '2016-08-15' | '2021-04-06' | '2023-03-30';
  readonly isFc3: boolean;
  create(files: Readonly<Record<string, string>>, members: Members): Promise<string>;
  get(name: string): Promise<unknown>;
  update(name: string, members: Members): Promise<unknown>;
  invoke(name: string, event: string): Promise<unknown>;
};

function ofService(world: World, fc: ReturnType<typeof classic>): SettingsFc {
  const parts = (name: string) => name.split('/') as [string, string];
  return {
    version: fc.version,
    isFc3: false,
    create: async (files, members) => {
      const service = world.unique('settings');
      await fc.createService(service);
      const base = { functionName: 'f', runtime: 'nodejs20', handler: 'index.handler', timeout: 10 };
      await fc.createFunction(service, { ...base, ...members, code: { zipFile: await zipped(files) } });
      return `${service}/f`;
    },
    get: async (name) => (await fc.getFunction(...parts(name))).data,
    update: async (name, members) => (await fc.updateFunction(...parts(name), members)).data,
    invoke: async (name, event) => (await fc.invoke(...parts(name), event)).data,
  };
}

function third(world: World): SettingsFc {
  const body = (kind: string, members: object) => ({ body: model('3', kind, members) });
  return {
    version: '2023-03-30',
    isFc3: true,
    create: (files, members) => world.newFunction3(files, members),
    get: async (name) => at(await world.fc3('getFunction', name, model('3', 'GetFunctionRequest')), 'body'),
    update: async (name, members) => {
      const request = model('3', 'UpdateFunctionRequest', body('UpdateFunctionInput', members));
      return at(await world.fc3('updateFunction', name, request), 'body');
    },
    invoke: async (name) => at(await world.fc3('invokeFunction', name, model('3', 'InvokeFunctionRequest')), 'body'),
  };
}

/** The program of a custom runtime that answers `served`. */
const program = {
  bootstrap: `#!/usr/bin/env python3
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get('Content-Length') or 0))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'served')
HTTPServer(('0.0.0.0', int(os.environ['FC_SERVER_PORT'])), Handler).serve_forever()
`,
};

export function settingCases(world: World): void {
  for (const fc of [ofService(world, classic(world)), ofService(world, open(world)), third(world)]) {
    settingCasesOf(world, fc);
  }
}

function settingCasesOf(world: World, fc: SettingsFc): void {
  const operation = (name: string): OperationName => `FC/${fc.version}/${name}`;
  const code = nodeReturning("'served'");
  const health = { httpGetUrl: '/ready', initialDelaySeconds: 1, periodSeconds: 5, timeoutSeconds: 2 };

  describe(`settings of functions of ${fc.version}`, () => {
    world.log.covers(
      [operation('CreateFunction'), operation('GetFunction'), operation('UpdateFunction')],
      'what is given is shown, in the spelling of the version, and absent members stay',
      async () => {
        const given: Members = fc.isFc3
          ? {
              diskSize: 10_240,
              instanceLifecycleConfig: { preStop: { handler: 'index.stop', timeout: 5 } },
              logConfig: { project: 'p', logstore: 'l' },
              vpcConfig: { vpcId: 'vpc-1', vSwitchIds: ['vsw-1'], securityGroupId: 'sg-1' },
              idleTimeout: 60,
            }
          : {
              diskSize: 10_240,
              instanceConcurrency: 20,
              instanceSoftConcurrency: 10,
              instanceLifecycleConfig: {
                preFreeze: { handler: 'index.freeze', timeout: 3 },
                preStop: { handler: 'index.stop', timeout: 5 },
              },
              caPort: 8080,
              customHealthCheckConfig: health,
            };
        const name = await fc.create(code, given);
        const shown = JSON.parse(JSON.stringify(await fc.get(name)));
        for (const [member, value] of Object.entries(given)) assert.deepEqual(shown[member], value, member);
        await fc.update(name, { description: 'changed' });
        const after = JSON.parse(JSON.stringify(await fc.get(name)));
        assert.deepEqual([after.description, after.diskSize], ['changed', 10_240]);
        for (const wrong of [
          { runtime: 'cobol85' },
          { timeout: 90_000 },
          { memorySize: 130 },
          { diskSize: 1 },
          { instanceConcurrency: 1000 },
          { environmentVariables: { 'a-b': 'c' } },
          { instanceLifecycleConfig: { preStop: { handler: 'i.s', timeout: 91 } } },
          ...(fc.isFc3
            ? [{ gpuConfig: { gpuType: 'fc.gpu.tesla.1', gpuMemorySize: 1024 } }, { sessionAffinity: 'MCP_SSE' }]
            : [{ instanceType: 'fc.gpu.tesla.1' }, { instanceConcurrency: 2, instanceSoftConcurrency: 3 }]),
        ]) {
          await fails('InvalidArgument', fc.update(name, wrong));
        }
      },
    );

    world.log.covers(
      [operation('CreateFunction'), operation('InvokeFunction')],
      "a custom runtime's server is started on its port, and started by its command",
      async () => {
        const runtimeConfig = fc.isFc3 ? { port: 8080 } : {};
        const more = { runtime: 'custom', ...(fc.isFc3 ? { customRuntimeConfig: runtimeConfig } : { caPort: 8080 }) };
        const name = await fc.create(program, more);
        const shown = await fc.get(name);
        assert.equal(fc.isFc3 ? at(shown, 'customRuntimeConfig.port') : at(shown, 'caPort'), 8080);
        await fc.invoke(name, 'e');
        const command = { command: ['/usr/bin/python3'], args: ['bootstrap'], ...runtimeConfig };
        await fc.update(name, { customRuntimeConfig: command });
        assert.deepEqual(at(await fc.get(name), 'customRuntimeConfig.args'), ['bootstrap']);
        await fc.invoke(name, 'e');
      },
    );
  });

  if (!fc.isFc3) {
    world.log.covers(
      [operation('CreateFunction'), operation('InvokeFunction')],
      'requests of one instance run at the same time, as many as instanceConcurrency allows',
      async () => {
        const meeting = `const waiting = [];
exports.handler = (event, context, callback) => {
  waiting.push(callback);
  if (waiting.length === 3) for (const done of waiting.splice(0)) done(null, String(process.pid));
};`;
        const name = await fc.create({ 'index.js': meeting }, { instanceConcurrency: 3 });
        const pids = await Promise.all([1, 2, 3].map(() => fc.invoke(name, 'e')));
        assert.equal(new Set(pids).size, 1);
      },
    );
  } else {
    world.log.covers(
      [operation('CreateFunction'), operation('UpdateFunction'), operation('InvokeFunction')],
      'a function without on-demand instances is served by provisioned ones alone',
      async () => {
        const name = await fc.create(code, { disableOndemand: true });
        await fails('ResourceExhausted', fc.invoke(name, 'e'));
        await fc.update(name, { disableOndemand: false });
        await fc.invoke(name, 'e');
      },
    );
  }
}
