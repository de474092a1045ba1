// Broken inputs by the thousand, the same for the same seed: whatever comes, the gateway answers or closes, by itself and in
// time, never with a bug, and its memory stays. YUNMEN_TORTURE=1: a million for each target.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { before, describe, it } from 'node:test';
import { loadRpcCatalogue, type RpcCatalogue } from '../../src/control/catalogue.ts';
import { readApiConfig } from '../../src/control/cloudapi/api-config.ts';
import { makeDraft } from '../../src/control/cloudapi/api-draft.ts';
import { checkValueRules } from '../../src/control/cloudapi/value-rules.ts';
import { ApiError } from '../../src/control/errors.ts';
import { readArguments } from '../../src/control/rpc/arguments.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { listenerOptions } from '../../src/gateway/listener.ts';
import { bodyOf } from '../../src/gateway/request-body.ts';
import { defaultGatewaySettings } from '../../src/gateway/settings.ts';
import {
  api,
  definition,
  grant,
  group,
  groupId,
  parameter,
  request,
  signedRequest,
  theApp,
} from '../../src/gateway/testing.ts';
import type { ApiDefinition } from '../../src/model/api.ts';
import type { GroupOptions } from '../../src/model/group-options.ts';
import { RpcParameters } from '../../src/wire/rpc-parameters.ts';
import { requestConfig, requestParameters, serviceConfig, wholeApi } from '../contract/control-api-config.ts';
import { checkRecord, fuzz, inputs, judge, openGateway, seed, timeout, words } from './fuzz.ts';
import { Mutator } from './mutator.ts';

const many: readonly ApiDefinition[] = [
  definition({ request: { method: 'ANY', path: '/open/[a]/x', mode: 'PASSTHROUGH' } }),
  definition({ request: { method: 'ANY', path: '/open/*', mode: 'MAPPING_PASSTHROUGH' } }),
  definition({ auth: { type: 'APP', signatureMethods: ['HmacSHA256', 'HmacSHA1'] }, request: { method: 'ANY' } }),
  definition({
    auth: { appCode: 'HEADER_QUERY', type: 'APP' },
    request: { method: 'POST', path: '/code', mode: 'PASSTHROUGH' },
  }),
  definition({
    request: { method: 'POST', path: '/form', bodyFormat: 'FORM' },
    rest: {
      parameters: [
        parameter({ name: 'n', type: 'Int', location: 'BODY', minValue: 1, maxValue: 9 }),
        parameter({ name: 's', location: 'BODY', required: true, regularExpression: '(a+)+b?', maxLength: 40 }),
        parameter({ name: 'q', enumValue: 'x,y' }),
        parameter({ name: 'h', location: 'HEAD', jsonScheme: '{"type":"object"}' }),
      ],
    },
  }),
];

/** All that a group can have logged, and the rest that looks at what clients send. */
const options: GroupOptions = {
  passedHeaders: [{ name: 'X-Passed', lowerName: 'x-passed' }],
  passesHost: true,
  codePlace: { location: 'QUERY', name: 'code' },
  tracePlace: { location: 'HEADER', name: 'x-trace' },
  log: {
    query: 'all',
    requestHeaders: 'all',
    responseHeaders: 'all',
    jwtClaims: 'all',
    requestBody: true,
    responseBody: true,
  },
  hidesServer: false,
  callsPerSecond: null,
};

const published = [
  group({ options }),
  theApp,
  ...many.map((one, at) => api(`api${at}`, one)),
  ...many.map((_, at) => grant(`api${at}`)),
];

