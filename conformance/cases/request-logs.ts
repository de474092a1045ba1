// The log of gateway requests, found by the id that the answer had.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { callPlain } from '../kit/gateway.ts';
import { at, items } from '../kit/read.ts';
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
      const none = await ask('QueryRequestLogs', { RequestLogId: 'nobody' });
      assert.deepEqual(items(none, 'RequestLogs.RequestLog'), []);
    });
  });
}
