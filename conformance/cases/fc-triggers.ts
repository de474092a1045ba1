// HTTP triggers, the same in the three versions of Function Compute: the same cases with the SDK of each.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { describe } from 'node:test';
import { fails, type OperationName } from '../kit/calls.ts';
import { model } from '../kit/clients.ts';
import { at, column, textAt } from '../kit/read.ts';
import { nodeReturning, type World } from '../kit/world.ts';

type Members = Readonly<Record<string, unknown>>;

/** A function and its triggers in one version. Answers are the JSON alone; `triggerConfig` is given as an object. */
type TriggerFc = {
  readonly version: '2016-08-15' | '2021-04-06' | '2023-03-30';
  /** Where an answer tells the URLs. */
  readonly urls: string;
  /** A new function that answers its event. */
  newFunction(): Promise<string>;
  publish(name: string): Promise<unknown>;
  deleteFunction(name: string): Promise<unknown>;
  create(name: string, members: Members): Promise<unknown>;
  get(name: string, trigger: string): Promise<unknown>;
  update(name: string, trigger: string, members: Members): Promise<unknown>;
  remove(name: string, trigger: string): Promise<unknown>;
  list(name: string, query?: Members): Promise<unknown>;
};

const echo = nodeReturning('event');

function classic(world: World): TriggerFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fc2(name, ...args), 'data');
  return {
    version: '2016-08-15',
    urls: 'urlInternet',
    newFunction: async () => (await world.newFunction(echo)).join('/'),
    publish: (name) => call('publishVersion', name.split('/')[0], 'x'),
    deleteFunction: (name) => call('deleteFunction', ...name.split('/')),
    create: (name, members) => call('createTrigger', ...name.split('/'), { ...members }),
    get: (name, trigger) => call('getTrigger', ...name.split('/'), trigger),
    update: (name, trigger, members) => call('updateTrigger', ...name.split('/'), trigger, { ...members }),
    remove: (name, trigger) => call('deleteTrigger', ...name.split('/'), trigger),
    list: (name, query = {}) => call('listTriggers', ...name.split('/'), { ...query }),
  };
}

/** The newer versions take the configuration as text. */
function asText({ triggerConfig, ...members }: Members): Members {
  return triggerConfig === undefined ? members : { ...members, triggerConfig: JSON.stringify(triggerConfig) };
}

function open(world: World): TriggerFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fcOpen(name, ...args), 'body');
  const request = (name: string, members: object) => model('open', `${name}Request`, members);
  return {
    version: '2021-04-06',
    urls: 'urlInternet',
    newFunction: async () => (await world.newFunction(echo)).join('/'),
    publish: (name) => call('publishServiceVersion', name.split('/')[0], request('PublishServiceVersion', {})),
    deleteFunction: (name) => call('deleteFunction', ...name.split('/')),
    create: (name, members) => call('createTrigger', ...name.split('/'), request('CreateTrigger', asText(members))),
    get: (name, trigger) => call('getTrigger', ...name.split('/'), trigger),
    update: (name, trigger, members) =>
      call('updateTrigger', ...name.split('/'), trigger, request('UpdateTrigger', asText(members))),
    remove: (name, trigger) => call('deleteTrigger', ...name.split('/'), trigger),
    list: (name, query = {}) => call('listTriggers', ...name.split('/'), request('ListTriggers', query)),
  };
}

function third(world: World): TriggerFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fc3(name, ...args), 'body');
  const input = (operation: string, kind: string, members: object) =>
    model('3', `${operation}Request`, { body: model('3', kind, members) });
  return {
    version: '2023-03-30',
    urls: 'httpTrigger.urlInternet',
    newFunction: () => world.newFunction3(echo),
    publish: (name) =>
      call(
        'publishFunctionVersion',
        name,
        input('PublishFunctionVersion', 'PublishVersionInput', { description: 'x' }),
      ),
    deleteFunction: (name) => call('deleteFunction', name),
    create: (name, members) =>
      call('createTrigger', name, input('CreateTrigger', 'CreateTriggerInput', asText(members))),
    get: (name, trigger) => call('getTrigger', name, trigger),
    update: (name, trigger, members) =>
      call('updateTrigger', name, trigger, input('UpdateTrigger', 'UpdateTriggerInput', asText(members))),
    remove: (name, trigger) => call('deleteTrigger', name, trigger),
    list: (name, query = {}) => call('listTriggers', name, model('3', 'ListTriggersRequest', query)),
  };
}

