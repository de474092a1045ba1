// Limits of instances: on-demand configurations of FC 2 and concurrency configurations of FC 3, each with its SDK.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails, type OperationName } from '../kit/calls.ts';
import { model } from '../kit/clients.ts';
import { at, column, items } from '../kit/read.ts';
import { nodeReturning, type World } from '../kit/world.ts';

/** Limits in one version; `name` is `service/function` or `function`. Answers are the JSON alone. */
type LimitFc = {
  readonly version: '2016-08-15' | '2021-04-06' | '2023-03-30';
  readonly operations: readonly ['Put' | string, string, string, string];
  /** The member that says how many. */
  readonly member: string;
  newFunction(): Promise<string>;
  invoke(name: string): Promise<unknown>;
  put(name: string, maximum: number): Promise<unknown>;
  get(name: string): Promise<unknown>;
  remove(name: string): Promise<unknown>;
  /** Those of the function. */
  list(name: string): Promise<unknown>;
};

const code = nodeReturning("'served'");
const resourceOf = (name: string) => `services/${name.split('/')[0]}.LATEST/functions/${name.split('/')[1]}`;

function classic(world: World): LimitFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fc2(name, ...args), 'data');
  return {
    version: '2016-08-15',
    operations: ['PutOnDemandConfig', 'GetOnDemandConfig', 'DeleteOnDemandConfig', 'ListOnDemandConfigs'],
    member: 'maximumInstanceCount',
    newFunction: async () => (await world.newFunction(code)).join('/'),
    invoke: (name) => call('invokeFunction', ...name.split('/'), 'e'),
    put: (name, maximumInstanceCount) =>
      call('putOnDemandConfig', ...name.split('/'), 'LATEST', { maximumInstanceCount }),
    get: (name) => call('getOnDemandConfig', ...name.split('/'), 'LATEST'),
    remove: (name) => call('deleteOnDemandConfig', ...name.split('/'), 'LATEST'),
    list: (name) => call('listOnDemandConfigs', { prefix: resourceOf(name) }),
  };
}

function open(world: World): LimitFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fcOpen(name, ...args), 'body');
  const request = (name: string, members: object = {}) =>
    model('open', `${name}Request`, { qualifier: 'LATEST', ...members });
  return {
    version: '2021-04-06',
    operations: [
      'PutFunctionOnDemandConfig',
      'GetFunctionOnDemandConfig',
      'DeleteFunctionOnDemandConfig',
      'ListOnDemandConfigs',
    ],
    member: 'maximumInstanceCount',
    newFunction: async () => (await world.newFunction(code)).join('/'),
    invoke: (name) => call('invokeFunction', ...name.split('/'), model('open', 'InvokeFunctionRequest', {})),
    put: (name, maximumInstanceCount) =>
      call(
        'putFunctionOnDemandConfig',
        ...name.split('/'),
        request('PutFunctionOnDemandConfig', { maximumInstanceCount }),
      ),
    get: (name) => call('getFunctionOnDemandConfig', ...name.split('/'), request('GetFunctionOnDemandConfig')),
    remove: (name) => call('deleteFunctionOnDemandConfig', ...name.split('/'), request('DeleteFunctionOnDemandConfig')),
    list: (name) =>
      call('listOnDemandConfigs', model('open', 'ListOnDemandConfigsRequest', { prefix: resourceOf(name) })),
  };
}

function third(world: World): LimitFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fc3(name, ...args), 'body');
  return {
    version: '2023-03-30',
    operations: ['PutConcurrencyConfig', 'GetConcurrencyConfig', 'DeleteConcurrencyConfig', 'ListConcurrencyConfigs'],
    member: 'reservedConcurrency',
    newFunction: () => world.newFunction3(code),
    invoke: (name) => call('invokeFunction', name, model('3', 'InvokeFunctionRequest', {})),
    put: (name, reservedConcurrency) => {
      const body = model('3', 'PutConcurrencyInput', { reservedConcurrency });
      return call('putConcurrencyConfig', name, model('3', 'PutConcurrencyConfigRequest', { body }));
    },
    get: (name) => call('getConcurrencyConfig', name),
    remove: (name) => call('deleteConcurrencyConfig', name),
    list: (name) => call('listConcurrencyConfigs', model('3', 'ListConcurrencyConfigsRequest', { functionName: name })),
  };
}

export function limitCases(world: World): void {
  for (const fc of [classic(world), open(world), third(world)]) limitCasesOf(world, fc);
}

function limitCasesOf(world: World, fc: LimitFc): void {
  const operations = fc.operations.map((name): OperationName => `FC/${fc.version}/${name}`);

  describe(`limits of instances of ${fc.version}`, () => {
    world.log.covers(
      operations,
      'a limit of none blocks a function at once, and one of one lets it through',
      async () => {
        const name = await fc.newFunction();
        await fails('OnDemandConfigNotFound', fc.get(name));
        await fc.invoke(name);
        const put = await fc.put(name, 0);
        assert.equal(at(put, fc.member), 0);
        await fails('ResourceExhausted', fc.invoke(name));
        assert.equal(at(await fc.get(name), fc.member), 0);
        assert.deepEqual(column(await fc.list(name), 'configs', fc.member), [0]);
        await fc.put(name, 1);
        await fc.invoke(name);
        await fc.put(name, 0);
        await fails('ResourceExhausted', fc.invoke(name));
        await fc.remove(name);
        await fc.invoke(name);
        await fails('OnDemandConfigNotFound', fc.remove(name));
        const rest = await fc.list(name);
        if (at(rest, 'configs') !== undefined && at(rest, 'configs') !== null) {
          assert.deepEqual(items(rest, 'configs'), []);
        }
        await fails('InvalidArgument', fc.put(name, -1));
        await fails('InvalidArgument', fc.put(name, 1.5));
        await fails('FunctionNotFound', fc.put(`${name}x`, 1));
      },
    );
  });
}
