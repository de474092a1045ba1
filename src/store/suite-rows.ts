// Rows for tests of the store, whole but small. Used by suite.ts and the tests beside it.
import type { AppRow, FunctionRow, GrantRow, GroupRow, VersionRow } from './rows.ts';

export function groupRow(groupId: string, groupName = `name of ${groupId}`): GroupRow {
  return {
    groupId,
    groupName,
    description: '',
    basePath: '/',
    subDomain: `${groupId}-cn-hangzhou.alicloudapi.com`,
    regionId: 'cn-hangzhou',
    stages: [{ stageId: 's', stageName: 'RELEASE', description: '' }],
    tags: [{ key: 'owner', value: '云' }],
    createdAt: 1,
    modifiedAt: 2,
  };
}

export function appRow(appId: number, appKey = `key${appId}`): AppRow {
  return {
    appId,
    appName: `app ${appId}`,
    description: '',
    appKey,
    appSecret: `secret-of-${appId}`,
    appCode: `code-of-${appId}`,
    extend: '',
    tags: [],
    createdAt: 1,
    modifiedAt: 2,
  };
}

export function grantRow(appId: number, apiId: string): GrantRow {
  return { appId, apiId, groupId: 'g', stage: 'RELEASE', expiresAt: null, description: '', createdAt: 1 };
}

export function functionRow(serviceName: string | null, functionName: string): FunctionRow {
  return {
    key: serviceName === null ? functionName : `${serviceName}/${functionName}`,
    serviceName,
    functionName,
    functionId: 'id',
    settings: { environmentVariables: { TOKEN: 'secret-of-function' } },
    packageSha256: 'ab',
    codeChecksum: '1',
    codeSizeBytes: 1,
    etag: 'e',
    createdAt: 1,
    modifiedAt: 2,
  };
}

export function versionRow(owner: string, versionId: string): VersionRow {
  return { owner, versionId, description: '', service: null, createdAt: 1, modifiedAt: 2 };
}
