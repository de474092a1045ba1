// The log of gateway requests, found by the id that the answer had.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fails } from '../kit/calls.ts';
import { callPlain } from '../kit/gateway.ts';
import { at, column, items } from '../kit/read.ts';
import { mockApi, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';

export function requestLogCases(world: World): void {
  const { ask, log } = world;

  /** Records are handed over in batches: asks until it is there, a bounded number of times. */
  async function recordOf(RequestLogId: string): Promise<unknown> {
    for (let times = 0; times < 500; times++) {
      const [record] = items(await ask('QueryRequestLogs', { RequestLogId }), 'RequestLogs.RequestLog');
      if (record !== undefined) return record;
    }
    throw new Error(`no record of ${RequestLogId}`);
  }

  describe('the log of requests', () => {
    log.covers([`${api}/QueryRequestLogs`], 'tells of an answered and of a refused request by its id', async () => {
      const groupId = await world.newGroup();
      const apiId = await world.liveApi(groupId, mockApi('/logged', 'in'));
      const { ready } = world.server;
      const answered = await callPlain(ready, groupId, '/logged');
      const found = await recordOf(String(answered.headers['x-ca-request-id']));
      const seen = ['HttpPath', 'ApiId', 'GroupId', 'StageName', 'StatusCode'].map((name) => String(at(found, name)));
      assert.deepEqual(seen, ['/logged', apiId, groupId, 'RELEASE', '200']);
      const refused = await callPlain(ready, groupId, '/nothing');
      const other = await recordOf(String(refused.headers['x-ca-request-id']));
      assert.deepEqual([at(other, 'HttpPath'), String(at(other, 'StatusCode'))], ['/nothing', '404']);
      assert.equal(at(other, 'ErrorCode'), refused.headers['x-ca-error-code']);
      const failing = mockApi('/failing', 'out');
      await world.liveApi(groupId, { ...failing, ServiceConfig: { ...failing.ServiceConfig, MockStatusCode: 404 } });
      const own = await callPlain(ready, groupId, '/failing');
      assert.deepEqual([own.status, own.headers['x-ca-error-code']], [404, undefined]);
      const third = await recordOf(String(own.headers['x-ca-request-id']));
      assert.deepEqual([at(third, 'ErrorCode'), at(third, 'ErrorMessage')], [undefined, undefined]);
      assert.match(String(at(third, 'Exception')), /answered 404 by itself/);
      const none = await ask('QueryRequestLogs', { RequestLogId: 'nobody' });
      assert.deepEqual(items(none, 'RequestLogs.RequestLog'), []);
    });

    /** The lines that were delivered to a log store and tell of a request; asks until there are some, a bounded number of times. */
    async function deliveredTo(store: string, requestId: string): Promise<unknown[]> {
      const path = join(world.server.dataDir, 'logs', 'conformance-logs', `${store}.jsonl`);
      for (let times = 0; times < 500; times++) {
        const lines = readFileSync(path, 'utf8').split('\n');
        const found = lines.filter((line) => line.includes(requestId)).map((line) => JSON.parse(line) as unknown);
        if (found.length > 0) {
          assert.equal(statSync(path).mode & 0o777, 0o600);
          return found;
        }
        await setTimeout(20);
      }
      throw new Error(`${requestId} was not delivered to ${store}`);
    }

    log.covers(
      [`${api}/CreateLogConfig`, `${api}/DescribeLogConfig`, `${api}/ModifyLogConfig`, `${api}/DeleteLogConfig`],
      'the access log is delivered to the log store that is named, to another, then nowhere',
      async () => {
        const groupId = await world.newGroup();
        const apiId = await world.liveApi(groupId, mockApi('/delivered', 'in'));
        const call = async () => {
          const answer = await callPlain(world.server.ready, groupId, '/delivered');
          return String(answer.headers['x-ca-request-id']);
        };
        assert.deepEqual(items(await ask('DescribeLogConfig', {}), 'LogInfos.LogInfo'), []);
        const before = await call();
        await recordOf(before);
        const logs = join(world.server.dataDir, 'logs');
        mkdirSync(logs, { recursive: true });
        writeFileSync(join(logs, 'no-directory'), '');
        const blocked = { SlsProject: 'no-directory', SlsLogStore: 'store', LogType: 'PROVIDER' };
        await fails('ServiceUnavailable', ask('CreateLogConfig', blocked));
        assert.deepEqual(items(await ask('DescribeLogConfig', {}), 'LogInfos.LogInfo'), []);
        const target = { SlsProject: 'conformance-logs', SlsLogStore: 'first_store', LogType: 'PROVIDER' };
        await ask('CreateLogConfig', { ...target, CreateSlr: true });
        await fails('RepeatedLogConfig', ask('CreateLogConfig', target));
        const shown = await ask('DescribeLogConfig', { LogType: 'PROVIDER' });
        const members = ['SlsProject', 'SlsLogStore', 'LogType', 'RegionId'];
        assert.deepEqual(
          members.map((name) => column(shown, 'LogInfos.LogInfo', name)),
          [['conformance-logs'], ['first_store'], ['PROVIDER'], [world.server.ready.region]],
        );
        await fails('ServiceUnavailable', ask('ModifyLogConfig', blocked));
        const first = await call();
        const [line, ...others] = await deliveredTo('first_store', first);
        const seen = ['apiUid', 'apiGroupUid', 'apiStageName', 'statusCode', 'path', 'region'].map((name) =>
          at(line, name),
        );
        assert.deepEqual(seen, [apiId, groupId, 'RELEASE', '200', '/delivered', world.server.ready.region]);
        assert.deepEqual(others, []);
        await ask('ModifyLogConfig', {
          SlsProject: 'conformance-logs',
          SlsLogStore: 'other-store',
          LogType: 'PROVIDER',
        });
        const second = await call();
        await deliveredTo('other-store', second);
        await ask('DeleteLogConfig', { LogType: 'PROVIDER' });
        const third = await call();
        await recordOf(third);
        const delivered = ['first_store', 'other-store'].map((store) =>
          readFileSync(join(world.server.dataDir, 'logs', 'conformance-logs', `${store}.jsonl`), 'utf8'),
        );
        for (const id of [before, third]) assert.ok(!delivered.join('').includes(id));
        assert.ok(!delivered[0]?.includes(second));
        await fails('NotFoundLogConfig', ask('DeleteLogConfig', {}));
        await fails('NotFoundLogConfig', ask('ModifyLogConfig', target));
        for (const SlsProject of ['../etc', 'a', 'Capital', 'with.dot']) {
          await fails('InvalidSlsProject', ask('CreateLogConfig', { ...target, SlsProject }));
        }
        await fails('InvalidSlsLogStore', ask('CreateLogConfig', { ...target, SlsLogStore: 'a/b/c' }));
        await fails('UnsupportedParameter', ask('CreateLogConfig', { ...target, LogType: 'survey' }));
        assert.deepEqual(items(await ask('DescribeLogConfig', {}), 'LogInfos.LogInfo'), []);
      },
    );
  });
}
