// The launcher's contract on sandd, in each tier that works here; and who may talk to it.
import { mkdtempSync, rmSync } from 'node:fs';
import { randomHex } from '../../src/base/ids.ts';
import { connectSandd, findInterpreters, findSandd, startSandd } from '../../src/functions/index.ts';
import { testLauncher } from '../../src/functions/launcher/suite.ts';

const found = await findSandd();

for (const tier of ['none', 'user', 'strong'] as const) {
  testLauncher({
    name: `sandd, tier ${tier}`,
    tier,
    skip: found.ok ? false : found.why,
    async open() {
      const runDir = mkdtempSync('/tmp/yunmen-');
      const token = randomHex(32);
      const path = found.ok ? found.path : '';
      const sandd = await startSandd({ path, runDir, token, tier, report: (text) => console.error(text) });
      const launcher = await connectSandd({ runDir, token, interpreters: findInterpreters, onGone: () => {} });
      return {
        launcher,
        runDir,
        async close() {
          launcher.close();
          await sandd.exited;
          rmSync(runDir, { recursive: true, force: true });
        },
      };
    },
  });
}
