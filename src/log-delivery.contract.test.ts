// What is delivered of the lines of the request log, when, and to where.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Log } from './base/log.ts';
import { LogDelivery, type LogDeliverySource } from './log-delivery.ts';
import type { RequestRecord } from './model/record.ts';
import { createTimeWriter, writeLogLine } from './wire/request-log-line.ts';

const root = mkdtempSync(join(tmpdir(), 'yunmen-delivery-'));
after(() => rmSync(root, { recursive: true, force: true }));

const good: RequestRecord = {
  requestId: '1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF',
  at: Date.UTC(2026, 10, 28, 5, 6, 7, 89),
  method: 'GET',
  host: 'api.example.com',
  path: '/天气?"',
  clientIp: '192.0.2.7',
  isTls: true,
  groupId: 'g1',
  apiId: 'a1',
  apiName: 'weather',
  functionName: null,
  qualifier: null,
  stage: 'RELEASE',
  appId: 110,
  appName: 'caller',
  appKey: '203753385',
  nonce: 'n-1',
  initialRequestId: null,
  traceId: null,
  customTraceId: null,
  status: 200,
  requestBytes: 0,
  responseBytes: 12,
  totalMs: 7.4,
  backendAt: Date.UTC(2026, 10, 28, 5, 6, 7, 90),
  backendMs: 5.2,
  coldStart: null,
  logged: null,
  failure: null,
};
const failed: RequestRecord = {
  ...good,
  ...{ requestId: '2B2C3D4E-5F60-4711-8899-AABBCCDDEEFF', groupId: null, apiId: null, apiName: null, stage: null },
  ...{ appId: null, appName: null, appKey: null, status: 404, backendAt: null, backendMs: null },
  failure: {
    ...{ code: 'I404DO', side: 'client', field: 'Host', expected: null, got: null },
    ...{ message: 'no such domain', functionLog: 'secret output' },
  },
};
const time = createTimeWriter();
const linesOf = (...records: readonly RequestRecord[]) =>
  Buffer.from(records.map((record) => writeLogLine(record, time)).join(''));

type Target = { project: string; logstore: string } | null;

