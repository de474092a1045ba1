// Provisioned instances and the instances that run, in the three versions of Function Compute, each with its SDK.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails, type OperationName } from '../kit/calls.ts';
import { model } from '../kit/clients.ts';
import { at, column, items, textAt } from '../kit/read.ts';
import { nodeReturning, type World } from '../kit/world.ts';

type Members = Readonly<Record<string, unknown>>;

/** One version; `name` is `service/function` or `function`. Answers are the JSON alone. */
type ProvisionFc = {
  readonly version: '2016-08-15' | '2021-04-06' | '2023-03-30';
  newFunction(): Promise<string>;
  /** Publishes version 1, and makes it `prod`. */
  publish(name: string): Promise<unknown>;
  /** Of `prod`. */
  deleteAlias(name: string): Promise<unknown>;
  /** The id of the instance that served. */
  invoke(name: string, qualifier: string): Promise<string>;
  put(name: string, qualifier: string, members: Members): Promise<unknown>;
  get(name: string, qualifier: string): Promise<unknown>;
  list(name: string): Promise<unknown>;
  instances(name: string, qualifier: string, query?: Members): Promise<unknown>;
};

const code = nodeReturning("'served'");

function classic(world: World): ProvisionFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fc2(name, ...args), 'data');
  return {
    version: '2016-08-15',
    newFunction: async () => (await world.newFunction(code)).join('/'),
    publish: async (name) => {
      const [service] = name.split('/');
      await call('publishVersion', service, 'x');
      return await call('createAlias', service, 'prod', '1');
    },
    deleteAlias: (name) => call('deleteAlias', name.split('/')[0], 'prod'),
    invoke: async (name, qualifier) =>
      textAt(await world.fc2('invokeFunction', ...name.split('/'), 'e', {}, qualifier), 'headers.x-fc-instance-id'),
    put: (name, qualifier, members) => call('putProvisionConfig', ...name.split('/'), qualifier, { ...members }),
    get: (name, qualifier) => call('getProvisionConfig', ...name.split('/'), qualifier),
    list: (name) => call('listProvisionConfigs', { serviceName: name.split('/')[0] }),
    instances: (name, qualifier, query = {}) => call('listInstances', ...name.split('/'), qualifier, { ...query }),
  };
}

function open(world: World): ProvisionFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fcOpen(name, ...args), 'body');
  const request = (name: string, members: object) => model('open', `${name}Request`, members);
  const lists = (members: Members) =>
    Object.fromEntries(
      Object.entries(members).map(([name, value]) => {
        const kind = `PutProvisionConfigRequest${name.charAt(0).toUpperCase()}${name.slice(1)}`;
        return [name, Array.isArray(value) ? value.map((item) => maybeModel('open', kind, item)) : value];
      }),
    );
  return {
    version: '2021-04-06',
    newFunction: async () => (await world.newFunction(code)).join('/'),
    publish: async (name) => {
      const [service] = name.split('/');
      await call('publishServiceVersion', service, request('PublishServiceVersion', {}));
      return await call('createAlias', service, request('CreateAlias', { aliasName: 'prod', versionId: '1' }));
    },
    deleteAlias: (name) => call('deleteAlias', name.split('/')[0], 'prod'),
    invoke: async (name, qualifier) =>
      textAt(
        await world.fcOpen('invokeFunction', ...name.split('/'), request('InvokeFunction', { qualifier })),
        'headers.x-fc-instance-id',
      ),
    put: (name, qualifier, members) =>
      call('putProvisionConfig', ...name.split('/'), request('PutProvisionConfig', { qualifier, ...lists(members) })),
    get: (name, qualifier) =>
      call('getProvisionConfig', ...name.split('/'), request('GetProvisionConfig', { qualifier })),
    list: (name) => call('listProvisionConfigs', request('ListProvisionConfigs', { serviceName: name.split('/')[0] })),
    instances: (name, qualifier, query = {}) =>
      call('listInstances', ...name.split('/'), request('ListInstances', { qualifier, ...query })),
  };
}

