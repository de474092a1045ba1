// Actions on IP controls: which addresses may call APIs.
import { randomHex } from '../../base/ids.ts';
import { isIpBlock } from '../../base/ip-ranges.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { IpControlRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { type ControlDeps, commit } from '../ports.ts';
import { isAsked, paged, utc } from './lookup.ts';
import { allPolicies, bindingActions, pageOfPolicies, refuseOneMore } from './policy-actions.ts';
import { notFound, type PolicyType, refuseBound } from './policy-bindings.ts';

const ipControl: PolicyType = {
  kind: 'ipControl',
  thing: 'IpControl',
  idName: 'IpControlId',
  nameOf: async (tx, id) => (await tx.rows.ipControls.get(id))?.name ?? null,
};

/** Source: docs. */
const bounds = { items: 100, blocks: 10 } as const;

type Item = IpControlRow['items'][number];

/** Addresses and blocks, separated by `,` or `;`. Errors: MissingCidrIp, InvalidCidrIp. */
function readBlocks(text: string): string[] {
  const blocks = text
    .split(/[,;]/)
    .map((block) => block.trim())
    .filter((block) => block !== '');
  if (blocks.length === 0) throw openApiError('MissingCidrIp', 'CidrIp is mandatory for this action.');
  if (blocks.length > bounds.blocks) {
    throw openApiError('InvalidCidrIp', `The parameter CidrIp may hold at most ${bounds.blocks} items.`);
  }
  const wrong = blocks.find((block) => !isIpBlock(block));
  if (wrong === undefined) return blocks;
  throw openApiError('InvalidCidrIp', `The parameter CidrIp holds '${wrong.slice(0, 100)}', which is no CIDR block.`);
}

function readAppId(text: string | null): number | null {
  if (text === null || text === '') return null;
  const appId = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(appId)) return appId;
  throw openApiError('InvalidAppId', `The parameter AppId must be the id of an app, not '${text.slice(0, 100)}'.`);
}

function newItem(cidrIp: string, appId: string | null, now: number): Item {
  const blocks = readBlocks(cidrIp);
  return { itemId: `P${randomHex(8)}`, appId: readAppId(appId), blocks, createdAt: now, modifiedAt: now };
}

function refuseTooMany(items: readonly Item[]): void {
  if (items.length <= bounds.items) return;
  throw openApiError('ExceedLimitIpControlPolicyItem', `An IP control may have at most ${bounds.items} items.`);
}

async function getIpControl(tx: ReadTransaction, id: string): Promise<IpControlRow> {
  const row = await tx.rows.ipControls.get(id);
  if (row === null) throw notFound(ipControl, id);
  return row;
}

function publish(tx: WriteTransaction, { ipControlId, type, items }: IpControlRow): Promise<void> {
  const value = { ipControlId, type, items: items.map(({ appId, blocks }) => ({ appId, blocks })) };
  return tx.publish('ipControl', ipControlId, value);
}

export const createIpControl: RpcAction = async ({ args, deps }) => {
  const now = deps.clock.now();
  const row: IpControlRow = {
    ipControlId: randomHex(16),
    name: args.text('IpControlName'),
    description: args.optionalText('Description') ?? '',
    type: args.text('IpControlType') === 'REFUSE' ? 'REFUSE' : 'ALLOW',
    items: args
      .records('IpControlPolicys')
      .map((item) => newItem(String(item['CidrIp'] ?? ''), item['AppId'] ? String(item['AppId']) : null, now)),
    createdAt: now,
    modifiedAt: now,
  };
  refuseTooMany(row.items);
  await commit(deps, async (tx) => {
    await refuseOneMore(ipControl, tx.rows.ipControls);
    await tx.rows.ipControls.insert(row);
    await publish(tx, row);
  });
  return { IpControlId: row.ipControlId };
};

/** Reads, changes and publishes one control; in force at once. */
async function change(deps: ControlDeps, id: string, apply: (row: IpControlRow) => IpControlRow): Promise<void> {
  await commit(deps, async (tx) => {
    const row = { ...apply(await getIpControl(tx, id)), modifiedAt: deps.clock.now() };
    refuseTooMany(row.items);
    await tx.rows.ipControls.update(row);
    await publish(tx, row);
  });
}

