// Further processes in running instances, in each tier that works here.
import { findSandd, type IsolationTier, probeSandd } from '../../src/functions/index.ts';
import { execSuite } from '../../src/functions/launcher/suite-exec.ts';
import { openForExec } from './sandd-open.ts';

const found = await findSandd();
const path = found.ok ? found.path : '';
const results: ReadonlyMap<string, string> = found.ok ? await probeSandd(path) : new Map();

for (const tier of ['none', 'restricted', 'user', 'strong'] as const) {
  execSuite({ tier, skip: missing(tier), open: (script) => openForExec(path, tier, script) });
}

/** Why the tier cannot be had here, or false. */
function missing(tier: IsolationTier): string | false {
  if (!found.ok) return found.why;
  const result = tier === 'none' ? 'ok' : (results.get(tier) ?? 'the probe did not end');
  return result === 'ok' ? false : result;
}
