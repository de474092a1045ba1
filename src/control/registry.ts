// Every action that is served, on one line each with its status. Operations of the catalogues that are not here are refused with the
// service's own error. Read this first to see what the control plane does.
import type { FcAction, Registered, RpcAction } from './action.ts';
import { fcVersions, loadFcCatalogue, loadRpcCatalogue, type RpcVersion, rpcVersions } from './catalogue.ts';
import { createApi, deleteApi, describeApi, describeApis, modifyApi } from './cloudapi/apis.ts';
import * as appCredentials from './cloudapi/app-credentials.ts';
import * as apps from './cloudapi/apps.ts';
import * as backendTasks from './cloudapi/backend-tasks.ts';
import * as backends from './cloudapi/backends.ts';
import * as deployments from './cloudapi/deployments.ts';
import * as certificates from './cloudapi/domain-certificates.ts';
import * as domains from './cloudapi/domains.ts';
import * as grants from './cloudapi/grants.ts';
import * as groups from './cloudapi/groups.ts';
import * as ipControls from './cloudapi/ip-controls.ts';
import * as logConfigs from './cloudapi/log-configs.ts';
import * as models from './cloudapi/models.ts';
import { modifyApiConfiguration } from './cloudapi/modify-configuration.ts';
import { modifyApiGroupNetworkPolicy, modifyIntranetDomainPolicy } from './cloudapi/network-policy.ts';
import { describeRegions, describeSystemParameters } from './cloudapi/regions.ts';
import { queryRequestLogs } from './cloudapi/request-logs.ts';
import * as signatureKeys from './cloudapi/signature-keys.ts';
import * as stages from './cloudapi/stages.ts';
import * as trafficControls from './cloudapi/traffic-controls.ts';
import * as vpcAccesses from './cloudapi/vpc-accesses.ts';
import * as accountInfo from './fc/account-info.ts';
import * as aliases from './fc/aliases.ts';
import type { FcRegistry } from './fc/endpoint.ts';
import * as functions from './fc/functions.ts';
import { instanceExec } from './fc/instance-exec.ts';
import * as limits from './fc/instance-limits.ts';
import { listInstances } from './fc/instances.ts';
import { invokeFunction } from './fc/invoke.ts';
import * as layers from './fc/layers.ts';
import * as provisions from './fc/provisions.ts';
import * as services from './fc/services.ts';
import * as tags from './fc/tags.ts';
import { getTempBucketToken, getTempCodeBucketPermission } from './fc/temporary-bucket.ts';
import * as triggers from './fc/triggers.ts';
import * as unset from './fc/unset-configs.ts';
import * as versions from './fc/versions.ts';
import type { RpcRegistry } from './rpc/endpoint.ts';

function done<Action>(run: Action): Registered<Action> {
  return { status: 'done', run };
}

function partial<Action>(run: Action, note: string): Registered<Action> {
  return { status: 'partial', run, note };
}

const deliveredHere =
  'the access log (LogType PROVIDER or log), to <data directory>/logs/<SlsProject>/<SlsLogStore>.jsonl: there is no Log Service';

