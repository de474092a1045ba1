// ModifyApiConfiguration: changes given parts of a draft, in flat parameters and other words than CreateApi.
import type { ReadTransaction } from '../../store/port.ts';
import type { ApiRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import type { NestedRecord } from '../rpc/nested.ts';
import { type ApiConfig, isNestedRecord, listNames, memberText } from './api-config.ts';
import { configOf, makeDraft } from './api-draft.ts';
import { refuseTakenPlace, refuseUnknownBackend } from './apis.ts';
import { findBackend } from './backends.ts';
import { getApi } from './lookup.ts';
import { checkValueRules } from './value-rules.ts';

/** Texts that stand in `args` under the names of `pairs`, under the names they have in a nested configuration. */
function texts(args: Arguments, pairs: readonly (readonly [parameter: string, member: string])[]): NestedRecord {
  const entries = pairs.flatMap(([parameter, member]) => {
    const text = args.optionalText(parameter) ?? '';
    return text !== '' && args.isGiven(parameter) ? [[member, text] as const] : [];
  });
  return Object.fromEntries(entries);
}

function nestedRecord(args: Arguments, name: string): NestedRecord | null {
  const value = args.nested(name);
  return isNestedRecord(value) ? value : null;
}

/** ServiceProtocol here against ServiceConfig.ServiceProtocol, with its switches. Source: docs. */
const protocols: Readonly<Record<string, NestedRecord>> = {
  Http: { ServiceProtocol: 'HTTP', Mock: 'FALSE', ServiceVpcEnable: 'FALSE' },
  Vpc: { ServiceProtocol: 'HTTP', Mock: 'FALSE', ServiceVpcEnable: 'TRUE' },
  FC: { ServiceProtocol: 'FunctionCompute', Mock: 'FALSE', ServiceVpcEnable: 'FALSE' },
  OSS: { ServiceProtocol: 'OSS', Mock: 'FALSE', ServiceVpcEnable: 'FALSE' },
  EventBridge: { ServiceProtocol: 'EventBridge', Mock: 'FALSE', ServiceVpcEnable: 'FALSE' },
  Mock: { ServiceProtocol: 'HTTP', Mock: 'TRUE', ServiceVpcEnable: 'FALSE' },
};

/** VpcConfig carries the backend's path and method here; in ServiceConfig they stand beside it. */
function pathAndMethod(vpc: NestedRecord | null): NestedRecord {
  const members = ['ServicePath', 'ServiceHttpMethod'].filter((name) => vpc?.[name] !== undefined);
  return Object.fromEntries(members.map((name) => [name, memberText(vpc ?? {}, name)]));
}

function changedService(args: Arguments, old: NestedRecord): NestedRecord {
  const timeout = args.optionalNumber('ServiceTimeout');
  const functionConfig = nestedRecord(args, 'FunctionComputeConfig');
  const vpc = nestedRecord(args, 'VpcConfig');
  const oss = nestedRecord(args, 'OssConfig');
  return {
    ...old,
    ...(protocols[args.optionalText('ServiceProtocol') ?? ''] ?? {}),
    ...texts(args, [
      ['ContentTypeCategory', 'ContentTypeCatagory'],
      ['ContentTypeValue', 'ContentTypeValue'],
    ]),
    ...(timeout === null ? {} : { ServiceTimeout: timeout }),
    ...(nestedRecord(args, 'HttpConfig') ?? {}),
    ...pathAndMethod(vpc),
    ...(nestedRecord(args, 'MockConfig') ?? {}),
    ...(functionConfig === null ? {} : { FunctionComputeConfig: functionConfig }),
    ...(vpc === null ? {} : { VpcConfig: vpc }),
    ...(oss === null ? {} : { OssConfig: oss }),
  };
}

function changed(args: Arguments, old: ApiConfig): ApiConfig {
  const lists = listNames.filter((name) => args.isGiven(name)).map((name) => [name, args.records(name)] as const);
  const request = texts(args, [
    ['RequestProtocol', 'RequestProtocol'],
    ['RequestHttpMethod', 'RequestHttpMethod'],
    ['RequestPath', 'RequestPath'],
    ['RequestMode', 'RequestMode'],
    ['BodyFormat', 'BodyFormat'],
    ['BodyModel', 'BodyModel'],
    ['PostBodyDescription', 'PostBodyDescription'],
  ]);
  const scalars = texts(
    args,
    [
      'ApiName',
      'Visibility',
      'AuthType',
      'AppCodeAuthType',
      'ResultType',
      'ResultSample',
      'FailResultSample',
      'AllowSignatureMethod',
    ].map((name) => [name, name] as const),
  );
  const given = (name: string, before: boolean) =>
    args.isGiven(name) ? (args.optionalBoolean(name) ?? before) : before;
  return {
    ...old,
    ...scalars,
    ...Object.fromEntries(lists),
    Description: args.optionalText('Description') ?? old.Description,
    ForceNonceCheck: given('ForceNonceCheck', old.ForceNonceCheck),
    DisableInternet: given('DisableInternet', old.DisableInternet),
    RequestConfig: { ...old.RequestConfig, ...request },
    ServiceConfig: changedService(args, old.ServiceConfig),
  };
}

/** A backend definition by its name, or none any more. Errors: NotFoundBackend. */
async function backendChoice(
  tx: ReadTransaction,
  args: Arguments,
): Promise<Partial<Pick<ApiConfig, 'BackendEnable' | 'BackendId'>>> {
  const isAsked = args.isGiven('UseBackendService') ? args.optionalBoolean('UseBackendService') : null;
  const name = args.optionalText('BackendName') ?? '';
  if (isAsked === false) return { BackendEnable: false, BackendId: '' };
  if (name === '') return {};
  const backend = await findBackend(tx, name);
  if (backend === null) throw openApiError('NotFoundBackend', `Cannot find resource [Backend] named ${name}.`);
  return { BackendEnable: true, BackendId: backend.backendId };
}

/** Omitted fields stay; live stages stay as they are. Source: docs. */
export const modifyApiConfiguration: RpcAction = async ({ args, deps }) => {
  if ((args.optionalText('ModelName') ?? '') !== '')
    throw openApiError('UnsupportedParameter', 'The parameter ModelName is not supported by this server.');
  await checkValueRules(args);
  const limits = { timeoutMaxMs: deps.settings.apiTimeoutMaxMs, regionId: deps.account.regionId };
  await commit(deps, async (tx) => {
    const old = await getApi(tx, args.text('ApiId'), null);
    const config = { ...changed(args, configOf(old)), ...(await backendChoice(tx, args)) };
    if (memberText(config.RequestConfig, 'RequestPath') === '')
      throw new Error(`the draft of ${old.apiId} has no request path`);
    const row: ApiRow = { ...old, ...makeDraft(config, limits), modifiedAt: deps.clock.now() };
    await refuseUnknownBackend(tx, row);
    await refuseTakenPlace(tx, row);
    await tx.rows.apis.update(row);
  });
  return {};
};
