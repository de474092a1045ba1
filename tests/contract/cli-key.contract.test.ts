// `yunmen key` against a real control plane.
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { type Ran, runIn } from './cli-run.ts';
import { type Plane, startPlane } from './control-fixture.ts';

type Key = { accessKeyId: string; accessKeySecret: string };

describe('yunmen key', () => {
  let plane: Plane;
  before(async () => {
    plane = await startPlane();
  });
  after(() => plane.close());

  function run(argv: readonly string[], { accessKeyId, accessKeySecret }: Key = plane.credentials): Promise<Ran> {
    const env = {
      YUNMEN_ENDPOINT: plane.url.origin,
      YUNMEN_ACCESS_KEY_ID: accessKeyId,
      YUNMEN_ACCESS_KEY_SECRET: accessKeySecret,
    };
    return runIn(tmpdir(), ['key', ...argv], { env });
  }

  async function create(...flags: string[]): Promise<Key> {
    const { exitCode, stdout } = await run(['create', '--json', ...flags]);
    assert.equal(exitCode, 0);
    return JSON.parse(stdout) as Key;
  }

  it('create shows the secret once, list never', async () => {
    const { exitCode, stdout, stderr } = await run(['create']);
    assert.equal(exitCode, 0);
    const secret = /AccessKeySecret +(\w{30})\n/.exec(stdout)?.[1] ?? '';
    const id = /AccessKeyId +(LTAI\w{20})\n/.exec(stdout)?.[1] ?? '';
    assert.notEqual(secret, '');
    assert.match(stderr, /not shown again/);
    const listed = (await run(['list'])).stdout + (await run(['list', '--json'])).stdout;
    assert.ok(listed.includes(id) && !listed.includes(secret));
    assert.match((await run(['list'])).stdout, new RegExp(`${plane.credentials.accessKeyId} +admin +root `));
  });

  it('a new key may do what it was made for', async () => {
    const admin = await create();
    assert.equal((await run(['list'], admin)).exitCode, 0);
    const reader = await create('--read-only');
    const { exitCode, stderr } = await run(['list'], reader);
    assert.equal(exitCode, 1);
    assert.match(stderr, /AccessDenied/);
  });

  it('disable, enable and delete do so, and say so', async () => {
    const key = await create();
    const { accessKeyId: id } = key;
    assert.equal((await run(['disable', id])).stdout, `disabled ${id}\n`);
    const refused = await run(['list'], key);
    assert.equal(refused.exitCode, 1);
    assert.match((await run(['list'])).stdout, new RegExp(`${id} +admin +disabled `));
    assert.equal((await run(['enable', id])).stdout, `enabled ${id}\n`);
    assert.equal((await run(['list'], key)).exitCode, 0);
    assert.deepEqual(JSON.parse((await run(['delete', id, '--json'])).stdout), { deleted: id });
    assert.equal((await run(['list'], key)).exitCode, 1);
  });

  it('the root key stays, and an unknown one is named', async () => {
    for (const verb of ['disable', 'delete']) {
      const { exitCode, stderr } = await run([verb, plane.credentials.accessKeyId]);
      assert.equal(exitCode, 1);
      assert.match(stderr, /root key/);
    }
    assert.match((await run(['delete', 'nobody'])).stderr, /there is no access key nobody/);
  });
});