/** Item models are named differently by version of the SDK; a plain object does where there is none. */
function maybeModel(version: 'open' | '3', name: string, members: object): object {
  for (const kind of [name, name.replace('PutProvisionConfigRequest', '')]) {
    try {
      return model(version, kind, members);
    } catch {
      // The next name.
    }
  }
  return members;
}

function third(world: World): ProvisionFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fc3(name, ...args), 'body');
  const request = (name: string, members: object) => model('3', `${name}Request`, members);
  const input = (kind: string, members: object) => ({ body: model('3', kind, members) });
  return {
    version: '2023-03-30',
    newFunction: () => world.newFunction3(code),
    publish: async (name) => {
      await call('publishFunctionVersion', name, request('PublishFunctionVersion', input('PublishVersionInput', {})));
      const members = { aliasName: 'prod', versionId: '1' };
      return await call('createAlias', name, request('CreateAlias', input('CreateAliasInput', members)));
    },
    deleteAlias: (name) => call('deleteAlias', name, 'prod'),
    invoke: async (name, qualifier) =>
      textAt(
        await world.fc3('invokeFunction', name, request('InvokeFunction', { qualifier })),
        'headers.x-fc-instance-id',
      ),
    put: (name, qualifier, members) =>
      call(
        'putProvisionConfig',
        name,
        request('PutProvisionConfig', { qualifier, ...input('PutProvisionConfigInput', itemModels(members)) }),
      ),
    get: (name, qualifier) => call('getProvisionConfig', name, request('GetProvisionConfig', { qualifier })),
    list: (name) => call('listProvisionConfigs', request('ListProvisionConfigs', { functionName: name })),
    instances: (name, qualifier, query = {}) =>
      call('listInstances', name, request('ListInstances', { qualifier, ...query })),
  };
}

const items3: Readonly<Record<string, string>> = {
  scheduledActions: 'ScheduledAction',
  targetTrackingPolicies: 'TargetTrackingPolicy',
  scheduledPolicies: 'ScheduledPolicy',
  horizontalScalingPolicies: 'ScalingPolicy',
};

function itemModels(members: Members): Members {
  return Object.fromEntries(
    Object.entries(members).map(([name, value]) => {
      const kind = items3[name];
      return [name, kind !== undefined && Array.isArray(value) ? value.map((item) => model('3', kind, item)) : value];
    }),
  );
}