const cloudApi: Readonly<Record<string, Registered<RpcAction>>> = {
  AbolishApi: done(deployments.abolishApi),
  AddIpControlPolicyItem: done(ipControls.addIpControlPolicyItem),
  AddTrafficSpecialControl: done(trafficControls.addTrafficSpecialControl),
  CreateApi: partial(createApi, 'OSS and EventBridge backends are kept but not called (D504CO)'),
  CreateApiGroup: done(groups.createApiGroup),
  CreateApiStageVariable: done(stages.createApiStageVariable),
  CreateApp: done(apps.createApp),
  CreateAppCode: done(appCredentials.createAppCode),
  CreateAppKey: done(appCredentials.createAppKey),
  CreateBackend: done(backends.createBackend),
  CreateBackendModel: done(backends.createBackendModel),
  CreateIpControl: done(ipControls.createIpControl),
  CreateLogConfig: partial(logConfigs.createLogConfig, deliveredHere),
  CreateModel: done(models.createModel),
  CreateSignature: done(signatureKeys.createSignature),
  CreateTrafficControl: done(trafficControls.createTrafficControl),
  DeleteAllTrafficSpecialControl: done(trafficControls.deleteAllTrafficSpecialControl),
  DeleteApi: done(deleteApi),
  DeleteApiGroup: done(groups.deleteApiGroup),
  DeleteApiStageVariable: done(stages.deleteApiStageVariable),
  DeleteApp: done(apps.deleteApp),
  DeleteAppCode: done(appCredentials.deleteAppCode),
  DeleteAppKey: done(appCredentials.deleteAppKey),
  DeleteBackend: done(backends.deleteBackend),
  DeleteBackendModel: done(backends.deleteBackendModel),
  DeleteDomain: done(domains.deleteDomain),
  DeleteDomainCertificate: done(certificates.deleteDomainCertificate),
  DeleteIpControl: done(ipControls.deleteIpControl),
  DeleteLogConfig: done(logConfigs.deleteLogConfig),
  DeleteModel: done(models.deleteModel),
  DeleteSignature: done(signatureKeys.deleteSignature),
  DeleteTrafficControl: done(trafficControls.deleteTrafficControl),
  DeleteTrafficSpecialControl: done(trafficControls.deleteTrafficSpecialControl),
  DeployApi: done(deployments.deployApi),
  DescribeApi: done(describeApi),
  DescribeApiGroup: done(groups.describeApiGroup),
  DescribeApiGroups: done(groups.describeApiGroups),
  DescribeApiHistories: done(deployments.describeApiHistories),
  DescribeApiHistory: done(deployments.describeApiHistory),
  DescribeApiIpControls: done(ipControls.ipControlBindings.ofGroup),
  DescribeApiSignatures: done(signatureKeys.signatureKeyBindings.ofGroup),
  DescribeApiStage: done(stages.describeApiStage),
  DescribeApiTrafficControls: done(trafficControls.trafficControlBindings.ofGroup),
  DescribeApis: done(describeApis),
  DescribeApisByBackend: done(backends.describeApisByBackend),
  DescribeApisByIpControl: done(ipControls.ipControlBindings.apis),
  DescribeApisBySignature: done(signatureKeys.signatureKeyBindings.apis),
  DescribeApisByTrafficControl: done(trafficControls.trafficControlBindings.apis),
  DescribeApisByVpcAccess: done(vpcAccesses.describeApisByVpcAccess),
  DescribeApp: done(apps.describeApp),
  DescribeAppAttributes: done(apps.describeAppAttributes),
  DescribeAppSecurities: done(appCredentials.describeAppSecurities),
  DescribeAppSecurity: done(apps.describeAppSecurity),
  DescribeApps: done(apps.describeApps),
  DescribeAuthorizedApis: done(grants.describeAuthorizedApis),
  DescribeAuthorizedApps: done(grants.describeAuthorizedApps),
  DescribeBackendInfo: done(backends.describeBackendInfo),
  DescribeBackendList: done(backends.describeBackendList),
  DescribeDeployedApi: done(deployments.describeDeployedApi),
  DescribeDeployedApis: done(deployments.describeDeployedApis),
  DescribeDomain: done(domains.describeDomain),
  DescribeIpControlPolicyItems: done(ipControls.describeIpControlPolicyItems),
  DescribeIpControls: done(ipControls.describeIpControls),
  DescribeLogConfig: done(logConfigs.describeLogConfig),
  DescribeModels: done(models.describeModels),
  DescribeRegions: done(describeRegions),
  DescribeSignatures: done(signatureKeys.describeSignatures),
  DescribeSignaturesByApi: done(signatureKeys.describeSignaturesByApi),
  DescribeSystemParameters: done(describeSystemParameters),
  DescribeTrafficControls: done(trafficControls.describeTrafficControls),
  DescribeTrafficControlsByApi: done(trafficControls.describeTrafficControlsByApi),
  DescribeVpcAccesses: done(vpcAccesses.describeVpcAccesses),
  ModifyApi: partial(modifyApi, 'as CreateApi'),
  ModifyApiConfiguration: partial(modifyApiConfiguration, 'as CreateApi'),
  ModifyApiGroup: partial(
    groups.modifyApiGroup,
    'all but RpcPattern, of which no document says what it does; CompatibleFlags classic or none, CustomerConfigs removeResponseServerHeader',
  ),
  ModifyApiGroupNetworkPolicy: partial(
    modifyApiGroupNetworkPolicy,
    'all but InternetIPV6Enable and VpcSlbIntranetEnable; TLS 1.3 is taken with every HttpsPolicy',
  ),
  ModifyApp: partial(apps.modifyApp, 'an app cannot be disabled'),
  DescribeUpdateBackendTask: done(backendTasks.describeUpdateBackendTask),
  ModifyBackend: done(backends.modifyBackend),
  ModifyBackendModel: done(backends.modifyBackendModel),
  ModifyIntranetDomainPolicy: done(modifyIntranetDomainPolicy),
  ModifyIpControl: done(ipControls.modifyIpControl),
  ModifyIpControlPolicyItem: done(ipControls.modifyIpControlPolicyItem),
  ModifyLogConfig: partial(logConfigs.modifyLogConfig, deliveredHere),
  ModifyModel: done(models.modifyModel),
  ModifySignature: done(signatureKeys.modifySignature),
  ModifyTrafficControl: done(trafficControls.modifyTrafficControl),
  QueryRequestLogs: done(queryRequestLogs),
  RemoveApisAuthorities: done(grants.removeApisAuthorities),
  RemoveAppsAuthorities: done(grants.removeAppsAuthorities),
  RemoveIpControlApis: done(ipControls.ipControlBindings.unbind),
  RemoveIpControlPolicyItem: done(ipControls.removeIpControlPolicyItem),
  RemoveSignatureApis: done(signatureKeys.signatureKeyBindings.unbind),
  RemoveTrafficControlApis: done(trafficControls.trafficControlBindings.unbind),
  RemoveVpcAccess: done(vpcAccesses.removeVpcAccess),
  ResetAppCode: done(appCredentials.resetAppCode),
  ResetAppSecret: done(appCredentials.resetAppSecret),
  SetApisAuthorities: done(grants.setApisAuthorities),
  SetAppsAuthorities: done(grants.setAppsAuthorities),
  SetDomain: done(domains.setDomain),
  SetDomainCertificate: done(certificates.setDomainCertificate),
  SetIpControlApis: done(ipControls.ipControlBindings.bind),
  SetSignatureApis: done(signatureKeys.signatureKeyBindings.bind),
  SetTrafficControlApis: done(trafficControls.trafficControlBindings.bind),
  SetVpcAccess: done(vpcAccesses.setVpcAccess),
  SetWildcardDomainPatterns: done(domains.setWildcardDomainPatterns),
  SwitchApi: done(deployments.switchApi),
};

