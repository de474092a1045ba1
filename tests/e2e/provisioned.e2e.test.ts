// Provisioned instances, limits and layers on the real server: over a restart, a new publication, the end of instances, and
// with two data processes.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { functionCompute, zipped } from '../harness/sdk.ts';
import { Cleanup, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

type Answer = { readonly headers: Record<string, string>; readonly data: Record<string, unknown> };
type Fc = Readonly<Record<string, (...args: unknown[]) => Promise<Answer>>>;

const start = ['start', '--runtime-fallback', '--isolation', 'none'];
const source = (text: string) => ({
  'index.js': `const { greeting } = require('greeting');\nexports.handler = (e, c, done) => done(null, greeting + ' ${text}');\n`,
});

class Client {
  readonly #fc: Fc;

  constructor({ ready, credentials }: TestServer) {
    this.#fc = functionCompute(ready, credentials) as unknown as Fc;
  }

  call(name: string, ...args: unknown[]): Promise<Answer> {
    const method = this.#fc[name];
    assert.ok(method !== undefined, `the SDK has no ${name}`);
    return method.apply(this.#fc, args);
  }

  async makeFunction(): Promise<void> {
    const layer = {
      code: { zipFile: await zipped({ 'nodejs/node_modules/greeting.js': "exports.greeting = 'hello';" }) },
    };
    const { data } = await this.call('publishLayerVersion', 'greeting', layer);
    await this.call('createService', 's');
    const code = { zipFile: await zipped(source('old')) };
    const settings = { functionName: 'f', runtime: 'nodejs20', handler: 'index.handler', layers: [data['arn']] };
    await this.call('createFunction', 's', { ...settings, timeout: 10, code });
  }

  async instances(): Promise<string[]> {
    const { data } = await this.call('listInstances', 's', 'f', 'LATEST');
    return (data['instances'] as { instanceId: string }[]).map(({ instanceId }) => instanceId);
  }

  /** The ids of the instances as soon as there are so many. */
  async until(count: number, isRight: (ids: readonly string[]) => boolean = () => true): Promise<string[]> {
    const late = Date.now() + 30_000;
    while (true) {
      const { data } = await this.call('getProvisionConfig', 's', 'f', 'LATEST');
      const ids = await this.instances();
      if (data['current'] === count && ids.length === count && isRight(ids)) return ids;
      assert.ok(Date.now() < late, `wanted ${count} instances, there are ${ids.length}: ${JSON.stringify(data)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async said(): Promise<string> {
    return String((await this.call('invokeFunction', 's', 'f', 'e')).data);
  }
}

describe('provisioned instances', () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());

  test('they are kept over a restart, follow a new publication, and are replaced when they end', async () => {
    const dataDir = temporaryDirectory(cleanup);
    const first = await startServer(cleanup, start, dataDir);
    let client = new Client(first);
    await client.makeFunction();
    await client.call('putProvisionConfig', 's', 'f', 'LATEST', { target: 2, alwaysAllocateCPU: true });
    await client.until(2);
    assert.equal(await client.said(), 'hello old');
    await first.stop();

    client = new Client(await startServer(cleanup, start, dataDir));
    const again = await client.until(2);
    assert.equal(await client.said(), 'hello old');
    await client.call('updateFunction', 's', 'f', { code: { zipFile: await zipped(source('new')) } });
    assert.equal(await client.said(), 'hello new', 'never the old code after the acknowledgement');
    await client.until(2, (ids) => ids.every((id) => !again.includes(id)));
    assert.equal(await client.said(), 'hello new');

    const exiting = { 'index.js': 'exports.handler = () => process.exit(1);\n' };
    await client.call('updateFunction', 's', 'f', { code: { zipFile: await zipped(exiting) } });
    const before = await client.until(2);
    await client.call('invokeFunction', 's', 'f', 'e');
    await client.until(2, (ids) => ids.some((id) => !before.includes(id)));
  });

  test('a policy follows the processors that the instances keep busy', async () => {
    const client = new Client(await startServer(cleanup, start, temporaryDirectory(cleanup)));
    await client.makeFunction();
    const busy = `exports.handler = (e, c, done) => { const until = Date.now() + 8_000; while (Date.now() < until); done(null, ''); };`;
    const code = { zipFile: await zipped({ 'index.js': busy }) };
    await client.call('updateFunction', 's', 'f', { code, timeout: 60 });
    const [startTime, endTime] = ['2020-01-01T00:00:00Z', '2099-01-01T00:00:00Z'];
    const bounds = { minCapacity: 1, maxCapacity: 2, startTime, endTime };
    const policy = { name: 'cpu', metricType: 'CPUUtilization', metricTarget: 0.5, ...bounds };
    await client.call('putProvisionConfig', 's', 'f', 'LATEST', { target: 0, targetTrackingPolicies: [policy] });
    await client.until(1);
    const spinning = client.call('invokeFunction', 's', 'f', 'e').catch(() => null);
    await client.until(2);
    await client.call('deleteFunction', 's', 'f');
    await spinning;
  });

  test('two data processes share a target', async () => {
    const server = await startServer(cleanup, [...start, '--data-processes', '2'], temporaryDirectory(cleanup));
    const client = new Client(server);
    await client.makeFunction();
    await client.call('putProvisionConfig', 's', 'f', 'LATEST', { target: 3 });
    const ids = await client.until(3);
    for (let at = 0; at < 6; at += 1) assert.equal(await client.said(), 'hello old');
    assert.deepEqual((await client.instances()).sort(), ids.sort(), 'the provisioned instances served');
    await client.call('putOnDemandConfig', 's', 'f', 'LATEST', { maximumInstanceCount: 0 });
    assert.equal(await client.said(), 'hello old', 'the limit is for instances beyond the provisioned ones');
    await client.call('putProvisionConfig', 's', 'f', 'LATEST', { target: 1 });
    for (let at = 0; at < 6; at += 1) assert.equal(await client.said(), 'hello old', 'whichever process is asked');
    await client.call('putProvisionConfig', 's', 'f', 'LATEST', { target: 0 });
    await assert.rejects(client.said(), /ResourceExhausted/);
  });
});
