// What a group's options do to its requests and their records.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GroupOptions, LogOptions } from '../model/group-options.ts';
import type { Change } from '../model/published.ts';
import {
  api,
  app,
  constantHeader,
  definition,
  grant,
  group,
  groupId,
  open,
  request,
  returned,
  signedRequest,
  theApp,
} from './testing.ts';

const nothing: GroupOptions = {
  passedHeaders: [],
  codePlace: null,
  tracePlace: null,
  log: null,
  hidesServer: false,
  callsPerSecond: null,
};
const withOptions = (options: Partial<GroupOptions>, more: object = {}) =>
  group({ ...more, options: { ...nothing, ...options } });

describe('headers that a group passes on', () => {
  const names = ['X-B3-TraceId', 'X-Ca-Signature', 'X-Fixed', 'Authorization'];
  const passedHeaders = names.map((name) => ({ name, lowerName: name.toLowerCase() }));
  const sent = { 'x-b3-traceid': 't1', 'X-Fixed': 'client', 'X-Other': 'o', Authorization: 'Basic x' };
  const headersSeen = async (mode: 'MAPPING' | 'PASSTHROUGH', options: Partial<GroupOptions>, headers: object = {}) => {
    const value = definition({ request: { mode }, rest: { constants: [constantHeader('x-fixed', 'api')] } });
    const bench = open([withOptions(options), api('a', value)]);
    await bench.send(request({ headers: { ...sent, ...headers } }));
    return bench.event()['headers'] as Record<string, string>;
  };

  it('reach the backend where others are dropped, in the group’s spelling; the API’s own come first', async () => {
    const headers = await headersSeen('MAPPING', { passedHeaders });
    assert.deepEqual([headers['X-B3-TraceId'], headers['Authorization']], ['t1', 'Basic x']);
    assert.deepEqual([headers['x-fixed'], headers['X-Fixed'], headers['X-Other']], ['api', undefined, undefined]);
    assert.equal((await headersSeen('MAPPING', {}))['X-B3-TraceId'], undefined);
  });

  it('are sent once where all are sent, and may be what else is kept back', async () => {
    const signature = { 'X-Ca-Signature': 'mac' };
    const headers = await headersSeen('PASSTHROUGH', { passedHeaders }, signature);
    assert.deepEqual([headers['X-B3-TraceId'], headers['x-b3-traceid'], headers['X-Other']], ['t1', undefined, 'o']);
    assert.equal(headers['X-Ca-Signature'], 'mac');
    assert.equal((await headersSeen('PASSTHROUGH', {}, signature))['X-Ca-Signature'], undefined);
  });
});

describe('a place of the group’s own for codes', () => {
  const code = 'c0dec0dec0dec0dec0dec0dec0dec0de';
  const appWithCode: Change = {
    kind: 'app',
    key: String(app.appId),
    value: {
      appId: app.appId,
      appName: app.appName,
      keys: [{ key: app.key, secret: app.secret }],
      codes: [code],
    },
  };
  const ask = async (
    place: GroupOptions['codePlace'],
    appCode: 'HEADER' | 'HEADER_QUERY' | 'DISABLE',
    parts: Parameters<typeof request>[0],
    more: object = {},
  ) => {
    const value = definition({ auth: { type: 'APP', appCode }, request: { mode: 'PASSTHROUGH' } });
    const bench = open([withOptions({ codePlace: place }, more), api('a', value), appWithCode, grant('a')]);
    const answer = await bench.send(request(parts));
    return {
      outcome: answer.headers['x-ca-error-code'] ?? answer.status,
      seen: JSON.stringify(bench.event()),
      ...answer,
    };
  };
  const header = { location: 'HEADER', name: 'my-code' } as const;
  const query = { location: 'QUERY', name: 'k' } as const;

  it('is looked at, and the usual ones still are', async () => {
    assert.equal((await ask(header, 'HEADER', { headers: { 'My-Code': code } })).outcome, 200);
    assert.equal((await ask(header, 'HEADER', { headers: { 'My-Code': `APPCODE ${code}` } })).outcome, 200);
    assert.equal((await ask(header, 'HEADER', { headers: { Authorization: `APPCODE ${code}` } })).outcome, 200);
    assert.equal((await ask(query, 'HEADER_QUERY', { target: `/a?k=${code}` })).outcome, 200);
  });

  it('counts only where the API takes codes, and in the query only where it takes them there', async () => {
    assert.equal((await ask(header, 'DISABLE', { headers: { 'My-Code': code } })).outcome, 'A400MA');
    assert.equal((await ask(query, 'HEADER', { target: `/a?k=${code}` })).outcome, 'A400MA');
    assert.equal((await ask(null, 'HEADER', { headers: { 'My-Code': code } })).outcome, 'A400MA');
  });

  it('is named when the code in it is unknown', async () => {
    const { outcome, failure } = await ask(header, 'HEADER', { headers: { 'My-Code': 'other' } });
    assert.deepEqual([outcome, failure?.field], ['A400AC', 'my-code']);
  });

  it('is kept from the backend with the code', async () => {
    const strips = { stripsAppCode: true };
    const inHeader = await ask(header, 'HEADER', { headers: { 'My-Code': code, 'X-Kept': 'k' } }, strips);
    assert.deepEqual([inHeader.seen.includes(code), inHeader.seen.includes('X-Kept')], [false, true]);
    const inQuery = await ask(query, 'HEADER_QUERY', { target: `/a?k=${code}&kept=1` }, strips);
    assert.deepEqual([inQuery.seen.includes(code), inQuery.seen.includes('"kept":"1"')], [false, true]);
  });
});

