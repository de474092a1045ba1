import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Change, PublishedDomain } from '../model/published.ts';
import { compileHostPattern, hostParameters, wildcardOf } from './bound-domain.ts';
import type { GatewaySettings } from './settings.ts';
import { api, definition, group, groupId, open, request, returned } from './testing.ts';

const domains: readonly PublishedDomain[] = [
  { host: 'api.example.com', stage: null },
  { host: 'test.example.com', stage: 'TEST' },
  { host: 'safe.example.com', stage: null, redirectsToHttps: true },
  { host: '*.example.com', stage: 'PRE' },
];
const changes = [
  group({ domains }),
  ...(['RELEASE', 'PRE', 'TEST'] as const).map((stage) =>
    api('one', definition({ request: { method: 'ANY', mode: 'PASSTHROUGH' }, rest: { apiName: stage } }), stage),
  ),
];
const at = (Host: string, headers: Record<string, string> = {}) => request({ headers: { Host, ...headers } });
const stageOf = async (value: ReturnType<typeof request>) => {
  const bench = open(changes);
  const { record } = await bench.gateway.run(value);
  return record.failure?.code ?? record.stage;
};

describe('two APIs that are live at one place', () => {
  it('are served newest first, and the older again when the newer is abolished or moved', async () => {
    const older = api('older', definition({ request: { path: '/d/[x]', mode: 'PASSTHROUGH' } }));
    const newer = api('newer', definition({ request: { path: '/d/[y]', mode: 'PASSTHROUGH' } }));
    const moved = api('newer', definition({ request: { path: '/e/[y]', mode: 'PASSTHROUGH' } }));
    const gone: Change = { kind: 'api', key: 'newer/RELEASE', value: null };
    const served = async (...rest: Change[][]) => {
      const bench = open([group(), older, newer]);
      for (const [at, changes] of rest.entries()) await bench.gateway.apply({ version: 2 + at, changes });
      await bench.send(request({ target: '/d/1' }));
      return bench.event()['pathParameters'];
    };
    assert.deepEqual(await served(), { y: '1' });
    assert.deepEqual([await served([gone]), await served([moved])], [{ x: '1' }, { x: '1' }]);
    assert.deepEqual([await served([older]), await served([older], [newer])], [{ x: '1' }, { y: '1' }]);
  });
});

describe('a bound domain', () => {
  const rows: readonly (readonly [what: string, host: string, headers: Record<string, string>, stage: string])[] = [
    ['serves the stage of the header', 'api.example.com', { 'X-Ca-Stage': 'TEST' }, 'TEST'],
    ['serves RELEASE without the header', 'API.Example.com:8080', {}, 'RELEASE'],
    ['bound to a stage serves that stage only', 'test.example.com', { 'X-Ca-Stage': 'RELEASE' }, 'TEST'],
    ['with a wildcard stands for one label', 'any.example.com', {}, 'PRE'],
    ['with a wildcard does not stand for two', 'a.b.example.com', {}, 'I404DO'],
    ['with a wildcard is not its parent', 'example.com', {}, 'I404DO'],
    ['is not found by the star itself in another place', '*.example.org', {}, 'I404DO'],
  ];
  for (const [what, host, headers, stage] of rows) {
    it(what, async () => assert.equal(await stageOf(at(host, headers)), stage));
  }

  it('is gone when it is unbound', async () => {
    const bench = open(changes);
    await bench.gateway.apply({ version: 2, changes: [group({ domains: [] })] });
    assert.equal((await bench.send(at('api.example.com'))).headers['x-ca-error-code'], 'I404DO');
    assert.equal((await bench.send(at('any.example.com'))).headers['x-ca-error-code'], 'I404DO');
  });
});

describe('a domain that wants HTTPS', () => {
  it('sends plain requests to the same URL there, keeping method and body', async () => {
    const bench = open(changes, { settings: { tlsPort: 8443 } });
    const got = await bench.send({ ...at('safe.example.com:8080'), target: '/a?b=%20c' });
    assert.deepEqual([got.status, got.headers['location']], [301, 'https://safe.example.com:8443/a?b=%20c']);
    const posted = await bench.send({ ...at('safe.example.com'), method: 'POST' });
    assert.equal(posted.status, 308);
    assert.equal(bench.invoked.length, 0);
  });

  it('leaves the port away where it is the scheme’s own, and serves what came by HTTPS', async () => {
    const bench = open(changes);
    assert.equal((await bench.send(at('safe.example.com:80'))).headers['location'], 'https://safe.example.com/a');
    assert.equal((await bench.send({ ...at('safe.example.com'), isTls: true })).status, 200);
  });
});