const noNetwork =
  'VPCs and mounts are kept but not acted on; of tracing functions are told, no spans are sent for them';
const asZip = `code as a zip in the body or in the temporary bucket, containers as servers from images that the operator has fetched; no GPUs or session affinity; ${noNetwork}; customDNS and diskSize are kept, /tmp holds 512 MB; a process may have 16,384 files open; cpu is held in tier strong, and in user with delegated control groups`;

/** Functions are the same in the three versions, and so are aliases, of services or of functions. */
const functionActions: Readonly<Record<string, Registered<FcAction>>> = {
  CreateAlias: done(aliases.createAlias),
  CreateFunction: partial(functions.createFunction, asZip),
  DeleteAlias: done(aliases.deleteAlias),
  DeleteFunction: done(functions.deleteFunction),
  GetAlias: done(aliases.getAliasAction),
  GetFunction: done(functions.getFunctionAction),
  GetFunctionCode: done(functions.getFunctionCode),
  InvokeFunction: partial(invokeFunction, 'synchronous'),
  ListAliases: done(aliases.listAliases),
  ListFunctions: done(functions.listFunctions),
  UpdateAlias: done(aliases.updateAlias),
  UpdateFunction: partial(functions.updateFunction, asZip),
};

const onlyHttp = 'triggers of type http; through them no WebSocket and no asynchronous calls';