export const modifyIpControl: RpcAction = async ({ args, deps }) => {
  const name = args.optionalText('IpControlName') ?? '';
  await change(deps, args.text('IpControlId'), (old) => ({
    ...old,
    name: name === '' ? old.name : name,
    description: args.optionalText('Description') ?? old.description,
  }));
  return {};
};

/** An unknown id still succeeds. Source: docs. */
export const deleteIpControl: RpcAction = async ({ args, deps }) => {
  const id = args.text('IpControlId');
  await commit(deps, async (tx) => {
    await refuseBound(tx, ipControl, id);
    if (await tx.rows.ipControls.delete(id)) await tx.publish('ipControl', id, null);
  });
  return {};
};

export const addIpControlPolicyItem: RpcAction = async ({ args, deps }) => {
  const item = newItem(args.text('CidrIp'), args.optionalText('AppId'), deps.clock.now());
  await change(deps, args.text('IpControlId'), (old) => ({ ...old, items: [...old.items, item] }));
  return { PolicyItemId: item.itemId };
};

function noItem(itemId: string): Error {
  return openApiError('NotFoundIpControlPolicyItem', `The IP control has no item ${itemId.slice(0, 100)}.`);
}

/** Replaces the item's blocks, and its app: without AppId it is for every caller. Source: assumed. */
export const modifyIpControlPolicyItem: RpcAction = async ({ args, deps }) => {
  const itemId = args.text('PolicyItemId');
  const given = { appId: readAppId(args.optionalText('AppId')), blocks: readBlocks(args.text('CidrIp')) };
  await change(deps, args.text('IpControlId'), (old) => {
    if (!old.items.some((item) => item.itemId === itemId)) throw noItem(itemId);
    const modifiedAt = deps.clock.now();
    return {
      ...old,
      items: old.items.map((item) => (item.itemId === itemId ? { ...item, ...given, modifiedAt } : item)),
    };
  });
  return {};
};

export const removeIpControlPolicyItem: RpcAction = async ({ args, deps }) => {
  const itemIds = args.csv('PolicyItemIds');
  await change(deps, args.text('IpControlId'), (old) => {
    const missing = itemIds.find((itemId) => !old.items.some((item) => item.itemId === itemId));
    if (missing !== undefined) throw noItem(missing);
    return { ...old, items: old.items.filter((item) => !itemIds.includes(item.itemId)) };
  });
  return {};
};

const idOf = (row: IpControlRow) => row.ipControlId;

function allIpControls(tx: ReadTransaction): Promise<IpControlRow[]> {
  return allPolicies(tx.rows.ipControls, idOf);
}

export const describeIpControls: RpcAction = async ({ args, deps }) => {
  const all = await deps.store.read(allIpControls);
  const found = all.filter((row) => isAsked(row.type, args.optionalText('IpControlType')));
  const page = pageOfPolicies(ipControl, args, found, idOf);
  const IpControlInfos = page.rows.map((row) => ({
    IpControlId: row.ipControlId,
    IpControlName: row.name,
    Description: row.description,
    IpControlType: row.type,
    RegionId: deps.account.regionId,
    CreateTime: utc(row.createdAt),
    ModifiedTime: utc(row.modifiedAt),
  }));
  return { ...page.totals, IpControlInfos };
};

export const describeIpControlPolicyItems: RpcAction = async ({ args, deps }) => {
  const id = args.optionalText('IpControlId') ?? '';
  const rows = await deps.store.read(async (tx) => (id === '' ? allIpControls(tx) : [await getIpControl(tx, id)]));
  const found = rows
    .flatMap((row) => row.items)
    .filter((item) => isAsked(item.itemId, args.optionalText('PolicyItemId')));
  const page = paged(args, found);
  const IpControlPolicyItems = page.rows.map((item) => ({
    PolicyItemId: item.itemId,
    AppId: item.appId,
    CidrIp: item.blocks.join(';'),
    CreateTime: utc(item.createdAt),
    ModifiedTime: utc(item.modifiedAt),
  }));
  return { ...page.totals, IpControlPolicyItems };
};

export const ipControlBindings = bindingActions(ipControl, 'ApiIpControls');
