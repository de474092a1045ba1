// Reads ServiceConfig into the backend that the gateway calls. Called by api-definition.ts.
import {
  type ApiMethod,
  apiMethods,
  type Backend,
  type BackendContentType,
  type FunctionTarget,
} from '../../model/api.ts';
import { openApiError } from '../errors.ts';
import type { NestedRecord } from '../rpc/nested.ts';
import { type ApiConfig, memberRecord, memberText } from './api-config.ts';

/** Source: assumed. */
const defaultTimeoutMs = 10_000;

type Limits = { readonly timeoutMaxMs: number; readonly regionId: string };

function missing(key: string, where: string): never {
  throw openApiError(`Missing${key}`, `The parameter ${where}.${key} is mandatory for this kind of backend.`);
}

function readTimeout(service: NestedRecord, limits: Limits): number {
  const given = service['ServiceTimeout'];
  const timeoutMs = typeof given === 'number' ? given : defaultTimeoutMs;
  if (timeoutMs < 1 || timeoutMs > limits.timeoutMaxMs) {
    throw openApiError(
      'InvalidServiceTimeout',
      `The parameter ServiceConfig.ServiceTimeout must be 1 to ${limits.timeoutMaxMs} milliseconds, not ${timeoutMs}.`,
    );
  }
  return timeoutMs;
}

function readContentType(first: NestedRecord, second: NestedRecord): BackendContentType {
  const category = memberText(first, 'ContentTypeCatagory') || memberText(second, 'ContentTypeCatagory') || 'DEFAULT';
  const value = memberText(first, 'ContentTypeValue') || memberText(second, 'ContentTypeValue');
  const known = (['DEFAULT', 'CUSTOM', 'CLIENT'] as const).find((candidate) => candidate === category) ?? 'DEFAULT';
  return { category: known, value: value === '' ? null : value };
}

/** TRUE and FALSE, or OPEN and CLOSED as answers say it. */
export function isOn(record: NestedRecord, name: string): boolean {
  const text = memberText(record, name);
  return text === 'TRUE' || text === 'OPEN';
}

/** Source: docs: Mock wins, then a backend definition of its own, then the VPC switch, then ServiceProtocol. */
export function readBackend(config: ApiConfig, limits: Limits): Backend {
  const service = config.ServiceConfig;
  const protocol = memberText(service, 'ServiceProtocol');
  const timeoutMs = readTimeout(service, limits);
  if (isOn(service, 'Mock') || protocol === 'MOCK') return readMock(service, timeoutMs);
  if (config.BackendEnable) {
    if (config.BackendId === '') {
      throw openApiError('MissingBackendId', 'The parameter BackendId is mandatory with BackendEnable.');
    }
    return { kind: 'shared', backendId: config.BackendId, ...readHttpCall(service, timeoutMs) };
  }
  if (isOn(service, 'ServiceVpcEnable') || protocol === 'VPC') return readVpc(service, timeoutMs);
  switch (protocol) {
    case 'FunctionCompute':
      return readFunction(service, timeoutMs, limits);
    case 'HTTP':
    case 'HTTPS':
      return readHttp(service, timeoutMs);
    case 'OSS':
      if (memberRecord(service, 'OssConfig') === null) return missing('OssConfig', 'ServiceConfig');
      return { kind: 'unserved', wireKind: 'OSS', timeoutMs };
    case 'EventBridge':
      if (memberRecord(service, 'EventBridgeConfig') === null) return missing('EventBridgeConfig', 'ServiceConfig');
      return { kind: 'unserved', wireKind: 'EventBridge', timeoutMs };
    default:
      return { kind: 'unserved', wireKind: protocol, timeoutMs };
  }
}