const provisionActions: Readonly<Record<string, Registered<FcAction>>> = {
  GetProvisionConfig: done(provisions.getProvisionConfig),
  InstanceExec: partial(
    instanceExec,
    'where functions run by the native launcher; in tier restricted without a view of the function itself',
  ),
  ListInstances: done(listInstances),
  ListProvisionConfigs: done(provisions.listProvisionConfigs),
  PutProvisionConfig: done(provisions.putProvisionConfig),
};

const triggerActions: Readonly<Record<string, Registered<FcAction>>> = {
  CreateTrigger: partial(triggers.createTrigger, onlyHttp),
  DeleteTrigger: done(triggers.deleteTrigger),
  GetTrigger: done(triggers.getTriggerAction),
  ListTriggers: done(triggers.listTriggers),
  UpdateTrigger: partial(triggers.updateTrigger, onlyHttp),
};

const neverSet = 'always AsyncConfigNotExists: asynchronous invocation cannot be configured';
const neverListed = 'always empty: asynchronous invocation cannot be configured';
const neverBound = 'always empty: VPC bindings cannot be made';

/** The name of the one that makes a version differs. */
const layerActions: Readonly<Record<string, Registered<FcAction>>> = {
  DeleteLayerVersion: done(layers.deleteLayerVersion),
  GetLayerVersion: done(layers.getLayerVersionAction),
  ListLayers: done(layers.listLayers),
  ListLayerVersions: done(layers.listLayerVersions),
  PutLayerACL: done(layers.putLayerAcl),
};

const serviceActions: Readonly<Record<string, Registered<FcAction>>> = {
  CreateService: partial(services.createService, noNetwork),
  DeleteService: done(services.deleteService),
  GetAccountSettings: done(accountInfo.getAccountSettings),
  GetResourceTags: done(tags.getResourceTags),
  GetService: done(services.getServiceAction),
  ListReservedCapacities: done(accountInfo.listReservedCapacities),
  ListServices: done(services.listServices),
  TagResource: done(tags.tagResource),
  UntagResource: done(tags.untagResource),
  UpdateService: partial(services.updateService, noNetwork),
};

export const rpcRegistry: RpcRegistry = { '2016-07-14': cloudApi, '2017-05-25': {} };