async function open(first: Target, answering = Promise.resolve()) {
  const directory = mkdtempSync(join(root, 'd'));
  const told: string[] = [];
  const write = (message: string) => void told.push(message);
  const log: Log = { debug: write, info: write, warn: write, error: write };
  let target = first;
  const asked: string[] = [];
  let groupName = 'first name';
  const source: LogDeliverySource = {
    account: { accountId: '1234567890123456', regionId: 'cn-hangzhou' },
    findTarget: async () => target,
    findGroup: async (groupId) => {
      asked.push(groupId);
      const found = groupName;
      await answering;
      return { groupName: found, stages: [{ stageId: 's-release', stageName: 'RELEASE' }] };
    },
  };
  const delivery = new LogDelivery({ directory, log });
  await delivery.begin(source);
  return {
    ...{ delivery, told, asked, directory },
    aim: (next: Target) => {
      target = next;
      return delivery.follow();
    },
    rename: (next: string) => {
      groupName = next;
      delivery.forget('g1');
    },
    read: (project: string, logstore: string) =>
      readFileSync(join(directory, project, `${logstore}.jsonl`), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

it('delivers a line in the words of the Log Service, with the names behind the ids', async () => {
  const { delivery, read, asked, told } = await open({ project: 'my-project', logstore: 'my_store' });
  delivery.take(linesOf(good, failed, { ...good, functionName: 'a/trigger' }, good));
  await delivery.close();
  const [first, second, ...rest] = read('my-project', 'my_store');
  const { at } = good;
  assert.deepEqual(first, {
    ...{ requestId: good.requestId, initialRequestId: '', requestHandleTime: '2026-11-28T05:06:07Z' },
    ...{ providerAliUid: '1234567890123456', region: 'cn-hangzhou', instanceId: 'api-shared-vpc-001' },
    ...{ apiGroupUid: 'g1', apiGroupName: 'first name', apiUid: 'a1', apiName: 'weather' },
    ...{ apiStageUid: 's-release', apiStageName: 'RELEASE', httpMethod: 'GET', path: '/天气?"', domain: good.host },
    ...{ requestProtocol: 'HTTPS', clientIp: '192.0.2.7', clientNonce: 'n-1', appId: '110', appName: 'caller' },
    ...{ consumerAppKey: '203753385', statusCode: '200', errorCode: '', errorMessage: '', exception: '' },
    ...{ requestSize: '0', responseSize: '12', serviceLatency: '5', totalLatency: '7' },
    customTraceId: '1b2c3d4e5f6047118899aabbccddeeff',
    exchangeTimestamp: {
      ...{ FrontRequestStart: at, FrontRequestEnd: at + 1, BackendRequestStart: at + 1, BackendRequestEnd: at + 1 },
      ...{ BackendResponseStart: at + 6, BackendResponseEnd: at + 6, FrontResponseStart: at + 6 },
      FrontResponseEnd: at + 7,
    },
  });
  assert.deepEqual(
    [second?.['errorCode'], second?.['exception'], second?.['apiGroupName'], second?.['statusCode']],
    ['I404DO', 'client: no such domain', '', '404'],
  );
  assert.ok(!JSON.stringify(second).includes('secret output'));
  assert.equal(rest.length, 1);
  assert.deepEqual([asked, told], [['g1'], []]);
});

it('says for how many requests a sampled line stands, and what the group wants logged', async () => {
  const { delivery, read } = await open({ project: 'my-project', logstore: 'my_store' });
  const logged = {
    ...{ requestQueryString: 'a=1', requestHeaders: null, requestBody: null },
    ...{ responseHeaders: null, responseBody: 'x', jwtClaims: null },
  };
  delivery.take(Buffer.from(writeLogLine({ ...good, logged }, time, 7)));
  await delivery.close();
  const [line] = read('my-project', 'my_store');
  assert.deepEqual(
    ['weight', 'requestQueryString', 'responseBody', 'requestBody'].map((name) => line?.[name]),
    ['7', 'a=1', 'x', undefined],
  );
});

it('follows the target: each line goes where it said when the line came, none where there is none', async () => {
  const { delivery, aim, read, rename } = await open(null);
  delivery.take(linesOf(good));
  await aim({ project: 'one', logstore: 'logs' });
  delivery.take(linesOf(good));
  await aim({ project: 'two', logstore: 'logs' });
  rename('second name');
  delivery.take(linesOf(failed, good));
  await aim(null);
  delivery.take(linesOf(good));
  await delivery.close();
  assert.equal(read('one', 'logs').length, 1);
  assert.deepEqual(
    read('two', 'logs').map((line) => line['apiGroupName']),
    ['', 'second name'],
  );
});

it('asks again for the name of a group that is changed while it is asked for', async () => {
  const gate = Promise.withResolvers<void>();
  const { delivery, read, rename, asked } = await open({ project: 'one', logstore: 'logs' }, gate.promise);
  delivery.take(linesOf(good));
  while (asked.length === 0) await turn();
  rename('second name');
  gate.resolve();
  delivery.take(linesOf(good));
  await delivery.close();
  assert.deepEqual(
    read('one', 'logs').map((line) => line['apiGroupName']),
    ['first name', 'second name'],
  );
});

it('says what is wrong with the disk, keeps the former target, and goes on', async () => {
  const { delivery, aim, read, directory, told } = await open({ project: 'one', logstore: 'logs' });
  writeFileSync(join(directory, 'file'), '');
  await assert.rejects(aim({ project: 'file', logstore: 'logs' }), { code: 'EEXIST' });
  delivery.take(linesOf(good));
  await aim({ project: 'two', logstore: 'logs' });
  delivery.take(linesOf(good));
  await delivery.close();
  assert.deepEqual([read('one', 'logs').length, read('two', 'logs').length, told.length], [1, 1, 0]);
});

it('drops what it has no room for, and says so once', async () => {
  const { delivery, told } = await open({ project: 'one', logstore: 'logs' });
  const much = Buffer.alloc(5 * 1024 * 1024, 'x');
  for (let n = 0; n < 3; n++) delivery.take(much);
  await delivery.close();
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /not delivered/);
});
