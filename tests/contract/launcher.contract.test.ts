// The launcher's contract on the launcher of this package, in each tier that works here; and who may talk to it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { randomHex } from '../../src/base/ids.ts';
import { connectLauncher, probeIsolation } from '../../src/functions/index.ts';
import { type LauncherSuite, testLauncher } from '../../src/functions/launcher/suite.ts';
import { testSpares } from '../../src/functions/launcher/suite-spares.ts';
import { startLauncher } from './functions-fixture.ts';

const isolation = await probeIsolation();

for (const tier of ['none', 'user'] as const) {
  const missing = isolation.missing.find((each) => each.tier === tier);
  const suite: LauncherSuite = {
    name: `tier ${tier}`,
    tier,
    limits: false,
    skip: missing === undefined ? false : `${missing.why}; ${missing.install}`,
    hasWatches: true,
    async open() {
      const runDir = mkdtempSync('/tmp/yunmen-');
      const token = randomHex(32);
      const process = await startLauncher(runDir, token, tier);
      const launcher = await connectLauncher({ runDir, token, onGone: () => {} });
      return {
        launcher,
        runDir,
        async close() {
          const exited = once(process, 'exit');
          launcher.close();
          await exited;
          rmSync(runDir, { recursive: true, force: true });
        },
      };
    },
  };
  testLauncher(suite);
  if (tier === 'none') testSpares(suite);
}

test('who does not know the token cannot use the launcher, and nobody can take it over', async () => {
  const runDir = mkdtempSync('/tmp/yunmen-');
  const token = randomHex(32);
  const process = await startLauncher(runDir, token, 'none');
  const onGone = () => assert.fail('the launcher went');
  await assert.rejects(connectLauncher({ runDir, token: randomHex(32), onGone }));
  await assert.rejects(connectLauncher({ runDir, token: '', onGone }));
  const owner = await connectLauncher({ runDir, token, onGone });
  await assert.rejects(connectLauncher({ runDir, token, onGone }));
  assert.ok((await owner.interpreters()).length > 0);
  const exited = once(process, 'exit');
  owner.close();
  await exited;
  rmSync(runDir, { recursive: true, force: true });
});
