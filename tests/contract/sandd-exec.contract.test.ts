// Further processes in running instances, in each tier that works here.
import { findSandd, type IsolationTier, probeSandd } from '../../src/functions/index.ts';
import type { Exit } from '../../src/functions/launcher/port.ts';
import { type ExecBench, execSuite } from '../../src/functions/launcher/suite-exec.ts';
import { openSandd, prepareInstance } from './sandd-open.ts';

const found = await findSandd();
const path = found.ok ? found.path : '';
const results: ReadonlyMap<string, string> = found.ok ? await probeSandd(path) : new Map();

for (const tier of ['none', 'restricted', 'user', 'strong'] as const) {
  execSuite({ tier, skip: missing(tier), open: (script) => open(tier, script) });
}

/** Why the tier cannot be had here, or false. */
function missing(tier: IsolationTier): string | false {
  if (!found.ok) return found.why;
  const result = tier === 'none' ? 'ok' : (results.get(tier) ?? 'the probe did not end');
  return result === 'ok' ? false : result;
}

/** Starts the script; resolves when it has written `up`. */
async function open(tier: IsolationTier, script: string): Promise<ExecBench> {
  const opened = await openSandd(path, tier);
  const { launcher, runDir, token } = opened;
  let written = '';
  let wake = () => {};
  const until = async (text: string) => {
    while (!written.includes(text)) await new Promise<void>((resolve) => (wake = resolve));
  };
  const exited = new Promise<Exit>((resolve) => launcher.onExited(resolve));
  const { spec, close } = prepareInstance(opened, ['/bin/sh', '-c', script], (text) => {
    written += text;
    wake();
  });
  const environment = { ...spec.environment, PATH: '/usr/bin:/bin' };
  await launcher.start({ ...spec, environment });
  await until('up');
  const { instanceId, codeDirectory } = spec;
  const directory = tier === 'user' || tier === 'strong' ? '/code' : codeDirectory;
  return {
    launcher,
    runDir,
    token,
    instanceId,
    directory,
    exited,
    until,
    async close() {
      await opened.close();
      close();
    },
  };
}
