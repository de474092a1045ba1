// Actions on the domains of a group: binding, wildcard patterns. Their certificates: domain-certificates.ts.
import type { StageName } from '../../model/api.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { DomainRow, GroupRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { showCertificate } from './domain-certificates.ts';
import { getDomain } from './domain-lookup.ts';
import { publishGroup } from './group-publishing.ts';
import { getGroup, readStage } from './lookup.ts';

/** Of each type, wildcard domains included. Source: docs. */
const perGroup = 5;

const hostForm = /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$/;
/** Domains that the gateway gives itself. */
const ownForm = /(^|\.)alicloudapi\.com$|^[0-9a-f]{32}\.localhost$|^(\d+\.){3}\d+$/;

/** Lower case. Errors: InvalidDomainName. */
export function readDomainName(args: Arguments): string {
  const name = args.text('DomainName').trim().toLowerCase();
  if (name.length <= 253 && hostForm.test(name) && !ownForm.test(name)) return name;
  throw openApiError(
    'InvalidDomainName',
    `The parameter DomainName must be a domain of yours like api.example.com or *.example.com, not '${name.slice(0, 100)}'.`,
  );
}

/** Members that every answer about a domain has. The ownership check is off, so a domain is bound at once. */
export function showDomain(domain: DomainRow): Readonly<Record<string, unknown>> {
  return {
    DomainName: domain.domainName,
    DomainBindingStatus: 'BINDING',
    DomainLegalStatus: 'NORMAL',
    DomainCNAMEStatus: 'RESOLVED',
    DomainWebSocketStatus: 'CLOSE',
    BindStageName: domain.bindStage ?? '',
    CustomDomainType: domain.domainType,
    IsHttpRedirectToHttps: domain.redirectsToHttps,
    WildcardDomainPatterns: domain.patterns.length === 0 ? undefined : JSON.stringify(domain.patterns),
    ...showCertificate(domain),
  };
}

function readBindStage(args: Arguments): StageName | null {
  return (args.optionalText('BindStageName') ?? '') === '' ? null : readStage(args, 'BindStageName');
}

/** Takes the domain from the group that has it. Errors: DomainAlreadyBind without IsForce. Source: docs. */
async function release(tx: WriteTransaction, domain: DomainRow, isForced: boolean): Promise<void> {
  if (!isForced) {
    throw openApiError(
      'DomainAlreadyBind',
      `The domain ${domain.domainName} is bound to another group; IsForce takes it.`,
    );
  }
  await tx.rows.domains.delete(domain.domainName);
  await tx.publish('certificate', domain.domainName, null);
  const group = await tx.rows.groups.get(domain.groupId);
  if (group !== null) await publishGroup(tx, group);
}

async function refuseMore(tx: ReadTransaction, group: GroupRow, domain: DomainRow): Promise<void> {
  const others = await tx.rows.domains.find('groupId', group.groupId, 4 * perGroup);
  if (others.filter((other) => other.domainType === domain.domainType).length < perGroup) return;
  throw openApiError('ExceedLimitDomain', `A group may have at most ${perGroup} ${domain.domainType} domains.`);
}

/**
 * Binds a domain, or changes how it is bound to the same group. That it belongs to the caller is not checked: a server of
 * one's own has nobody to ask.
 */
export const setDomain: RpcAction = async ({ args, deps }) => {
  const domainName = readDomainName(args);
  const asked: DomainRow = {
    domainName,
    groupId: args.text('GroupId'),
    bindStage: readBindStage(args),
    domainType: args.optionalText('CustomDomainType') === 'INTRANET' ? 'INTRANET' : 'INTERNET',
    redirectsToHttps: args.optionalBoolean('IsHttpRedirectToHttps') ?? false,
    patterns: [],
    certificate: null,
    createdAt: deps.clock.now(),
  };
  const { group, domain } = await commit(deps, async (tx) => {
    const group = await getGroup(tx, asked.groupId);
    const old = await tx.rows.domains.get(domainName);
    if (old !== null && old.groupId === group.groupId) {
      const { patterns, certificate, createdAt } = old;
      const changed = { ...asked, patterns, certificate, createdAt };
      await tx.rows.domains.update(changed);
      await publishGroup(tx, group);
      return { group, domain: changed };
    }
    if (old !== null) await release(tx, old, args.optionalBoolean('IsForce') ?? false);
    await refuseMore(tx, group, asked);
    await tx.rows.domains.insert(asked);
    await publishGroup(tx, group);
    return { group, domain: asked };
  });
  return { ...showDomain(domain), GroupId: group.groupId, SubDomain: group.subDomain };
};

/** A domain that is not bound still succeeds. Source: docs. */
export const deleteDomain: RpcAction = async ({ args, deps }) => {
  const name = args.text('DomainName').trim().toLowerCase();
  await commit(deps, async (tx) => {
    const group = await getGroup(tx, args.text('GroupId'));
    const domain = await tx.rows.domains.get(name);
    if (domain === null || domain.groupId !== group.groupId) return;
    await tx.rows.domains.delete(name);
    await tx.publish('certificate', name, null);
    await publishGroup(tx, group);
  });
  return {};
};

export const describeDomain: RpcAction = async ({ args, deps }) =>
  deps.store.read(async (tx) => {
    const domain = await getDomain(tx, args.text('GroupId'), args.text('DomainName').trim().toLowerCase());
    const group = await getGroup(tx, domain.groupId);
    return { ...showDomain(domain), GroupId: group.groupId, SubDomain: group.subDomain };
  });

/**
 * A JSON list or a comma list of `{Name}.example.com`, or `${Name}.example.com`. Errors: InvalidWildcardDomainPatterns.
 * Source: sdk (the example at DescribeApiGroup's member) for the list and the braces; the others are assumed.
 */
function readPatterns(text: string, domainName: string): string[] {
  const invalid = (detail: string): never => {
    throw openApiError(
      'InvalidWildcardDomainPatterns',
      `The parameter WildcardDomainPatterns ${detail}; write them like {Name}${domainName.slice(1)}.`,
    );
  };
  let items: unknown = text.split(',');
  if (text.trimStart().startsWith('[')) {
    try {
      items = JSON.parse(text);
    } catch {
      return invalid('is not valid JSON');
    }
  }
  if (!Array.isArray(items)) return invalid('is no list');
  const patterns = items.map((item) => String(item).trim()).filter((item) => item !== '');
  if (patterns.length > 20) return invalid('may hold at most 20 patterns');
  const suffix = domainName.slice(1);
  for (const pattern of patterns) {
    const first = pattern.toLowerCase().endsWith(suffix) ? pattern.slice(0, -suffix.length) : '';
    if (!/^([a-z0-9-]*\$?\{[A-Za-z][A-Za-z0-9_]*\})+[a-z0-9-]*$/.test(first))
      return invalid(`holds '${pattern.slice(0, 100)}'`);
  }
  return patterns;
}

export const setWildcardDomainPatterns: RpcAction = async ({ args, deps }) => {
  const name = readDomainName(args);
  if (!name.startsWith('*.')) throw openApiError('InvalidDomainName', `The domain ${name} is no wildcard domain.`);
  const patterns = readPatterns(args.optionalText('WildcardDomainPatterns') ?? '', name);
  await commit(deps, async (tx) => {
    const domain = await getDomain(tx, args.text('GroupId'), name);
    await tx.rows.domains.update({ ...domain, patterns });
    await publishGroup(tx, await getGroup(tx, domain.groupId));
  });
  return {};
};
