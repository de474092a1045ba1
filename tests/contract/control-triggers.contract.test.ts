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

const keys = [{ kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'one' }];

test('tokens and origins are published as rules; what is wrong of them is refused by its name', async () => {
  await fc2('createService', 'rules');
  const zipFile = await zipped({ 'index.py': 'x = 1\n' });
  const settings = { functionName: 'f', handler: 'index.x', runtime: 'python3', code: { zipFile } };
  await fc2('createFunction', 'rules', settings);
  const of = (more: object, authConfig: object | string = {}) => ({
    authType: 'jwt',
    methods: ['GET'],
    authConfig: typeof authConfig === 'string' ? authConfig : JSON.stringify(authConfig),
    ...more,
  });
  const authConfig = {
    jwks: { keys },
    tokenLookup: 'header:Authorization:Bearer, query:token',
    claimPassBy: 'header:sub:X-User,query:sub',
    whitelist: ['/login'],
  };
  const corsConfig = { allowOrigins: ['https://a.example'], allowMethods: ['get'], allowHeaders: ['*'], maxAge: 5 };
  const make = (triggerConfig: object) =>
    fc2('createTrigger', 'rules', 'f', { triggerName: 'web', triggerType: 'http', triggerConfig });
  const wrong: readonly (readonly [object, RegExp])[] = [
    [of({}, ''), /AuthConfig is set to an invalid value: it must be JSON/],
    [of({}, { ...authConfig, tokenLookup: '' }), /AuthConfig\.tokenLookup is required/],
    [
      of({}, { ...authConfig, tokenLookup: 'body:token' }),
      /AuthConfig\.tokenLookup is set to an invalid value 'body:token'/,
    ],
    [of({}, { ...authConfig, jwks: { keys: [] } }), /AuthConfig\.jwks\.keys must be a list/],
    [of({}, { ...authConfig, jwks: { keys: [{ kty: 'DSA' }] } }), /kty is set to an invalid value .*DSA/],
    [of({}, { ...authConfig, jwks: { keys: [{ ...keys[0], d: 'x' }] } }), /holds a private key/],
    [of({}, { ...authConfig, blacklist: ['/a'] }), /both whitelist and blacklist/],
    [of({ authType: 'anonymous' }, authConfig), /AuthConfig has no meaning for the AuthType anonymous/],
    [of({ corsConfig: { allowMethods: ['CONNECT'] } }, authConfig), /CorsConfig\.allowMethods .*CONNECT/],
    [of({ corsConfig: { maxAge: -1 } }, authConfig), /CorsConfig\.maxAge/],
    [of({ corsConfig: { allowOrigins: ['a\r\nb'] } }, authConfig), /CorsConfig\.allowOrigins/],
  ];
  for (const [config, message] of wrong) await assert.rejects(make(config), message);
  await make(of({ corsConfig }, authConfig));
  const made = await published('rules/f@LATEST');
  assert.deepEqual(made?.jwt, {
    keys,
    lookup: [
      { place: 'header', name: 'Authorization', prefix: 'Bearer' },
      { place: 'query', name: 'token', prefix: '' },
    ],
    pass: [
      { place: 'header', claim: 'sub', target: 'X-User' },
      { place: 'query', claim: 'sub', target: 'sub' },
    ],
    paths: { are: 'free', patterns: ['/login'] },
  });
  assert.deepEqual(made?.cors, {
    allowOrigins: ['https://a.example'],
    allowMethods: ['GET'],
    allowHeaders: [],
    exposeHeaders: [],
    allowCredentials: false,
    maxAge: 5,
  });
  await fc2('updateTrigger', 'rules', 'f', 'web', { triggerConfig: { authType: 'anonymous', methods: ['GET'] } });
  const changed = await published('rules/f@LATEST');
  assert.deepEqual([changed?.authType, changed?.jwt, changed?.cors], ['anonymous', undefined, undefined]);
});

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
