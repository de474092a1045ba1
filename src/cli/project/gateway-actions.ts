// The CloudAPI calls by which deployment.ts makes groups, APIs, stages and grants.
import { type JsonRecord, readNumber, readRecord, readRecords, readText } from '../client/json.ts';
import { type ApiTarget, callCloudApi } from '../client/openapi.ts';
import { failed } from '../errors.ts';

/** An API in a stage. */
export type StagedApi = { readonly groupId: string; readonly apiId: string; readonly stage: string };

const pageSize = 50;
/** Twenty times what an account may hold; more is a server that never ends its list. */
const pageLimit = 400;

/** The id of the group of exactly this name, made when there is none. */
export async function findOrCreateGroup(target: ApiTarget, name: string, description: string): Promise<string> {
  const groups = await readPages(target, 'DescribeApiGroups', { GroupName: name }, [
    'ApiGroupAttributes',
    'ApiGroupAttribute',
  ]);
  const found = groups.find((group) => readText(group, 'GroupName') === name);
  const group = found ?? (await callCloudApi(target, 'CreateApiGroup', { GroupName: name, Description: description }));
  return requireText(group, 'GroupId', 'CreateApiGroup');
}

/** API name → API id of all drafts of a group. */
export async function findApis(target: ApiTarget, groupId: string): Promise<ReadonlyMap<string, string>> {
  const apis = await readPages(target, 'DescribeApis', { GroupId: groupId }, ['ApiSummarys', 'ApiSummary']);
  return new Map(apis.map((api) => [readText(api, 'ApiName') ?? '', readText(api, 'ApiId') ?? '']));
}

/** Modifies the API of that id, or creates one. Returns its id. */
export async function createOrModifyApi(
  target: ApiTarget,
  groupId: string,
  apiId: string | null,
  wire: Readonly<Record<string, string>>,
): Promise<string> {
  if (apiId !== null) {
    await callCloudApi(target, 'ModifyApi', { GroupId: groupId, ApiId: apiId, ...wire });
    return apiId;
  }
  return requireText(await callCloudApi(target, 'CreateApi', { GroupId: groupId, ...wire }), 'ApiId', 'CreateApi');
}

export async function deployApi(target: ApiTarget, api: StagedApi): Promise<void> {
  await callCloudApi(target, 'DeployApi', { ...stageParameters(api), Description: 'yunmen dev' });
}

export async function grantApi(target: ApiTarget, api: StagedApi, appId: number): Promise<void> {
  await callCloudApi(target, 'SetAppsAuthorities', { ...stageParameters(api), AppIds: String(appId) });
}

export async function abolishAndDeleteApi(target: ApiTarget, api: StagedApi): Promise<void> {
  await callCloudApi(target, 'AbolishApi', stageParameters(api));
  await callCloudApi(target, 'DeleteApi', { GroupId: api.groupId, ApiId: api.apiId });
}

/** All rows of a paged listing whose rows are at `answer[list[0]][list[1]]`. */
export async function readPages(
  target: ApiTarget,
  action: string,
  parameters: Readonly<Record<string, string>>,
  list: readonly [string, string],
): Promise<readonly JsonRecord[]> {
  const rows: JsonRecord[] = [];
  for (let page = 1; page <= pageLimit; page++) {
    const answer = await callCloudApi(target, action, {
      ...parameters,
      PageNumber: String(page),
      PageSize: String(pageSize),
    });
    const found = readRecords(readRecord(answer, list[0]), list[1]);
    rows.push(...found);
    if (found.length === 0 || rows.length >= (readNumber(answer, 'TotalCount') ?? 0)) return rows;
  }
  throw failed(`${action} goes on after ${pageLimit} pages`);
}

export function requireText(answer: JsonRecord, name: string, action: string): string {
  const text = readText(answer, name);
  if (text === null) throw failed(`the answer of ${action} has no ${name}`);
  return text;
}

function stageParameters(api: StagedApi): Record<string, string> {
  return { GroupId: api.groupId, ApiId: api.apiId, StageName: api.stage };
}
