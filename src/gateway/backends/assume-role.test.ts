import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, definition, group, open, request } from '../testing.ts';

const role = 'acs:ram::1234567890123456:role/gateway';

async function call(roleArn: string | null, knownRoles: ReadonlySet<string> | null) {
  const { backend } = definition({});
  assert.ok(backend.kind === 'function-event');
  const changes = [group(), api('a', definition({ rest: { backend: { ...backend, roleArn } } }))];
  const bench = open(changes, { settings: { knownRoles } });
  const answer = await bench.send(request({ target: '/a' }));
  return { ...answer, invocations: bench.invoked.length };
}

test('a role that the server was told of is taken on, and none is needed', async () => {
  for (const roleArn of [role, null]) {
    const { status, invocations } = await call(roleArn, new Set([role]));
    assert.deepEqual([status, invocations], [200, 1]);
  }
});

test('every role is good when the server accepts all', async () => {
  assert.equal((await call('anything', null)).status, 200);
});

test('a role that nobody told it of is answered A403FC, says what to do, and nothing runs', async () => {
  const { status, headers, failure, invocations } = await call(role, new Set(['acs:ram::1:role/other']));
  assert.deepEqual([status, headers['x-ca-error-code'], invocations], [403, 'A403FC', 0]);
  assert.match(headers['x-ca-error-message'] ?? '', /^Function Compute AssumeRole failed [\w-]+:EntityNotExist\.Role$/);
  assert.equal(failure?.side, 'api-owner');
  assert.match(failure?.message ?? '', /--roles acs:ram::1234567890123456:role\/gateway /);
});
