// Finding groups, APIs, apps and deployments, with the errors that clients know. Used by all CloudAPI actions.
import { instanceId } from '../../model/account.ts';
import { type StageName, stageNames } from '../../model/api.ts';
import type { ReadTransaction } from '../../store/port.ts';
import type { ApiRow, AppRow, DeploymentRow, GroupRow, TagRow } from '../../store/rows.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import { openApiError } from '../errors.ts';
import type { Arguments } from '../rpc/arguments.ts';

/** Rows that one find or list call reads at once. */
export const scanLimit = 1000;
/** The one instance that groups live on. */
export const instance = { InstanceId: instanceId, InstanceType: 'VPC_SHARED' } as const;
/** Source: docs. */
export const quotas = {
  groups: 200,
  unboundGroups: 5,
  unboundGroupsBesideBound: 20,
  apisInGroup: 1000,
  apps: 1000,
  historiesOfApi: 100,
} as const;

export async function getGroup(tx: ReadTransaction, groupId: string): Promise<GroupRow> {
  const group = await tx.rows.groups.get(groupId);
  if (group === null)
    throw openApiError(
      'NotFoundApiGroup',
      `Cannot find resource [ApiGroup] according to your specified GroupId ${groupId}.`,
    );
  return group;
}

/** The API; GroupId, where given, must exist and be its group. */
export async function getApi(tx: ReadTransaction, apiId: string, groupId: string | null): Promise<ApiRow> {
  if (groupId !== null && groupId !== '') await getGroup(tx, groupId);
  const api = await tx.rows.apis.get(apiId);
  if (api === null || (groupId !== null && groupId !== '' && api.groupId !== groupId)) {
    throw openApiError('NotFoundApi', `Cannot find resource [Api] according to your specified ApiId ${apiId}.`);
  }
  return api;
}

export async function getApp(tx: ReadTransaction, appId: number): Promise<AppRow> {
  const app = await tx.rows.apps.get(String(appId));
  if (app === null)
    throw openApiError('NotFoundApp', `Cannot find resource [App] according to your specified AppId ${appId}.`);
  return app;
}

export function deploymentKey(apiId: string, stage: StageName): string {
  return `${apiId}/${stage}`;
}

export function grantKey(appId: number, apiId: string, stage: StageName): string {
  return `${appId}/${apiId}/${stage}`;
}

/** StageName; the catalogue has already brought it to its canonical spelling. */
export function readStage(args: Arguments, parameter = 'StageName'): StageName {
  const name = args.text(parameter);
  const stage = stageNames.find((known) => known === name);
  if (stage === undefined) throw openApiError('NotFoundStage', `Cannot find resource [Stage] named ${name}.`);
  return stage;
}

/** DeployedInfo of all three stages. Source: sdk; that all three always appear is assumed. */
export function deployedInfos(deployments: readonly DeploymentRow[]): object[] {
  return stageNames.map((stage) => {
    const live = deployments.find((deployment) => deployment.stage === stage);
    if (live === undefined) return { StageName: stage, DeployedStatus: 'NONDEPLOYED' };
    return { StageName: stage, DeployedStatus: 'DEPLOYED', EffectiveVersion: live.historyVersion };
  });
}

export function readTags(args: Arguments): TagRow[] {
  return args.records('Tag').map((tag) => ({ key: String(tag['Key'] ?? ''), value: String(tag['Value'] ?? '') }));
}

/** True when `tags` holds every asked one; an asked tag without a value matches any value. */
export function hasTags(tags: readonly TagRow[], asked: readonly TagRow[]): boolean {
  return asked.every((want) =>
    tags.some((tag) => tag.key === want.key && (want.value === '' || tag.value === want.value)),
  );
}

/** Tags as groups and apps show them. */
export function tagInfos(tags: readonly TagRow[]): object[] {
  return tags.map((tag) => ({ Key: tag.key, Value: tag.value }));
}

/** Tags as APIs show them. */
export function apiTags(tags: readonly TagRow[]): object[] {
  return tags.map((tag) => ({ TagKey: tag.key, TagValue: tag.value }));
}

/** Reads a whole table, in pages. For listings with filters that no index serves. */
export async function scan<Row>(
  list: (page: { startKey?: string; limit: number }) => Promise<Row[]>,
  keyOf: (row: Row) => string,
): Promise<Row[]> {
  const rows: Row[] = [];
  let page = await list({ limit: scanLimit });
  while (true) {
    rows.push(...page);
    const last = page.at(-1);
    if (page.length < scanLimit || last === undefined) return rows;
    page = await list({ startKey: `${keyOf(last)}\u0000`, limit: scanLimit });
  }
}

/** One page of a listing with the members that every paged answer has. PageNumber counts from 1. */
export function paged<Row>(
  args: Arguments,
  rows: readonly Row[],
): { readonly rows: readonly Row[]; readonly totals: object } {
  const number = args.optionalNumber('PageNumber') ?? 1;
  const size = args.optionalNumber('PageSize') ?? 10;
  if (size < 1) throw openApiError('InvalidPageSize', `The parameter PageSize must be at least 1, not ${size}.`);
  const start = (number - 1) * size;
  return {
    rows: rows.slice(start, start + size),
    totals: { TotalCount: rows.length, PageNumber: number, PageSize: size },
  };
}

/** Newest first, or by Sort=asc oldest first; equal times by id, so that pages do not overlap. */
export function byAge<Row extends { readonly createdAt: number }>(rows: readonly Row[], args: Arguments): Row[] {
  const sign = args.optionalText('Sort') === 'asc' ? 1 : -1;
  return [...rows].sort((left, right) => sign * (left.createdAt - right.createdAt));
}

export function utc(epochMs: number): string {
  return formatUtcSeconds(epochMs);
}

/** Filters of listings are fuzzy. Source: sdk (DescribeApis). */
export function isLike(text: string, asked: string | null): boolean {
  return asked === null || asked === '' || text.toLowerCase().includes(asked.toLowerCase());
}

/** Equality, or no filter. */
export function isAsked(text: string, asked: string | null): boolean {
  return asked === null || asked === '' || text === asked;
}