describe('the placeholders of a wildcard domain', () => {
  const named = (patterns: readonly string[], host: string) =>
    Object.fromEntries(hostParameters(patterns.map(compileHostPattern), host));
  it('stand for parts of the first label', () => {
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are the wire's own placeholders
    assert.deepEqual(named(['${User}.x.com'], 'ann.x.com'), { User: 'ann' });
    assert.deepEqual(named(['api-${User}-${Zone}.x.com'], 'api-ann-eu.x.com'), { User: 'ann', Zone: 'eu' });
    assert.deepEqual(named(['api-${A}.x.com', '${B}.x.com'], 'ann.x.com'), { B: 'ann' });
    assert.deepEqual(named(['${A}.x.com'], 'a.b.x.com'), {});
    assert.deepEqual(named(['Api-{User}-${Zone}.x.com'], 'api-ann-eu.x.com'), { User: 'ann', Zone: 'eu' });
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: as above
    assert.deepEqual(named([], 'ann.x.com'), {});
  });

  it('are looked for under the parent', () => {
    assert.deepEqual([wildcardOf('a.b.c'), wildcardOf('a'), wildcardOf('a.')], ['*.b.c', null, null]);
  });
});

describe('the group’s own domain', () => {
  it('takes so many calls a day where that is set, other domains any', async () => {
    const bench = open(changes, { settings: { ownDomainLimitPerDay: 2 } });
    const own = `${groupId}-cn-hangzhou.alicloudapi.com`;
    const statuses: unknown[] = [];
    for (let n = 0; n < 3; n++) {
      const answer = await bench.send(at(own));
      statuses.push(answer.headers['x-ca-error-code'] ?? answer.status);
    }
    assert.deepEqual(statuses, [200, 200, 'T429ID']);
    assert.equal(
      (await bench.send(at(own))).headers['x-ca-error-message'],
      `Throttled by INNER DOMAIN Flow Control, ${own} is a test domain, only 2 requests per day`,
    );
    assert.equal((await bench.send(at('api.example.com'))).status, 200);
    assert.equal((await bench.send(at(`${groupId}.localhost`))).status, 200);
    bench.clock.advance(24 * 60 * 60 * 1000);
    assert.equal((await bench.send(at(own))).status, 200);
  });

  it('is a download to browsers, other domains are not', async () => {
    const own = `${groupId}-cn-hangzhou.alicloudapi.com`;
    const browser = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
    const dispositionOf = async (
      host: string,
      headers: Record<string, string>,
      backend: Record<string, string> = {},
      settings: Partial<GatewaySettings> = {},
    ) => {
      const bench = open(changes, {
        settings,
        invoke: async () => returned({ statusCode: 200, headers: { 'X-Of': 'function', ...backend }, body: '<b>' }),
      });
      const answer = await bench.send(at(host, headers));
      assert.deepEqual([answer.status, answer.headers['x-of'], answer.body], [200, 'function', '<b>']);
      return answer.headers['content-disposition'];
    };
    assert.equal(await dispositionOf(own, browser), 'attachment');
    assert.equal(await dispositionOf(own, browser, { 'content-disposition': 'inline' }), 'attachment');
    assert.equal(
      await dispositionOf(own, browser, { 'Content-Disposition': 'attachment; filename="a"' }),
      'attachment; filename="a"',
    );
    assert.equal(await dispositionOf(own, { Accept: 'application/json' }), undefined);
    assert.equal(await dispositionOf(own, {}, { 'Content-Disposition': 'inline' }), 'inline');
    assert.equal(await dispositionOf('api.example.com', browser), undefined);
    assert.equal(await dispositionOf(`${groupId}.localhost`, browser), undefined);
    assert.equal(await dispositionOf(own, browser, {}, { ownDomainDownloads: false }), undefined);
  });
});