/** The backend of one stage of a backend definition (CreateBackendModel). Source: docs. */
export function readModelBackend(
  type: string,
  data: NestedRecord,
  limits: Limits,
): Exclude<Backend, { kind: 'shared' }> {
  const timeoutMs = readTimeout(data, limits);
  switch (type) {
    case 'HTTP':
      return readHttp(data, timeoutMs);
    case 'VPC':
      return readVpc(memberRecord(data, 'VpcConfig') === null ? { ...data, VpcConfig: data } : data, timeoutMs);
    case 'MOCK':
      return readMock(memberRecord(data, 'MockConfig') ?? data, timeoutMs);
    case 'FC_EVENT':
    case 'FC_EVENT_V3':
    case 'FC_HTTP':
    case 'FC_HTTP_V3': {
      const target = memberRecord(data, 'FunctionComputeConfig');
      if (target === null) return missing('FunctionComputeConfig', 'BackendModelData');
      const FcType = type.startsWith('FC_HTTP') ? 'HttpTrigger' : 'FCEvent';
      const FcVersion = type.endsWith('_V3') ? '3.0' : '2.0';
      return readFunction({ ...data, FunctionComputeConfig: { ...target, FcType, FcVersion } }, timeoutMs, limits);
    }
    default:
      return { kind: 'unserved', wireKind: type, timeoutMs };
  }
}

type HttpCall = Pick<Extract<Backend, { kind: 'http' }>, 'path' | 'method' | 'timeoutMs' | 'contentType'>;

