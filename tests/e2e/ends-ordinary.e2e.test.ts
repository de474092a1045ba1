// How instances end in what an ordinary user's server has for them: the tiers of the native launcher, and those of the one that
// is taken where that cannot be built; the weakest of the one and the strongest of the other under torture only. Three places at a time: most of each is waiting.
import { describe } from 'node:test';
import { isTorture } from '../../scripts/test/torture.ts';
import { findSandd, isolationTiers, probeIsolation } from '../../src/functions/index.ts';
import { ordinaryNetworksLack, probeAsOrdinary } from '../harness/ordinary.ts';
import { describeEndsSuite, type Place } from './ends-suite.ts';

const sandd = await findSandd();
const isRoot = process.getuid?.() === 0;
const lacks = isRoot ? (sandd.ok ? null : sandd.why) : 'it takes root to become somebody else';
const probed = sandd.ok && isRoot ? probeAsOrdinary(sandd.path) : new Map<string, string>();
const network = sandd.ok && isRoot ? ordinaryNetworksLack(sandd.path) : null;
const bubblewrap = (await probeIsolation()).missing.find(({ tier }) => tier === 'user');

const native = isolationTiers
  .filter((tier) => tier !== 'strong' && (isTorture || tier !== 'none'))
  .map((tier): Place => {
    const result = tier === 'none' ? 'ok' : (probed.get(tier) ?? 'the probe did not end');
    const skip = lacks ?? (result === 'ok' ? false : result);
    const carrier = tier === 'user' && network === null ? { carrier: 'pasta' } : {};
    return {
      title: `tier ${tier}`,
      tier,
      launcher: 'sandd',
      options: { isOrdinary: true },
      isBrief: true,
      skip,
      ...carrier,
    };
  });
const other = (isTorture ? (['user', 'none'] as const) : (['none'] as const)).map((tier): Place => {
  const skip = lacks ?? (tier === 'user' && bubblewrap !== undefined ? bubblewrap.why : false);
  const title = `tier ${tier} of the launcher in Node`;
  const lastEnd = tier === 'none' ? ({ lastEnd: 'the next start' } as const) : {};
  return {
    title,
    tier,
    launcher: 'node',
    options: { isWithoutSandd: true },
    isBrief: true,
    ...lastEnd,
    skip,
  };
});

describe('of an ordinary user', { concurrency: 3 }, () => {
  for (const place of [...native, ...other]) describeEndsSuite(place);
});
