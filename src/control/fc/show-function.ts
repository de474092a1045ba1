// What answers tell of a function, in the spelling of the asked version; the catalogue picks the members.
import type { FunctionRow } from '../../store/rows.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import type { FcAnswer, FcCall } from './call.ts';
import { initializerOf } from './function-settings.ts';
import { fc3Name } from './names.ts';
import { settingsOf } from './publishing.ts';

/** Members of FC 3 that a function of FC 2 has under other names. Source: docs. */
function asFc3(row: FunctionRow): Readonly<Record<string, unknown>> {
  const settings = settingsOf(row);
  if (row.serviceName === null) return settings;
  const hook = initializerOf(settings);
  if (hook === null) return settings;
  return {
    ...settings,
    instanceLifecycleConfig: { initializer: { handler: hook.handler, timeout: hook.timeoutMs / 1000 } },
  };
}

export function showFunction(call: FcCall, row: FunctionRow): Readonly<Record<string, unknown>> {
  const common = {
    functionId: row.functionId,
    codeChecksum: row.codeChecksum,
    codeSize: row.codeSizeBytes,
    createdTime: formatUtcSeconds(row.createdAt),
    lastModifiedTime: formatUtcSeconds(row.modifiedAt),
  };
  if (call.version !== '2023-03-30') return { ...row.settings, ...common, functionName: row.functionName };
  const { accountId, regionId } = call.deps.account;
  const name = fc3Name(row);
  return {
    ...asFc3(row),
    ...common,
    functionName: name,
    layers: (row.layers ?? []).map(({ arn, sizeBytes }) => ({ arn, size: sizeBytes })),
    tags: (row.tags ?? []).map(({ key, value }) => ({ Key: key, Value: value })),
    functionArn: `acs:fc:${regionId}:${accountId}:functions/${name}`,
    state: 'Active',
    lastUpdateStatus: 'Successful',
  };
}

/** With headers of ours: what keeps its instances apart, and which network they have, by what. The document is the cloud's, in which there is no such member. */
export function functionAnswer(call: FcCall, row: FunctionRow): FcAnswer {
  const { isolation, network, carrier } = call.deps.health();
  const headers = {
    'x-yunmen-isolation': isolation,
    'x-yunmen-network': carrier === null ? network : `${network}, ${carrier}`,
  };
  return { kind: 'json', value: showFunction(call, row), etag: row.etag, headers };
}