/** Asks until it is so. Errors: throws when it is not within 20 s. */
async function until<T>(ask: () => Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  const late = Date.now() + 20_000;
  while (true) {
    const value = await ask();
    if (isSo(value)) return value;
    assert.ok(Date.now() < late, `it did not come: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function provisionCases(world: World): void {
  for (const fc of [classic(world), open(world), third(world)]) provisionCasesOf(world, fc);
  scalingCases(world);
}

function provisionCasesOf(world: World, fc: ProvisionFc): void {
  const operation = (name: string): OperationName => `FC/${fc.version}/${name}`;

  describe(`provisioned instances of ${fc.version}`, () => {
    world.log.covers(
      [
        operation('PutProvisionConfig'),
        operation('GetProvisionConfig'),
        operation('ListProvisionConfigs'),
        operation('ListInstances'),
      ],
      'instances of an alias are there before anybody calls, serve the calls, and are listed',
      async () => {
        const name = await fc.newFunction();
        await fc.publish(name);
        assert.deepEqual([at(await fc.get(name, 'prod'), 'target'), at(await fc.get(name, 'prod'), 'current')], [0, 0]);
        assert.equal(at(await fc.put(name, 'prod', { target: 2 }), 'target'), 2);
        await until(
          () => fc.get(name, 'prod'),
          (shown) => at(shown, 'current') === 2,
        );
        const listed = await fc.instances(name, 'prod');
        assert.deepEqual(column(listed, 'instances', 'versionId'), ['1', '1']);
        const ids = column(listed, 'instances', 'instanceId');
        assert.ok(ids.includes(await fc.invoke(name, 'prod')), 'a provisioned instance serves');
        const [first] = ids;
        const one = await fc.instances(name, 'prod', { instanceIds: [first] });
        assert.deepEqual(column(one, 'instances', 'instanceId'), [first]);
        assert.deepEqual(items(await fc.instances(name, 'LATEST'), 'instances'), []);
        const head = await fc.invoke(name, 'LATEST');
        assert.deepEqual(column(await fc.instances(name, 'LATEST'), 'instances', 'instanceId'), [head]);
        assert.deepEqual(column(await fc.instances(name, 'LATEST'), 'instances', 'versionId'), ['0']);
        assert.deepEqual(column(await fc.list(name), 'provisionConfigs', 'target'), [2]);
        assert.equal(at(await fc.put(name, 'prod', { target: 0 }), 'target'), 0);
        assert.deepEqual(column(await fc.list(name), 'provisionConfigs', 'target'), []);
        await fc.put(name, 'prod', { target: 1 });
        await fc.deleteAlias(name);
        assert.deepEqual(column(await fc.list(name), 'provisionConfigs', 'target'), [], 'it goes with its alias');
        await fails('AliasNotFound', fc.put(name, 'none', { target: 1 }));
        await fails('FunctionNotFound', fc.put(`${name}x`, 'LATEST', { target: 1 }));
        await fails('InvalidArgument', fc.put(name, 'prod', { target: -1 }));
      },
    );

    world.log.covers(
      [operation('PutProvisionConfig'), operation('GetProvisionConfig')],
      'a schedule that has fired sets the target; wrong schedules are refused in the words that clients compare',
      async () => {
        const name = await fc.newFunction();
        const action = (more: Members = {}) => ({
          name: 'each second',
          startTime: '2020-10-10T10:10:10Z',
          endTime: '2099-10-10T10:10:10Z',
          target: 1,
          scheduleExpression: 'cron(* * * * * *)',
          ...more,
        });
        const put = (...scheduledActions: Members[]) => fc.put(name, 'LATEST', { target: 0, scheduledActions });
        const shown = await put(action());
        assert.equal(at(shown, 'scheduledActions.0.scheduleExpression'), 'cron(* * * * * *)');
        await until(
          () => fc.get(name, 'LATEST'),
          (now) => at(now, 'current') === 1,
        );
        const says = (words: RegExp, ...actions: Members[]) =>
          assert.rejects(put(...actions), (error: { code?: unknown; message?: string }) => {
            assert.equal(error.code, 'InvalidArgument');
            assert.match(error.message ?? '', words);
            return true;
          });
        await says(/Duplicate action name 'each second' in ScheduledActions is not allowed/, action(), action());
        const many = Array.from({ length: 110 }, (_, number) => action({ name: `a${number}` }));
        await says(/ScheduledActions contains too many values \(max: 100, actual: 110\)/, ...many);
        await says(
          /The StartTime is not in UTC time format \(example: '2020-10-10T10:10:10Z', actual: '2020-10-10T10:10:10'\)/,
          action({ startTime: '2020-10-10T10:10:10' }),
        );
        await says(
          /The ScheduleExpression should be atTime or cron expression/,
          action({ scheduleExpression: 'cron(0 0 4 * *)' }),
        );
        await says(/EndTime is before/, action({ endTime: '2019-10-10T10:10:10Z' }));
        const policy = (more: Members = {}) => ({
          name: 'use',
          metricType: 'ProvisionedConcurrencyUtilization',
          metricTarget: 0.6,
          minCapacity: 1,
          maxCapacity: 3,
          startTime: '2020-10-10T10:10:10Z',
          endTime: '2099-10-10T10:10:10Z',
          ...more,
        });
        const track = (...targetTrackingPolicies: Members[]) =>
          fc.put(name, 'LATEST', { target: 0, targetTrackingPolicies });
        assert.equal(at(await track(policy()), 'targetTrackingPolicies.0.maxCapacity'), 3);
        await until(
          () => fc.get(name, 'LATEST'),
          (now) => at(now, 'current') === 1,
        );
        await fails('InvalidArgument', track(policy({ metricType: 'Mood' })));
        assert.equal(at(await track(policy({ metricType: 'CPUUtilization' })), 'target'), 0);
        await fails('InvalidArgument', track(policy({ metricType: 'GPUMemUtilization' })));
        await fails('InvalidArgument', track(policy({ metricTarget: 2 })));
        await fails('InvalidArgument', track(policy({ maxCapacity: 0 })));
        await fc.put(name, 'LATEST', { target: 0 });
      },
    );
  });
}

/** Scaling configurations, and the deletion of provision configurations: only 2023-03-30 has them. */
function scalingCases(world: World): void {
  const { fc3, log } = world;
  const api = 'FC/2023-03-30';
  const request = (name: string, members: object) => model('3', `${name}Request`, { qualifier: 'LATEST', ...members });
  const put = async (name: string, members: Members) => {
    const body = model('3', 'PutScalingConfigInput', itemModels(members));
    return at(await fc3('putScalingConfig', name, request('PutScalingConfig', { body })), 'body');
  };
  const get = async (name: string) => at(await fc3('getScalingConfig', name, request('GetScalingConfig', {})), 'body');
  const invoke = (name: string) => fc3('invokeFunction', name, model('3', 'InvokeFunctionRequest', {}));
  const putProvision = (name: string, target: number) => {
    const body = model('3', 'PutProvisionConfigInput', { defaultTarget: target });
    return fc3('putProvisionConfig', name, request('PutProvisionConfig', { body }));
  };

  describe('scaling configurations of 2023-03-30', () => {
    log.covers(
      [`${api}/PutScalingConfig`, `${api}/GetScalingConfig`, `${api}/ListScalingConfigs`, `${api}/DeleteScalingConfig`],
      'instances are kept, and without them nothing is served when only they may serve',
      async () => {
        const name = await world.newFunction3(code);
        assert.equal(at(await get(name), 'minInstances'), 0);
        assert.equal(at(await put(name, { minInstances: 1 }), 'minInstances'), 1);
        await until(
          () => get(name),
          (shown) => at(shown, 'currentInstances') === 1,
        );
        await invoke(name);
        await put(name, { minInstances: 0, enableOnDemandScaling: false });
        await fails('ResourceExhausted', invoke(name));
        const listed = await fc3('listScalingConfigs', model('3', 'ListScalingConfigsRequest', { functionName: name }));
        assert.deepEqual(column(listed, 'body.scalingConfigs', 'enableOnDemandScaling'), [false]);
        await fails('ResidentScalingConfigExists', putProvision(name, 1));
        await fc3('deleteScalingConfig', name, request('DeleteScalingConfig', {}));
        await invoke(name);
        assert.equal(at(await get(name), 'minInstances'), 0);
        await fails('InvalidArgument', put(name, { residentPoolId: 'pool' }));
        await fails('InvalidArgument', put(name, { minInstances: 1, enableMixMode: true }));
        const policies = { name: 'p', metricType: 'ProvisionedConcurrencyUtilization', metricTarget: 0.5 };
        const horizontal = [{ ...policies, minInstances: 1, maxInstances: 2 }];
        const shown = await put(name, { minInstances: 0, horizontalScalingPolicies: horizontal });
        assert.equal(at(shown, 'horizontalScalingPolicies.0.maxInstances'), 2);
        await fc3('deleteScalingConfig', name, request('DeleteScalingConfig', {}));
      },
    );

    log.covers([`${api}/DeleteProvisionConfig`], 'a provision configuration is taken back', async () => {
      const name = await world.newFunction3(code);
      await putProvision(name, 1);
      await fails('ProvisionConfigExist', put(name, { minInstances: 1 }));
      await fc3('deleteProvisionConfig', name, request('DeleteProvisionConfig', {}));
      const shown = await fc3('getProvisionConfig', name, request('GetProvisionConfig', {}));
      assert.deepEqual([at(shown, 'body.target'), at(shown, 'body.defaultTarget')], [0, 0]);
      await put(name, { minInstances: 1 });
      await fc3('deleteScalingConfig', name, request('DeleteScalingConfig', {}));
    });
  });
}
