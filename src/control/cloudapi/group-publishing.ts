// What data processes are told of a group: its own row and the domains bound to it. Called by the actions that change either.
import type { PublishedDomain, PublishedGroup } from '../../model/published.ts';
import type { WriteTransaction } from '../../store/port.ts';
import type { DomainRow, GroupRow } from '../../store/rows.ts';
import { publishedOptions } from './group-options.ts';

/** More than a group may have. */
const domainLimit = 100;

function publishedDomain(domain: DomainRow): PublishedDomain {
  return {
    host: domain.domainName,
    stage: domain.bindStage,
    redirectsToHttps: domain.redirectsToHttps,
    patterns: domain.patterns,
    isIntranet: domain.domainType === 'INTRANET',
  };
}

export async function publishGroup(tx: WriteTransaction, group: GroupRow): Promise<void> {
  const domains = await tx.rows.domains.find('groupId', group.groupId, domainLimit);
  const options = publishedOptions(group.options ?? {});
  const published: PublishedGroup = {
    groupId: group.groupId,
    regionId: group.regionId,
    subDomain: group.subDomain,
    basePath: group.basePath,
    domains: domains.map(publishedDomain),
    isClassic: group.isClassic ?? false,
    stripsAppCode: group.stripsAppCode ?? false,
    ...(options === null ? {} : { options }),
    ...group.network,
  };
  return tx.publish('group', group.groupId, published);
}

/** Takes away what belongs to a group that is deleted. */
export async function withdrawDomains(tx: WriteTransaction, groupId: string): Promise<void> {
  for (const { domainName } of await tx.rows.domains.find('groupId', groupId, domainLimit)) {
    await tx.rows.domains.delete(domainName);
    await tx.publish('certificate', domainName, null);
  }
}
