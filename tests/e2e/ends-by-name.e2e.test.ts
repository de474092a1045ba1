// How instances end in each tier of root's server that can run here.
import { findSandd, isolationTiers, probeSandd } from '../../src/functions/index.ts';
import { describeEnds } from './ends-suite.ts';

const sandd = await findSandd();
const probed = sandd.ok ? await probeSandd(sandd.path) : new Map<string, string>();

for (const tier of isolationTiers) {
  const result = tier === 'none' ? 'ok' : (probed.get(tier) ?? 'the probe did not end');
  const skip = !sandd.ok ? sandd.why : result === 'ok' ? false : result;
  describeEnds({ title: `tier ${tier}`, tier, launcher: 'sandd', hasSpares: tier !== 'restricted', skip });
}
