// The journey with the official Python SDKs from PyPI (python/requirements.txt), in a virtual environment under .cache/.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import { Cleanup, root } from '../tests/harness/server.ts';
import { type Installed, installOnce, run } from './kit/toolchain.ts';
import { World } from './kit/world.ts';

const requirements = join(root, 'conformance/python/requirements.txt');
const installLimitMs = 150_000;

async function installSdks(): Promise<Installed> {
  const version = await run('python3', ['-c', 'import ensurepip, sys, venv; print(sys.executable, sys.version)']);
  if (version.code !== 0) return { ok: false, why: `python3 with venv was not found: ${version.stderr.trim()}` };
  return installOnce('python', version.stdout + readFileSync(requirements, 'utf8'), async (folder) => {
    const made = await run('python3', ['-m', 'venv', folder]);
    if (made.code !== 0) return made;
    // Everything is pinned, so nothing has to be resolved.
    const args = ['install', '--quiet', '--disable-pip-version-check', '--no-deps', '--requirement', requirements];
    return run(join(folder, 'bin/pip'), args, { limitMs: installLimitMs });
  });
}

const installed = await installSdks();

test('the Python SDKs are there, or it is said why the cases with them are not', (t) => {
  if (installed.ok) return;
  t.diagnostic(`no cases with Python SDKs: ${installed.why}`);
  assert.notEqual(process.env['CI'], 'true', installed.why);
});

if (installed.ok) {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  const python = join(installed.path, 'bin/python');

  describe('the journey with Python SDKs', () => {
    let server = '';
    before(async () => {
      const world = await World.start(cleanup);
      server = JSON.stringify({ ...world.server.ready, ...world.server.credentials });
    });

    for (const [title, pair] of [
      ['aliyun-fc2, and aliyun-python-sdk-core by GET', 'fc2+core-get'],
      ['alibabacloud_fc_open20210406 and alibabacloud_cloudapi20160714', 'fc_open20210406+cloudapi20160714'],
      ['alibabacloud_fc20230330 and alibabacloud_cloudapi20160714', 'fc20230330+cloudapi20160714'],
      ['aliyun-python-sdk-core: ROA of 2023-03-30, and RPC by POST', 'core-roa+core-post'],
    ] as const) {
      it(title, async () => {
        const env = { YUNMEN_SERVER: server, PYTHONDONTWRITEBYTECODE: '1' };
        const { code, stderr } = await run(python, ['conformance/python/journey.py', pair], { env });
        assert.equal(code, 0, stderr);
      });
    }

    for (const [title, sdk] of [
      ['aliyun-fc2', 'fc2'],
      ['alibabacloud_fc_open20210406', 'fc_open'],
      ['alibabacloud_fc20230330', 'fc3'],
    ] as const) {
      it(`layers, triggers, provisioned instances and limits with ${title}`, async () => {
        const env = { YUNMEN_SERVER: server, PYTHONDONTWRITEBYTECODE: '1' };
        const { code, stderr } = await run(python, ['conformance/python/operations.py', sdk], { env });
        assert.equal(code, 0, stderr);
      });
    }
  });
}