describe('a group’s own limit', () => {
  it('of calls a second answers T429GR, unless the server’s is lower', async () => {
    const outcomes = async (callsPerSecond: number, groupLimitPerSecond: number | null) => {
      const other = 'ffffffffffffffffffffffffffffffff';
      const changes = [withOptions({ callsPerSecond }), api('a', definition({}))];
      const bench = open([...changes, group({ groupId: other }), api('b', definition({}), 'RELEASE', other)], {
        settings: { groupLimitPerSecond },
      });
      const codes: unknown[] = [];
      for (let n = 0; n < 3; n++) {
        const answer = await bench.send(request({}));
        codes.push(answer.headers['x-ca-error-code'] ?? answer.status);
      }
      const elsewhere = [];
      for (let n = 0; n < 3; n++)
        elsewhere.push((await bench.send(request({ headers: { Host: `${other}.localhost` } }))).status);
      bench.clock.advance(1000);
      return [...codes, (await bench.send(request({}))).status, ...elsewhere];
    };
    assert.deepEqual(await outcomes(2, null), [200, 200, 'T429GR', 200, 200, 200, 200]);
    assert.deepEqual(await outcomes(2, 1), [200, 'T429GR', 'T429GR', 200, 200, 429, 429]);
    assert.deepEqual(await outcomes(2, 3), [200, 200, 'T429GR', 200, 200, 200, 200]);
  });
});

describe('the answers of a group', () => {
  it('do not name the server where the group says so', async () => {
    const bench = open([withOptions({ hidesServer: true }), api('a', definition({}))]);
    const preflight = { Origin: 'https://a', 'Access-Control-Request-Method': 'GET' };
    for (const sent of [
      request({}),
      request({ target: '/none' }),
      request({ method: 'OPTIONS', target: '/none', headers: preflight }),
    ]) {
      const { headers } = await bench.send(sent);
      assert.ok(headers['x-ca-request-id']);
      assert.equal(headers['server'], undefined);
    }
    assert.equal((await open([group(), api('a', definition({}))]).send(request({}))).headers['server'], 'Yunmen');
  });
});