export function triggerCases(world: World): void {
  for (const fc of [classic(world), open(world), third(world)]) triggerCasesOf(world, fc);
  proxyCases(world);
}

/** An unsigned GET of a URL whose host is a name under localhost. */
function get(url: string): Promise<{ readonly status: number; readonly body: string }> {
  const { hostname, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const target = { host: '127.0.0.1', port, path: pathname + search, headers: { host: hostname }, agent: false };
    request(target, (answer) => {
      buffer(answer).then((bytes) => resolve({ status: answer.statusCode ?? 0, body: bytes.toString() }), reject);
    })
      .on('error', reject)
      .end();
  });
}

/** Calls by the path form, which only the oldest version's SDK signs. */
function proxyCases(world: World): void {
  const seen = '[req.method, req.path, JSON.stringify(req.queries)].join()';
  const handler = { 'index.js': `exports.handler = (req, resp) => resp.send(${seen});\n` };

  describe('calls of HTTP functions', () => {
    world.log.covers(
      ['FC/2016-08-15/HttpTriggerProxy', 'FC/2016-08-15/CreateTrigger', 'FC/2016-08-15/UpdateTrigger'],
      'a trigger lets signed calls in by path, everybody when it is anonymous, and nobody when it is gone',
      async () => {
        const [service, name] = await world.newFunction(handler);
        const path = `/proxy/${service}/${name}/some/path`;
        const signed = async () => String(at(await world.fc2('get', path, { a: '1' }), 'data'));
        const unsigned = () => get(`${world.server.ready.api}/2016-08-15${path}?a=1`);
        await assert.rejects(signed());
        const triggerConfig = { authType: 'function', methods: ['GET'] };
        const made = await world.fc2('createTrigger', service, name, {
          triggerName: 'web',
          triggerType: 'http',
          triggerConfig,
        });
        const url = `${textAt(made, 'data.urlInternet')}/some/path?a=1`;
        assert.equal(await signed(), 'GET,/some/path,{"a":"1"}');
        world.log.succeeded('FC/2016-08-15/HttpTriggerProxy');
        assert.deepEqual([(await unsigned()).status, (await get(url)).status], [400, 400]);
        await world.fc2('updateTrigger', service, name, 'web', {
          triggerConfig: { ...triggerConfig, authType: 'anonymous' },
        });
        assert.deepEqual(await unsigned(), { status: 200, body: 'GET,/some/path,{"a":"1"}' });
        assert.deepEqual(await get(url), { status: 200, body: 'GET,/some/path,{"a":"1"}' });
        await world.fc2('deleteTrigger', service, name, 'web');
        assert.ok((await unsigned()).status >= 400);
        assert.ok((await get(url)).status >= 400);
      },
    );
  });
}

