import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { answerMetrics } from '../../src/control/metrics-endpoint.ts';
import type { ControlDeps } from '../../src/control/ports.ts';
import type { Received } from '../../src/control/received.ts';
import { requestRecord } from '../../src/model/testing.ts';
import { at, type Plane, popRpc, rawCall, startPlane } from './control-fixture.ts';

describe('records and metrics through the API listener', () => {
  let plane: Plane;
  before(async () => {
    plane = await startPlane();
  });
  after(() => plane.close());

  it('QueryRequestLogs tells of a request with the members of the service, all of them text or numbers', async () => {
    const failure = {
      code: 'T429PA',
      side: 'client',
      field: 'f',
      expected: 'e',
      got: 'g',
      message: 'm',
      functionLog: null,
    } as const;
    const times = { at: 1_700_000_000_000, totalMs: 12.4, backendAt: 1_700_000_000_002, backendMs: 9.6 };
    const record = requestRecord({ ...times, apiId: 'a', appId: 7, stage: 'RELEASE', status: 429, failure });
    plane.records.set(record.requestId, record);
    const answer = await popRpc(plane, 'POST')('QueryRequestLogs', { RequestLogId: record.requestId });
    const entry = (name: string) => at(answer, `RequestLogs.RequestLog.0.${name}`);
    assert.deepEqual(
      ['RequestId', 'RequestTime', 'StatusCode', 'ErrorCode', 'ErrorMessage', 'ConsumerAppId', 'TotalLatency'].map(
        entry,
      ),
      [record.requestId, '2023-11-14T22:13:20Z', '429', 'T429PA', 'm', '7', '12'],
    );
    assert.deepEqual(
      ['FrontRequestStart', 'BackendRequestStart', 'BackendResponseEnd', 'FrontResponseEnd'].map(entry),
      [times.at, times.backendAt, 1_700_000_000_012, 1_700_000_000_012],
    );
    assert.equal(entry('CustomTraceId'), record.requestId.replaceAll('-', '').toLowerCase());
  });

  it('QueryRequestLogs shows query, headers and bodies where they were logged, and the caller’s own trace', async () => {
    const logged = {
      requestQueryString: 'a=1',
      requestHeaders: '{"x-a":"1"}',
      requestBody: 'in',
      responseHeaders: '{"x-b":"2"}',
      responseBody: 'out',
      jwtClaims: '{"sub":"ann"}',
    };
    const record = requestRecord({ requestId: 'LOGGED', groupId: 'g', customTraceId: 'own', traceId: 'w3c', logged });
    plane.records.set(record.requestId, record);
    const answer = await popRpc(plane, 'POST')('QueryRequestLogs', { RequestLogId: record.requestId });
    const entry = (name: string) => at(answer, `RequestLogs.RequestLog.0.${name}`);
    const names = [
      'RequestQueryString',
      'RequestHeaders',
      'RequestBody',
      'ResponseHeaders',
      'ResponseBody',
      'JwtClaims',
    ];
    assert.deepEqual(names.map(entry), Object.values(logged));
    assert.deepEqual([entry('CustomTraceId'), entry('InstanceId')], ['own', 'api-shared-vpc-001']);
  });

  it('/metrics answers callers on this machine as they come', async () => {
    const answer = await rawCall(plane, 'GET', '/metrics');
    assert.equal(answer.status, 200);
    assert.match(String(answer.headers['content-type']), /^text\/plain; version=0\.0\.4/);
    assert.match(answer.text, /yunmen_instances\{state="idle"\} 4/);
  });

  it('/metrics asks others for a signature, whatever their headers say', async () => {
    const headers = { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1' };
    const received = {
      method: 'GET',
      path: '/metrics',
      query: [],
      headers,
      requestId: 'r',
      host: 'h',
    } as unknown as Received;
    const refuse = () => Promise.reject(new Error('the metrics were read'));
    const deps = { readMetrics: refuse, store: plane.store } as unknown as ControlDeps;
    const answer = await answerMetrics(deps, received, '198.51.100.7');
    assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status}`);
    assert.ok(!String(answer.body).includes('yunmen_'));
  });
});
