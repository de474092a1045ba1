// What the data processes are told of HTTP triggers, through the official client of 2016-08-15.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { HttpTrigger } from '../../src/model/http-function.ts';
import { fc2Sdk, type Plane, startPlane, zipped } from './control-fixture.ts';

let plane: Plane;
before(async () => {
  plane = await startPlane();
});
after(() => plane.close());

async function fc2(name: string, ...args: unknown[]): Promise<void> {
  const sdk = fc2Sdk(plane);
  const method = sdk[name];
  assert.ok(method !== undefined, `the SDK has no ${name}`);
  await method.apply(sdk, args);
}
const published = async (key: string) => (await plane.published()).get(`httpTrigger ${key}`) as HttpTrigger | undefined;

test('a trigger is published for its qualifier, moves with it under the same URL, and is withdrawn', async () => {
  await fc2('createService', 'My_Service');
  const zipFile = await zipped({ 'index.py': 'x = 1\n' });
  const settings = { functionName: 'a_Function', handler: 'index.x', runtime: 'python3', code: { zipFile } };
  await fc2('createFunction', 'My_Service', settings);
  await fc2('publishVersion', 'My_Service', 'first');
  const triggerConfig = { AuthType: 'anonymous', methods: ['get', 'GET', 'POST'], disableURLInternet: true };
  await fc2('createTrigger', 'My_Service', 'a_Function', { triggerName: 'web', triggerType: 'http', triggerConfig });
  const made = await published('My_Service/a_Function@LATEST');
  assert.ok(made !== undefined);
  const { triggerId, urlPrefix, ...facts } = made;
  assert.deepEqual(facts, {
    triggerName: 'web',
    serviceName: 'My_Service',
    functionName: 'a_Function',
    qualifier: 'LATEST',
    authType: 'anonymous',
    methods: ['GET', 'POST'],
    disablesInternetUrl: true,
  });
  assert.match(triggerId, /^[0-9a-f-]{36}$/);
  assert.match(urlPrefix, /^a-function-my-service-[a-p]{10}$/);

  await fc2('updateTrigger', 'My_Service', 'a_Function', 'web', { qualifier: '1' });
  assert.equal(await published('My_Service/a_Function@LATEST'), undefined);
  assert.equal((await published('My_Service/a_Function@1'))?.urlPrefix, urlPrefix);
  await fc2('deleteTrigger', 'My_Service', 'a_Function', 'web');
  assert.equal(await published('My_Service/a_Function@1'), undefined);
});
