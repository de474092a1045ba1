// How instances end in each tier of root's server that can run here. Two tiers at a time: most of each is
// waiting. Tier none is of torture: the contract tests try its ends without a server.
import { describe } from 'node:test';
import { isTorture } from '../../scripts/test/torture.ts';
import { findSandd, isolationTiers, probeSandd } from '../../src/functions/index.ts';
import { describeEndsSuite } from './ends-suite.ts';

const sandd = await findSandd();
const probed = sandd.ok ? await probeSandd(sandd.path) : new Map<string, string>();

describe('of root', { concurrency: 2 }, () => {
  for (const tier of isolationTiers) {
    if (tier === 'none' && !isTorture) continue;
    const result = tier === 'none' ? 'ok' : (probed.get(tier) ?? 'the probe did not end');
    const skip = !sandd.ok ? sandd.why : result === 'ok' ? false : result;
    const isBrief = tier !== 'strong';
    describeEndsSuite({
      title: `tier ${tier}`,
      tier,
      launcher: 'sandd',
      hasSpares: tier !== 'restricted',
      isBrief,
      skip,
    });
  }
});