function triggerCasesOf(world: World, fc: TriggerFc): void {
  const { log } = world;
  const operation = (name: string): OperationName => `FC/${fc.version}/${name}`;
  const http = (triggerName: string, more: Members = {}, config: Members = {}) => ({
    triggerName,
    triggerType: 'http',
    triggerConfig: { authType: 'anonymous', methods: ['GET', 'POST'], ...config },
    ...more,
  });
  /** An object in the oldest version, JSON text in the others. */
  const configOf = (trigger: unknown) => {
    const shown = at(trigger, 'triggerConfig');
    assert.equal(typeof shown, fc.version === '2016-08-15' ? 'object' : 'string');
    return typeof shown === 'string' ? JSON.parse(shown) : shown;
  };

  describe(`HTTP triggers of ${fc.version}`, () => {
    log.covers(
      [operation('CreateTrigger'), operation('GetTrigger'), operation('DeleteTrigger')],
      'an HTTP trigger is made with a URL of its own, shown, and gone; its function cannot go before it',
      async () => {
        const name = await fc.newFunction();
        const made = await fc.create(name, http('web', { description: 'first', sourceArn: 'dummy_arn' }));
        assert.deepEqual(configOf(made), { authType: 'anonymous', methods: ['GET', 'POST'] });
        assert.equal(at(made, 'qualifier'), 'LATEST');
        const shown = await fc.get(name, 'web');
        const { http: base } = world.server.ready;
        assert.match(textAt(shown, fc.urls), new RegExp(`^http://[a-z0-9-]{12,63}\\.localhost:${new URL(base).port}$`));
        assert.equal(textAt(shown, fc.urls), textAt(made, fc.urls));
        assert.deepEqual([at(shown, 'sourceArn') ?? null, at(shown, 'description')], [null, 'first']);
        assert.match(textAt(shown, 'createdTime'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        await fails('TriggerAlreadyExists', fc.create(name, http('web')));
        await fails('InvalidArgument', fc.create(name, http('second')));
        await fails('FunctionNotEmpty', fc.deleteFunction(name));
        await fc.remove(name, 'web');
        await fails('TriggerNotFound', fc.get(name, 'web'));
        await fails('TriggerNotFound', fc.remove(name, 'web'));
        await fc.create(name, http('second'));
        await fc.remove(name, 'second');
        await fc.deleteFunction(name);
        await fails('FunctionNotFound', fc.create(name, http('web')));
      },
    );

    log.covers([operation('CreateTrigger')], 'wrong configurations and other types are refused by name', async () => {
      const name = await fc.newFunction();
      for (const config of [
        { methods: ['FETCH'] },
        { methods: [] },
        { authType: 'password' },
        { authType: 'jwt' },
        { authConfig: '{"jwks":{}}' },
        { disableURLInternet: 'yes' },
        { corsConfig: { allowMethods: ['FETCH'] } },
      ]) {
        await fails('InvalidArgument', fc.create(name, http('web', {}, config)));
      }
      for (const triggerType of ['oss', 'log', 'timer', 'mns_topic', 'cdn_events', 'eventbridge', 'cobol', '']) {
        await fails('InvalidArgument', fc.create(name, http('web', { triggerType })));
      }
      await fails('InvalidArgument', fc.create(name, http('1 bad')));
      await fails('AliasNotFound', fc.create(name, http('web', { qualifier: 'prod' })));
      await fails('VersionNotFound', fc.create(name, http('web', { qualifier: '7' })));
      await fc.create(name, http('web', {}, { authType: undefined, disableURLInternet: true }));
      assert.deepEqual(configOf(await fc.get(name, 'web')), {
        authType: 'function',
        methods: ['GET', 'POST'],
        disableURLInternet: true,
      });
    });

    log.covers(
      [operation('UpdateTrigger'), operation('ListTriggers')],
      'triggers of versions are changed and listed; the URL stays',
      async () => {
        const name = await fc.newFunction();
        await fc.publish(name);
        const made = await fc.create(name, http('a-head'));
        await fc.create(name, http('b-first', { qualifier: '1' }));
        assert.deepEqual(column(await fc.list(name), 'triggers', 'triggerName'), ['a-head', 'b-first']);
        assert.deepEqual(column(await fc.list(name, { prefix: 'b' }), 'triggers', 'qualifier'), ['1']);
        const page = await fc.list(name, { limit: 1 });
        const rest = await fc.list(name, { limit: 1, nextToken: textAt(page, 'nextToken') });
        assert.deepEqual(column(rest, 'triggers', 'triggerName'), ['b-first']);
        const triggerConfig = { authType: 'function', methods: ['PUT'] };
        const changed = await fc.update(name, 'a-head', { triggerConfig, description: 'changed' });
        assert.deepEqual([configOf(changed), at(changed, 'description')], [triggerConfig, 'changed']);
        assert.equal(textAt(await fc.get(name, 'a-head'), fc.urls), textAt(made, fc.urls));
        await fails('InvalidArgument', fc.update(name, 'a-head', { qualifier: '1' }));
        await fails('AliasNotFound', fc.update(name, 'a-head', { qualifier: 'none' }));
        await fails('TriggerNotFound', fc.update(name, 'none', { description: 'x' }));
        await fails('FunctionNotFound', fc.list(`${name}x`));
      },
    );
  });
}
