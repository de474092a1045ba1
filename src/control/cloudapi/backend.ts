// Reads ServiceConfig into the backend that the gateway calls. Called by api-definition.ts.
import type { Backend, BackendContentType } from '../../model/api.ts';
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

/** Source: docs (cloudapi.md 5.2): Mock wins, then the VPC switch, then ServiceProtocol. */
export function readBackend(config: ApiConfig, limits: Limits): Backend {
  const service = config.ServiceConfig;
  const protocol = memberText(service, 'ServiceProtocol');
  const timeoutMs = readTimeout(service, limits);
  if (isOn(service, 'Mock') || protocol === 'MOCK') return readMock(service, timeoutMs);
  if (config.BackendEnable) return { kind: 'unserved', wireKind: 'reusable backend', timeoutMs };
  if (isOn(service, 'ServiceVpcEnable') || protocol === 'VPC') {
    if (memberRecord(service, 'VpcConfig') === null) return missing('VpcConfig', 'ServiceConfig');
    return { kind: 'unserved', wireKind: 'VPC', timeoutMs };
  }
  switch (protocol) {
    case 'FunctionCompute':
      return readFunction(service, timeoutMs, limits);
    case 'HTTP':
    case 'HTTPS':
      if (memberText(service, 'ServiceAddress') === '') return missing('ServiceAddress', 'ServiceConfig');
      return { kind: 'unserved', wireKind: 'HTTP', timeoutMs };
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

function readMock(service: NestedRecord, timeoutMs: number): Backend {
  const statusText = memberText(service, 'MockStatusCode');
  const status = statusText === '' ? 200 : Number(statusText);
  if (!Number.isInteger(status) || status < 100 || status > 999) {
    throw openApiError(
      'InvalidMockStatusCode',
      `The parameter ServiceConfig.MockStatusCode must be an HTTP status, not ${statusText}.`,
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

/** Source: docs (cloudapi.md 5.3); that a missing region means ours is assumed. */
function readFunction(service: NestedRecord, timeoutMs: number, limits: Limits): Backend {
  const target = memberRecord(service, 'FunctionComputeConfig');
  if (target === null) return missing('FunctionComputeConfig', 'ServiceConfig');
  const where = 'ServiceConfig.FunctionComputeConfig';
  if (memberText(target, 'FcType') === 'HttpTrigger') {
    if (memberText(target, 'FcBaseUrl') === '' && memberText(target, 'TriggerName') === '')
      return missing('FcBaseUrl', where);
    return { kind: 'unserved', wireKind: 'FunctionCompute HTTP trigger', timeoutMs };
  }
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
