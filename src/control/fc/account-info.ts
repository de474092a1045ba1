// Actions about the account and the region as a whole: settings, configurations, reserved capacities, regions.
import type { FcAction } from '../action.ts';
import { queryList } from './tag-lists.ts';

export const getAccountSettings: FcAction = async ({ deps }) => ({
  kind: 'json',
  value: { availableAZs: [`${deps.account.regionId}-a`], defaultRole: '' },
});

/** Values are texts; names that are not known are left out. Source: sdk. */
export const getAccountConfigs: FcAction = async ({ deps, received }) => {
  const known = [['CodeSizeLimit', String(deps.settings.codeBodyLimitBytes)]] as const;
  const wanted = queryList(received, 'config').flatMap((names) => names.split(','));
  const shown = known.filter(([name]) => wanted.length === 0 || wanted.includes(name));
  return { kind: 'json', value: Object.fromEntries(shown) };
};

/** Nothing can be bought here, so nothing is reserved. */
export const listReservedCapacities: FcAction = async () => ({ kind: 'json', value: { reservedCapacities: [] } });

/** The one region that this server is. */
export const describeRegions: FcAction = async ({ deps }) => {
  const { regionId } = deps.account;
  return { kind: 'json', value: { Regions: { Region: [{ RegionId: regionId, LocalName: regionId }] } } };
};
