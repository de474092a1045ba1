// Reads of what cannot be set here, as deploy tools make them before they deploy: in the three versions, each with its SDK.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails, type OperationName } from '../kit/calls.ts';
import { model } from '../kit/clients.ts';
import { at } from '../kit/read.ts';
import { nodeReturning, type World } from '../kit/world.ts';

const code = nodeReturning("'served'");

export function unsetCases(world: World): void {
  const { log } = world;
  const names = (version: string, operations: readonly string[]) =>
    operations.map((operation) => `FC/${version}/${operation}` as OperationName);
  const open = (name: string, members: object = {}) => model('open', `${name}Request`, members);
  const third = (name: string, members: object = {}) => model('3', `${name}Request`, members);

  describe('reads of asynchronous configurations and VPC bindings', () => {
    const absent =
      'a function that is there has no asynchronous configuration; one that is not, nor its qualifier, is told apart';

    log.coversAbsence(names('2016-08-15', ['GetFunctionAsyncConfig']), 'AsyncConfigNotExists', absent, async () => {
      const [service, name] = await world.newFunction(code);
      await fails('ServiceNotFound', world.fc2('getFunctionAsyncConfig', `${service}x`, name, ''));
      await fails('FunctionNotFound', world.fc2('getFunctionAsyncConfig', service, `${name}x`, ''));
      await fails('AliasNotFound', world.fc2('getFunctionAsyncConfig', service, name, 'prod'));
      await fails('AsyncConfigNotExists', world.fc2('getFunctionAsyncConfig', service, name, ''));
    });

    log.coversAbsence(
      names('2021-04-06', ['GetFunctionAsyncInvokeConfig']),
      'AsyncConfigNotExists',
      absent,
      async () => {
        const [service, name] = await world.newFunction(code);
        const get = (of: string, qualifier = 'LATEST') =>
          world.fcOpen(
            'getFunctionAsyncInvokeConfig',
            service,
            of,
            open('GetFunctionAsyncInvokeConfig', { qualifier }),
          );
        await fails('FunctionNotFound', get(`${name}x`));
        await fails('VersionNotFound', get(name, '7'));
        await fails('AsyncConfigNotExists', get(name));
      },
    );

    log.coversAbsence(names('2023-03-30', ['GetAsyncInvokeConfig']), 'AsyncConfigNotExists', absent, async () => {
      const name = await world.newFunction3(code);
      const get = (of: string, qualifier = 'LATEST') =>
        world.fc3('getAsyncInvokeConfig', of, third('GetAsyncInvokeConfig', { qualifier }));
      await fails('FunctionNotFound', get(`${name}x`));
      await fails('AliasNotFound', get(name, 'prod'));
      await fails('AsyncConfigNotExists', get(name));
    });

    log.covers(names('2016-08-15', ['ListFunctionAsyncConfigs']), 'the list of a function is empty', async () => {
      const [service, name] = await world.newFunction(code);
      const listed = await world.fc2('listFunctionAsyncConfigs', service, name, {});
      assert.deepEqual(at(listed, 'data.configs'), []);
      await fails('FunctionNotFound', world.fc2('listFunctionAsyncConfigs', service, `${name}x`, {}));
    });

    log.covers(
      names('2021-04-06', ['ListFunctionAsyncInvokeConfigs', 'ListVpcBindings']),
      'the lists of a function and of its service are empty',
      async () => {
        const [service, name] = await world.newFunction(code);
        const request = open('ListFunctionAsyncInvokeConfigs');
        const listed = await world.fcOpen('listFunctionAsyncInvokeConfigs', service, name, request);
        assert.deepEqual(at(listed, 'body.configs'), []);
        assert.deepEqual(at(await world.fcOpen('listVpcBindings', service), 'body.vpcIds'), []);
        await fails('FunctionNotFound', world.fcOpen('listFunctionAsyncInvokeConfigs', service, `${name}x`, request));
        await fails('ServiceNotFound', world.fcOpen('listVpcBindings', `${service}x`));
      },
    );

    log.covers(
      names('2023-03-30', ['ListAsyncInvokeConfigs', 'ListVpcBindings']),
      'the lists of a function, and of all, are empty',
      async () => {
        const functionName = await world.newFunction3(code);
        for (const members of [{}, { functionName }]) {
          const listed = await world.fc3('listAsyncInvokeConfigs', third('ListAsyncInvokeConfigs', members));
          assert.deepEqual(at(listed, 'body.configs'), []);
        }
        assert.deepEqual(at(await world.fc3('listVpcBindings', functionName), 'body.vpcIds'), []);
        const missing = third('ListAsyncInvokeConfigs', { functionName: `${functionName}x` });
        await fails('FunctionNotFound', world.fc3('listAsyncInvokeConfigs', missing));
        await fails('FunctionNotFound', world.fc3('listVpcBindings', `${functionName}x`));
      },
    );
  });
}