/** Path and method as the backend is called; none given: the client's. Source: docs, the default assumed. */
function readHttpCall(service: NestedRecord, timeoutMs: number, second: NestedRecord = {}): HttpCall {
  const path = memberText(service, 'ServicePath') || memberText(second, 'Path');
  if (path !== '' && !/^[/#]/.test(path)) {
    throw openApiError(
      'InvalidServicePath',
      `The parameter ServicePath must start with '/', not '${path.slice(0, 100)}'.`,
    );
  }
  return {
    path,
    method: readMethod(memberText(service, 'ServiceHttpMethod') || memberText(second, 'Method')),
    timeoutMs,
    contentType: readContentType(second, service),
  };
}

function readMethod(text: string): ApiMethod {
  const word = text.trim().toUpperCase();
  if (word === '') return 'ANY';
  const method = apiMethods.find((known) => known === (word === 'HEADER' ? 'HEAD' : word));
  if (method !== undefined) return method;
  throw openApiError(
    'InvalidServiceHttpMethod',
    `The parameter ServiceHttpMethod must be one of ${apiMethods.join(', ')}, not '${text.slice(0, 100)}'.`,
  );
}

function readHttp(service: NestedRecord, timeoutMs: number): Extract<Backend, { kind: 'http' }> {
  const address = memberText(service, 'ServiceAddress');
  if (address === '') return missing('ServiceAddress', 'ServiceConfig');
  // With a stage variable in it, only the call can tell.
  const isRight = address.includes('#') || (/^https?:\/\//i.test(address) && URL.canParse(address));
  if (!isRight) {
    throw openApiError(
      'InvalidServiceAddress',
      `The parameter ServiceAddress must be like http://host:port, not '${address.slice(0, 100)}'.`,
    );
  }
  const hostHeader = memberText(service, 'HttpTargetHostName') || null;
  return { kind: 'http', address, hostHeader, ...readHttpCall(service, timeoutMs) };
}

function readVpc(service: NestedRecord, timeoutMs: number): Extract<Backend, { kind: 'vpc' }> {
  const vpc = memberRecord(service, 'VpcConfig');
  if (vpc === null) return missing('VpcConfig', 'ServiceConfig');
  const port = vpc['Port'];
  const call = readHttpCall({ ...vpc, ...service }, timeoutMs);
  const place = {
    accessName: memberText(vpc, 'Name') || null,
    vpcId: memberText(vpc, 'VpcId') || null,
    instanceId: memberText(vpc, 'InstanceId') || null,
    port: typeof port === 'number' ? port : null,
    scheme: memberText(vpc, 'VpcScheme').toUpperCase() === 'HTTPS' ? ('https' as const) : ('http' as const),
    hostHeader: memberText(vpc, 'VpcTargetHostName') || null,
  };
  if (place.accessName === null && (place.vpcId === null || place.instanceId === null || place.port === null)) {
    return missing('Name', 'ServiceConfig.VpcConfig');
  }
  return { kind: 'vpc', vpc: place, ...call };
}

function readMock(service: NestedRecord, timeoutMs: number): Extract<Backend, { kind: 'mock' }> {
  const statusText = memberText(service, 'MockStatusCode');
  const status = statusText === '' ? 200 : Number(statusText);
  // What the gateway can answer with: one below 200 is no whole answer.
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw openApiError(
      'InvalidMockStatusCode',
      `The parameter ServiceConfig.MockStatusCode must be an HTTP status from 200 to 599, not ${statusText}.`,
    );
  }
  const rows = service['MockHeaders'];
  const headers = Array.isArray(rows) ? rows : [];
  return {
    kind: 'mock',
    status,
    headers: headers.map((row: NestedRecord) => ({
      name: memberText(row, 'HeaderName'),
      value: memberText(row, 'HeaderValue'),
    })),
    body: memberText(service, 'MockResult'),
    timeoutMs,
  };
}

/** Source: docs; that a missing region means ours is assumed. */
function readFunction(service: NestedRecord, timeoutMs: number, limits: Limits): Exclude<Backend, { kind: 'shared' }> {
  const target = memberRecord(service, 'FunctionComputeConfig');
  if (target === null) return missing('FunctionComputeConfig', 'ServiceConfig');
  const where = 'ServiceConfig.FunctionComputeConfig';
  if (memberText(target, 'FcType') === 'HttpTrigger') return readFunctionHttp(service, target, timeoutMs);
  const functionName = memberText(target, 'FunctionName');
  if (functionName === '') return missing('FunctionName', where);
  const serviceName = memberText(target, 'ServiceName');
  const version = memberText(target, 'FcVersion');
  if (version === '2.0' && serviceName === '') return missing('ServiceName', where);
  const role = memberText(target, 'RoleArn');
  return {
    kind: 'function-event',
    target: {
      serviceName: version === '3.0' || serviceName === '' ? null : serviceName,
      functionName,
      qualifier: memberText(target, 'Qualifier') || null,
    },
    regionId: memberText(target, 'FcRegionId') || limits.regionId,
    roleArn: role === '' ? null : role,
    timeoutMs,
    contentType: readContentType(target, service),
  };
}

/** Source: docs. */
function readFunctionHttp(
  service: NestedRecord,
  target: NestedRecord,
  timeoutMs: number,
): Extract<Backend, { kind: 'function-http' }> {
  const baseUrl = memberText(target, 'FcBaseUrl');
  const functionName = memberText(target, 'FunctionName');
  if (baseUrl === '' && (memberText(target, 'TriggerName') === '' || functionName === '')) {
    return missing('FcBaseUrl', 'ServiceConfig.FunctionComputeConfig');
  }
  const serviceName = memberText(target, 'ServiceName');
  const named: FunctionTarget | null =
    functionName === ''
      ? null
      : {
          serviceName: serviceName === '' ? null : serviceName,
          functionName,
          qualifier: memberText(target, 'Qualifier') || null,
        };
  const found = named ?? targetOfUrl(baseUrl);
  const version = memberText(target, 'FcVersion') || (found?.serviceName == null ? '3.0' : '2.0');
  return {
    kind: 'function-http',
    target: found,
    baseUrl,
    version: version === '2.0' ? '2.0' : '3.0',
    onlyBusinessPath: target['OnlyBusinessPath'] === true,
    roleArn: memberText(target, 'RoleArn') || null,
    ...readHttpCall(service, timeoutMs, target),
  };
}

/**
 * The function that a trigger's URL leads to; null when the URL does not tell.
 *
 * Shapes: `https://<account>.<region>.fc.aliyuncs.com/2016-08-15/proxy/<service>[.<qualifier>]/<function>/`, and
 * `https://<function>-<random>.<region>.fcapp.run`. Source: docs; that the random part is the last one is assumed.
 */
function targetOfUrl(baseUrl: string): FunctionTarget | null {
  if (!URL.canParse(baseUrl)) return null;
  const url = new URL(baseUrl);
  const proxy = /^\/2016-08-15\/proxy\/([^/.]+)(?:\.([^/]+))?\/([^/]+)/.exec(url.pathname);
  if (proxy !== null) {
    const [, serviceName = '', qualifier = '', functionName = ''] = proxy;
    return { serviceName, functionName, qualifier: qualifier === '' ? null : qualifier };
  }
  const [prefix = ''] = url.hostname.split('.');
  const isFunctionUrl = url.hostname.endsWith('.fcapp.run') || url.hostname.endsWith('.localhost');
  const cut = prefix.lastIndexOf('-');
  if (!isFunctionUrl || cut <= 0) return null;
  return { serviceName: null, functionName: prefix.slice(0, cut), qualifier: null };
}