describe('the record of a request to a group', () => {
  const all: LogOptions = {
    query: 'all',
    requestHeaders: 'all',
    responseHeaders: 'all',
    jwtClaims: 'all',
    requestBody: true,
    responseBody: true,
  };
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const logged = async (
    log: LogOptions | null,
    parts: Parameters<typeof request>[0],
    answer: object = { statusCode: 201, headers: { 'X-B': '1', 'Set-Cookie': 's=1' }, body: 'answer' },
  ) => {
    const changes = [withOptions({ log }), api('a', definition({ request: { method: 'ANY', mode: 'PASSTHROUGH' } }))];
    const { record } = await open(changes, { invoke: async () => returned(answer) }).gateway.run(request(parts));
    return record.logged;
  };

  it('holds query, headers and bodies where the group wants them, and nothing of them where it does not', async () => {
    const parts = { method: 'POST', target: '/a?q=%E4%BA%91&b', headers: { 'X-A': '云', ...form }, body: 'x=1&y=%20' };
    const got = await logged(all, parts);
    assert.equal(got?.requestQueryString, 'q=%E4%BA%91&b');
    assert.deepEqual(JSON.parse(got?.requestHeaders ?? ''), {
      host: `${groupId}.localhost`,
      'x-a': '云',
      'content-type': form['Content-Type'],
    });
    assert.deepEqual([got?.requestBody, got?.responseBody], ['x=1&y=%20', 'answer']);
    const headers = JSON.parse(got?.responseHeaders ?? '') as Record<string, string>;
    assert.deepEqual([headers['x-b'], headers['server'], headers['set-cookie']], ['1', 'Yunmen', '(hidden)']);
    assert.equal(await logged(null, parts), null);
  });

  it('holds only what is named', async () => {
    const some: LogOptions = {
      ...all,
      query: ['b'],
      requestHeaders: ['x-a'],
      responseHeaders: ['x-b'],
      requestBody: false,
      responseBody: false,
    };
    const parts = { method: 'POST', target: '/a?q=1&b=2', headers: { 'X-A': '1', 'X-C': '2' }, body: 'body' };
    assert.deepEqual(await logged(some, parts), {
      requestQueryString: 'b=2',
      requestHeaders: '{"x-a":"1"}',
      requestBody: null,
      responseHeaders: '{"x-b":"1"}',
      responseBody: null,
      jwtClaims: null,
    });
    const none = await logged({ ...some, query: [], requestHeaders: [], responseHeaders: [] }, parts);
    assert.deepEqual(Object.values(none ?? {}), [null, null, null, null, null, null]);
  });

  it('hides what is named like a secret, in every part', async () => {
    const headers = { Authorization: 'APPCODE hunter2', Cookie: 'a=hunter2', 'X-Access-Token': 'hunter2' };
    const json = '{"user":"ann","password":"hunter2","nested":{"accessToken" : "hunter2"},"secret":22,"cut":"no';
    const got = await logged(
      all,
      { method: 'POST', target: '/a?appcode=hunter2&token=hunter2&x=1', headers, body: json },
      { statusCode: 200, body: '<a><token>hunter2</token><b>shown</b></a>' },
    );
    assert.ok(!JSON.stringify(got).includes('hunter2'), JSON.stringify(got));
    assert.equal(got?.requestQueryString, 'appcode=(hidden)&token=(hidden)&x=1');
    assert.match(got?.requestBody ?? '', /"user":"ann","password":"\(hidden\)".*"secret":"\(hidden\)","cut":"no$/);
    assert.match(got?.responseBody ?? '', /<b>shown<\/b>/);
    const fields = await logged(all, { method: 'POST', headers: form, body: 'name=ann&db_password=hunter2' });
    assert.equal(fields?.requestBody, 'name=ann&db_password=(hidden)');
  });

  const bodies: readonly (readonly [what: string, body: string, masked: string])[] = [
    ['a list in JSON', '{"tokens":["hunter2","hunter2"],"a":[1]}', '{"tokens":"(hidden)","a":[1]}'],
    ['an object in JSON', '{"secret":{"a":{"b":"hunter2}"}},"c":1}', '{"secret":"(hidden)","c":1}'],
    ['a name with escapes', '{"pass\\u0077ord":"hunter2","c":1}', '{"pass\\u0077ord":"(hidden)","c":1}'],
    ['a text with quotes', '{"password":"a\\"hunter2","c":1}', '{"password":"(hidden)","c":1}'],
    ['what is cut', '{"c":1,"credentials":{"a":["hunter2', '{"c":1,"credentials":"(hidden)"'],
    ['pairs', 'access_token=hunter2&scope=all', 'access_token=(hidden)&scope=all'],
    ['an element with attributes', '<token kind="x">hunter2</token>', '<token kind="x">(hidden)</token>'],
    ['an attribute', '<user password="hunter2" name="ann"/>', '<user password=(hidden) name="ann"/>'],
    [
      'a URL in a text',
      '{"next":"https://a.test/?x=1&token=hunter2"}',
      '{"next":"https://a.test/?x=1&token=(hidden)"}',
    ],
    [
      'a part of multipart',
      '--b\r\nContent-Disposition: form-data; name="password"\r\nX: y\r\n\r\nhunter2\r\nhunter2\r\n--b\r\nContent-Disposition: form-data; name="c"\r\n\r\n1\r\n--b--',
      '--b\r\nContent-Disposition: form-data; name="password"\r\nX: y\r\n\r\n(hidden)\r\n--b\r\nContent-Disposition: form-data; name="c"\r\n\r\n1\r\n--b--',
    ],
  ];
  for (const [what, body, masked] of bodies) {
    it(`hides ${what}, and leaves the rest`, async () => {
      const got = await logged(all, { method: 'POST', body }, { statusCode: 200, body });
      assert.deepEqual([got?.requestBody, got?.responseBody], [masked, masked]);
    });
  }

  it('hides secrets in addresses that headers hold, and in the string to sign that an error shows', async () => {
    const answer = { statusCode: 302, headers: { Location: 'https://a.test/?token=hunter2&x=1' }, body: '' };
    const got = await logged(all, { headers: { Referer: 'https://b.test/?password=hunter2' } }, answer);
    assert.ok(!JSON.stringify(got).includes('hunter2'), JSON.stringify(got));
    assert.match(got?.responseHeaders ?? '', /"location":"https:\/\/a\.test\/\?token=\(hidden\)&x=1"/);
    const bench = open([withOptions({ log: all }), api('a', definition({ auth: { type: 'APP' } })), theApp]);
    const headers = { 'X-Ca-Auth-Token': 'hunter2' };
    const wrong = signedRequest({ target: '/a?password=hunter2', headers, appSecret: 'wrong' });
    const { record, reply } = await bench.gateway.run(wrong);
    assert.equal(record.failure?.code, 'A403IS');
    assert.ok(
      reply?.headers.some((text) => text.includes('hunter2')),
      'the caller sees what it sent',
    );
    assert.ok(!JSON.stringify(record).includes('hunter2'), JSON.stringify(record));
  });

  it('holds at most 1,024 bytes of a body, cut between characters', async () => {
    const long = `a${'云'.repeat(1000)}`;
    const got = await logged(all, { method: 'POST', body: long }, { statusCode: 200, body: long });
    assert.equal(got?.requestBody, `a${'云'.repeat(341)}`);
    assert.equal(got?.responseBody, got?.requestBody);
  });

  it('holds the id of the caller’s own trace, from where the group says', async () => {
    const idOf = async (tracePlace: GroupOptions['tracePlace']) => {
      const changes = [withOptions({ tracePlace }), api('a', definition({}))];
      const sent = request({ target: '/a?trace=q', headers: { 'Trace-Id': 'h' } });
      return (await open(changes).gateway.run(sent)).record.customTraceId;
    };
    assert.equal(await idOf({ location: 'HEADER', name: 'trace-id' }), 'h');
    assert.equal(await idOf({ location: 'QUERY', name: 'trace' }), 'q');
    assert.equal(await idOf({ location: 'QUERY', name: 'none' }), null);
    assert.equal(await idOf(null), null);
  });

  it('of one that is refused holds what there is', async () => {
    const value = definition({ auth: { type: 'APP' }, request: { method: 'POST' } });
    const bench = open([withOptions({ log: all }), api('a', value), theApp]);
    const call = signedRequest({ method: 'POST', target: '/a?x=1', text: 'body' });
    const { record } = await bench.gateway.run(call);
    assert.equal(record.failure?.code, 'I403AA');
    assert.deepEqual([record.logged?.requestQueryString, record.logged?.requestBody], ['x=1', 'body']);
    assert.match(record.logged?.responseHeaders ?? '', /"x-ca-error-code":"I403AA"/);
    assert.match(record.logged?.requestHeaders ?? '', /"x-ca-signature":"\(hidden\)"/);
  });
});
