import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { api, app, definition, grant, group, open, parameter, request, signedRequest, theApp } from './testing.ts';

describe('the record of a request', () => {
  it('says who called what, with sizes, nonce and the request that it was made for', async () => {
    const bench = open([
      group(),
      api('a', definition({ auth: { type: 'APP' }, request: { method: 'POST' } })),
      theApp,
      grant('a'),
    ]);
    const headers = { 'X-Ca-Api-Gateway': 'OUTER', 'Content-Type': 'text/plain' };
    const call = signedRequest({ method: 'POST', headers, nonce: 'n-1', text: 'hello' });
    const { record } = await bench.gateway.run(call);
    assert.equal(record.status, 200);
    assert.deepEqual([record.appId, record.appName, record.appKey], [app.appId, app.appName, app.key]);
    assert.deepEqual([record.apiId, record.stage, record.nonce], ['a', 'RELEASE', 'n-1']);
    assert.deepEqual([record.requestBytes, record.responseBytes], [5, 2]);
    assert.equal(record.initialRequestId, 'OUTER');
    assert.equal(record.traceId, null);
    assert.equal(record.failure, null);
  });

  it('keeps no query, no header and no body', async () => {
    const bench = open([group(), api('a', definition({ request: { method: 'POST' } }))]);
    const headers = { Authorization: 'APPCODE hunter2', Cookie: 'hunter2' };
    const call = request({ method: 'POST', target: '/a?password=hunter2', headers, body: 'token=hunter2' });
    const { record } = await bench.gateway.run(call);
    assert.ok(!JSON.stringify(record).includes('hunter2'));
  });

  it('hides the value of a parameter that is named like a secret, and shows that of another', async () => {
    const digits = { regularExpression: '^[0-9]+$' };
    const parameters = ['dbPassword', 'access_token', 'X-Secret', 'count'].map((name) =>
      parameter({ name, ...digits }),
    );
    const bench = open([group(), api('a', definition({ rest: { parameters } }))]);
    for (const { name } of parameters) {
      const { record } = await bench.gateway.run(request({ target: `/a?${name}=hunter2` }));
      assert.equal(record.failure?.field, name);
      assert.equal(JSON.stringify(record).includes('hunter2'), name === 'count', name);
    }
  });

  it('hides what stands in the path for a parameter that is named like a secret', async () => {
    const path = '/reset/[user]/[resetToken]/*';
    const bench = open([group({ basePath: '/v1' }), api('a', definition({ request: { path } })), theApp]);
    const { record } = await bench.gateway.run(request({ target: '/v1/reset/ann/hunter2/now' }));
    assert.equal(record.status, 200);
    assert.equal(record.path, '/v1/reset/ann/(hidden)/now');
    const signed = open([
      group({ basePath: '/v1' }),
      api('a', definition({ auth: { type: 'APP' }, request: { path } })),
      theApp,
    ]);
    const wrong = signedRequest({ target: '/v1/reset/ann/hunter2%2e/now', appSecret: 'wrong' });
    const refused = (await signed.gateway.run(wrong)).record;
    assert.match(refused.failure?.expected ?? '', /\n\/v1\/reset\/ann\/\(hidden\)\/now$/);
    assert.ok(!JSON.stringify(refused).includes('hunter2'));
  });

  it('bounds what a caller can write into it', async () => {
    const bench = open([group(), api('a', definition({}))]);
    const long = 'x'.repeat(20_000);
    const headers = { 'X-Ca-Nonce': long, 'X-Ca-Api-Gateway': long };
    const { record } = await bench.gateway.run(request({ method: 'GET', target: `/${long}`, headers }));
    assert.ok(JSON.stringify(record).length < 5_000);
  });
});

describe('the trace of a request', () => {
  const sent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
  const traceOf = async (mode: 'MAPPING' | 'PASSTHROUGH', headers: Record<string, string>) => {
    const bench = open([group(), api('a', definition({ request: { mode } }))]);
    const { record } = await bench.gateway.run(request({ headers }));
    const event = bench.event()['headers'] as Record<string, string>;
    const names = Object.keys(event).filter((name) => name.toLowerCase() === 'traceparent');
    return { record, event: event['traceparent'], names };
  };

  for (const mode of ['MAPPING', 'PASSTHROUGH'] as const) {
    it(`goes on to a function under the gateway's own span (${mode})`, async () => {
      const { record, event, names } = await traceOf(mode, { TraceParent: sent });
      assert.equal(record.traceId, '4bf92f3577b34da6a3ce929d0e0e4736');
      const span = record.requestId.replaceAll('-', '').toLowerCase().slice(16);
      assert.equal(event, `00-4bf92f3577b34da6a3ce929d0e0e4736-${span}-00`);
      assert.deepEqual(names, ['traceparent']);
    });
  }

  it('begins anew where what was sent is no trace, and adds nothing to the event of a caller that sent none', async () => {
    const broken = await traceOf('MAPPING', { traceparent: 'nonsense' });
    assert.equal(broken.record.traceId, null);
    assert.match(broken.event ?? '', new RegExp(`^00-${broken.record.requestId.replaceAll('-', '').toLowerCase()}-`));
    assert.deepEqual((await traceOf('PASSTHROUGH', {})).names, []);
  });
});