export const fcRegistry: FcRegistry = {
  '2016-08-15': {
    ...functionActions,
    ...serviceActions,
    ...layerActions,
    ...triggerActions,
    ...provisionActions,
    DeleteOnDemandConfig: done(limits.deleteInstanceLimit),
    DeleteVersion: done(versions.deleteVersion),
    GetAccountConfigs: done(accountInfo.getAccountConfigs),
    GetFunctionAsyncConfig: partial(unset.getAsyncConfig, neverSet),
    GetLayerVersionByArn: done(layers.getLayerVersionByArn),
    GetOnDemandConfig: done(limits.getInstanceLimit),
    GetTempBucketToken: done(getTempBucketToken),
    GetTempCodeBucketPermission: done(getTempCodeBucketPermission),
    ListFunctionAsyncConfigs: partial(unset.listAsyncConfigs, neverListed),
    ListOnDemandConfigs: done(limits.listInstanceLimits),
    ListVersions: done(versions.listVersions),
    PublishLayerVersion: done(layers.createLayerVersion),
    PublishVersion: done(versions.publishNewVersion),
    PutOnDemandConfig: done(limits.putInstanceLimit),
  },
  '2021-04-06': {
    ...functionActions,
    ...serviceActions,
    ...layerActions,
    ...triggerActions,
    ...provisionActions,
    CreateLayerVersion: done(layers.createLayerVersion),
    DeleteFunctionOnDemandConfig: done(limits.deleteInstanceLimit),
    DeleteServiceVersion: done(versions.deleteVersion),
    DescribeRegions: done(accountInfo.describeRegions),
    GetFunctionAsyncInvokeConfig: partial(unset.getAsyncConfig, neverSet),
    GetFunctionOnDemandConfig: done(limits.getInstanceLimit),
    ListFunctionAsyncInvokeConfigs: partial(unset.listAsyncConfigs, neverListed),
    ListOnDemandConfigs: done(limits.listInstanceLimits),
    ListServiceVersions: done(versions.listVersions),
    ListTaggedResources: done(tags.listTaggedResources),
    ListVpcBindings: partial(unset.listVpcBindings, neverBound),
    PublishServiceVersion: done(versions.publishNewVersion),
    PutFunctionOnDemandConfig: done(limits.putInstanceLimit),
  },
  '2023-03-30': {
    ...functionActions,
    ...layerActions,
    ...triggerActions,
    ...provisionActions,
    CreateLayerVersion: done(layers.createLayerVersion),
    DeleteConcurrencyConfig: done(limits.deleteInstanceLimit),
    DeleteFunctionVersion: done(versions.deleteVersion),
    DeleteProvisionConfig: done(provisions.deleteProvisionConfig),
    DeleteScalingConfig: done(provisions.deleteScalingConfig),
    DescribeRegions: done(accountInfo.describeRegions),
    GetAsyncInvokeConfig: partial(unset.getAsyncConfig, neverSet),
    GetScalingConfig: done(provisions.getScalingConfig),
    GetConcurrencyConfig: done(limits.getInstanceLimit),
    GetLayerVersionByArn: done(layers.getLayerVersionByArn),
    ListAsyncInvokeConfigs: partial(unset.listAsyncConfigs, neverListed),
    ListConcurrencyConfigs: done(limits.listInstanceLimits),
    ListScalingConfigs: done(provisions.listScalingConfigs),
    ListFunctionVersions: done(versions.listVersions),
    ListTagResources: done(tags.listTagResources),
    ListVpcBindings: partial(unset.listVpcBindings, neverBound),
    PublishFunctionVersion: done(versions.publishNewVersion),
    PutConcurrencyConfig: done(limits.putInstanceLimit),
    PutScalingConfig: partial(provisions.putScalingConfig, 'no resident pools, mixed mode or dispatch policy'),
    TagResources: done(tags.tagResources),
    UntagResources: done(tags.untagResources),
  },
};

/** Operations that are no action: calls of functions by HTTP, which the data process serves. */
const ownDoors: ReadonlySet<string> = new Set(['2016-08-15/HttpTriggerProxy']);

export type OperationStatus = {
  readonly product: string;
  readonly version: string;
  readonly operation: string;
  readonly status: 'done' | 'partial' | 'refused';
  readonly note: string;
};

function statusOf(registered: Registered<unknown> | undefined): Pick<OperationStatus, 'status' | 'note'> {
  if (registered === undefined) return { status: 'refused', note: '' };
  return { status: registered.status, note: registered.status === 'partial' ? registered.note : '' };
}

/** Every operation of every catalogue with its status: what the compatibility page is made of. */
export async function listOperations(): Promise<OperationStatus[]> {
  const all: OperationStatus[] = [];
  for (const version of Object.keys(rpcVersions) as RpcVersion[]) {
    const { operations } = await loadRpcCatalogue(version);
    for (const operation of Object.keys(operations)) {
      all.push({ product: rpcVersions[version], version, operation, ...statusOf(rpcRegistry[version][operation]) });
    }
  }
  for (const version of fcVersions) {
    const { operations } = await loadFcCatalogue(version);
    for (const operation of Object.keys(operations)) {
      const status = ownDoors.has(`${version}/${operation}`)
        ? ({ status: 'done', note: '' } as const)
        : statusOf(fcRegistry[version][operation]);
      all.push({ product: 'FC', version, operation, ...status });
    }
  }
  return all;
}