describe(`the gateway is sent ${inputs} broken`, () => {
  it('bytes on its listener', { timeout }, async (t) => {
    const { gateway, bugs } = await openGateway(published);
    const server = createServer(listenerOptions(defaultGatewaySettings), gateway.handle);
    gateway.attach(server);
    const mutator = new Mutator(seed, words);
    const host = `Host: ${groupId}.localhost\r\n`;
    const corpus = [
      `GET /open/1/x?a=b HTTP/1.1\r\n${host}Accept: */*\r\n\r\n`,
      `POST /form HTTP/1.1\r\n${host}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\ns=aaa&n`,
      `POST /form HTTP/1.1\r\n${host}Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ns=a\r\n0\r\n\r\n`,
      `GET /open/1/x HTTP/1.1\r\n${host}\r\nPOST /open/2 HTTP/1.1\r\n${host}Content-Length: 2\r\n\r\nab`,
      `POST /open/3 HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc`,
      `CONNECT internal:22 HTTP/1.1\r\n${host}\r\n`,
      `OPTIONS /none HTTP/1.1\r\n${host}Origin: http://x\r\nAccess-Control-Request-Method: GET\r\n\r\n`,
      `GET http://${groupId}.localhost/open/4 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    ];
    await fuzz(t, {
      atOnce: 64,
      make: () => mutator.mutate(corpus),
      send: async (input) => {
        const answers = await converse(server, mutator.pieces(input));
        if (answers.length === 0) return judge(0, 'closed', bugs);
        return answers.map(({ status, code }) => judge(status, code, bugs)).join(' then ');
      },
    });
    gateway.close();
  });

  it('signature headers', { timeout }, async (t) => {
    const { gateway, bugs } = await openGateway(published);
    const mutator = new Mutator(seed, [...words, 'X-Ca-Key', 'x-ca-nonce', 'HmacSHA1', 'HmacSHA256', '20375338']);
    const good = signedRequest({ method: 'POST', text: '{"a":1}' });
    await fuzz(t, {
      atOnce: 1,
      make: () => {
        const headers = [...good.rawHeaders];
        for (let changes = 1 + mutator.below(3); changes > 0; changes--) {
          const at = mutator.below(headers.length);
          headers[at] = mutator.mutate([headers[at] ?? '', ...good.rawHeaders]);
        }
        return headers.join('\x01');
      },
      send: (input) => answer(gateway.run({ ...good, rawHeaders: input.split('\x01') }), bugs),
    });
  });

  it('paths and queries', { timeout }, async (t) => {
    const { gateway, bugs } = await openGateway(published);
    const mutator = new Mutator(seed, words);
    const corpus = [
      '/open/1/x?a=1&b=%E7%8C%AB',
      '/open/a/b/c/d',
      '/a?q=x+y&q=z',
      '/code?AppCode=abc',
      '/form?q=x',
      '/',
    ];
    await fuzz(t, {
      atOnce: 1,
      make: () => mutator.mutate(corpus),
      send: (target) => answer(gateway.run(request({ target, method: mutator.pick(['GET', 'POST'], 'GET') })), bugs),
    });
  });

  it('forms', { timeout }, async (t) => {
    const { gateway, bugs } = await openGateway(published);
    const mutator = new Mutator(seed, words);
    const types = [
      'application/x-www-form-urlencoded; charset=UTF-8',
      'application/x-www-form-urlencoded',
      'application/json',
      'multipart/form-data; boundary=x',
    ];
    const bodies = ['s=aab&n=3', 's=%E7%8C%AB&n=1&s=b', 's=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac', '{"s":"a"}', 's&n=&=x'];
    await fuzz(t, {
      atOnce: 1,
      make: () => {
        const type = mutator.below(3) === 0 ? mutator.mutate(types) : mutator.pick(types.slice(0, 2), '');
        return `${type}\x01${mutator.mutate(bodies)}`;
      },
      send: (input) => {
        const [type = '', body = ''] = input.split('\x01');
        const call = request({ method: 'POST', target: '/form?q=x', headers: { 'Content-Type': type, H: body } });
        return answer(gateway.run({ ...call, body: bodyOf(Buffer.from(body, 'latin1')) }), bugs);
      },
    });
  });

  describe('definitions of APIs,', () => {
    let catalogue: RpcCatalogue;
    before(async () => {
      catalogue = await loadRpcCatalogue('2016-07-14');
    });

    it('which control refuses by its own errors, or which the gateway serves', { timeout }, async (t) => {
      const { gateway, bugs } = await openGateway(published);
      const operation = catalogue.operations['CreateApi'];
      assert.ok(operation !== undefined);
      const configs = definitionTexts();
      const names = [...new Set(configs.map(([name]) => name))];
      const mutator = new Mutator(seed, [
        ...words,
        'REQUIRED',
        'BODY',
        'PATH',
        'Int',
        'Double',
        'MAPPING',
        '(?=x)',
        '(a*)*',
        '"$async":true,',
        '"$ref":"#",',
      ]);
      let version = 2;
      await fuzz(t, {
        atOnce: 1,
        make: () => {
          const broken = Array.from({ length: 1 + mutator.below(2) }, () => {
            const name = mutator.pick(names, '');
            const texts = configs.filter(([one]) => one === name).map(([, text]) => text);
            // Text that is no JSON goes no further than its parser.
            return [name, mutator.below(4) === 0 ? mutator.mutate(texts) : mutator.mutateJson(texts)];
          });
          return JSON.stringify(broken);
        },
        send: async (input) => {
          const broken = Object.fromEntries(JSON.parse(input) as [string, string][]);
          const given = { GroupId: groupId, ApiName: 'fuzzed', ...wholeApi, AuthType: 'ANONYMOUS', ...broken };
          let made: ApiDefinition;
          try {
            const args = readArguments(catalogue, operation, new RpcParameters(Object.entries(given)));
            await checkValueRules(args);
            made = makeDraft(readApiConfig(args), { timeoutMaxMs: 30_000, regionId: 'cn-hangzhou' }).definition;
          } catch (error) {
            if (error instanceof ApiError) return `refused: ${error.code}`;
            throw error;
          }
          void gateway.apply({ version, changes: [api('fuzzed', made)] });
          version += 1;
          const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
          const method = made.request.method === 'ANY' ? 'POST' : made.request.method;
          const target = made.request.path.replace(/\[[^\]]+\]/g, '1').replace('*', 'x');
          const call = request({ method, target: encodeURI(target), headers, body: 'a=1&b=2' });
          // A mock may be there to answer with a 500.
          const { record } = await gateway.run(call);
          checkRecord(record);
          const isWanted = made.backend.kind === 'mock' && made.backend.status === record.status;
          return `served: ${judge(isWanted ? 200 : record.status, record.failure?.code ?? null, bugs)}`;
        },
      });
    });
  });
});

/** Parameters of CreateApi by name, each with good texts. */
function definitionTexts(): (readonly [name: string, text: string])[] {
  const strict = {
    ...requestParameters[0],
    ParameterType: 'Int',
    MinValue: 1,
    MaxValue: 10,
    EnumValue: '1,2',
    DefaultValue: '1',
  };
  const text = {
    ...requestParameters[0],
    RegularExpression: '^[a-z]+$',
    MinLength: 1,
    MaxLength: 9,
    JsonScheme: '{"type":"string"}',
  };
  const http = {
    ServiceProtocol: 'HTTP',
    ServiceAddress: 'http://a.test',
    ServicePath: '/b/[a]',
    ServiceHttpMethod: 'GET',
    ServiceTimeout: 1000,
  };
  const rows: [string, unknown][] = [
    ['RequestConfig', requestConfig],
    ['RequestConfig', { ...requestConfig, RequestPath: '/users/[a]/*', RequestMode: 'MAPPING_PASSTHROUGH' }],
    ['ServiceConfig', { ...serviceConfig, ServiceTimeout: 100 }],
    [
      'ServiceConfig',
      {
        ...http,
        Mock: 'TRUE',
        MockResult: 'x',
        MockStatusCode: 201,
        MockHeaders: [{ HeaderName: 'a', HeaderValue: 'b' }],
      },
    ],
    ['RequestParameters', requestParameters],
    ['RequestParameters', [strict, { ...text, ApiParameterName: 'b' }]],
    ['ServiceParameters', [{ ServiceParameterName: 'a', Location: 'HEAD', ParameterType: 'String' }]],
    ['ServiceParametersMap', [{ ServiceParameterName: 'a', RequestParameterName: 'a' }]],
    ['ConstantParameters', [{ ServiceParameterName: 'c', ConstantValue: 'v', Location: 'HEAD' }]],
    ['SystemParameters', [{ ParameterName: 'CaClientIp', ServiceParameterName: 'ip', Location: 'QUERY' }]],
  ];
  return rows.map(([name, value]) => [name, JSON.stringify(value)]);
}

type Answered = { readonly status: number; readonly code: string | null };

async function answer(running: ReturnType<Gateway['run']>, bugs: readonly unknown[]) {
  const { record } = await running;
  checkRecord(record);
  return judge(record.status, record.failure?.code ?? null, bugs);
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** One connection to the server in memory: sends the pieces, ends, and reads what comes until the server ends. */
async function converse(server: Server, pieces: readonly string[]): Promise<Answered[]> {
  const [client, accepted]: [Duplex, Duplex] = duplexPair();
  Object.assign(accepted, { remoteAddress: '198.51.100.7', setTimeout() {}, setNoDelay() {}, setKeepAlive() {} });
  server.emit('connection', accepted);
  let text = '';
  client.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  client.on('error', () => {});
  const closed = new Promise<void>((resolve) => {
    client.on('end', resolve);
    client.on('close', resolve);
    accepted.on('close', resolve);
  });
  for (const piece of pieces) {
    client.write(piece, 'latin1');
    await turn();
  }
  // Who ends at once may get no answer: the other side is told that nobody is there any more.
  for (let turns = 0; turns < 10 && text === ''; turns++) await turn();
  client.end();
  await closed;
  client.destroy();
  accepted.destroy();
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) [^\r]*\r\n((?:[^\r\n]+\r\n)*)/g)].map(([, status, headers = '']) => ({
    status: Number(status),
    code: /x-ca-error-code: (\S+)/i.exec(headers)?.[1] ?? null,
  }));
}
