// The parts of an API's definition as the wire groups them, after parsing: what CreateApi gives, what is kept for echoing
// (ApiRow.wire), and what api-definition.ts compiles. Nested members have the catalogue's canonical names.
import type { Arguments } from '../rpc/arguments.ts';
import type { NestedRecord } from '../rpc/nested.ts';

/** Settings that are a plain text or boolean. */
export const scalarNames = [
  'ApiName',
  'Visibility',
  'AuthType',
  'AppCodeAuthType',
  'ResultType',
  'ResultSample',
  'FailResultSample',
  'ResultBodyModel',
  'WebSocketApiType',
  'BackendId',
  'Description',
] as const;

export const listNames = [
  'RequestParameters',
  'ServiceParameters',
  'ServiceParametersMap',
  'ConstantParameters',
  'SystemParameters',
  'ErrorCodeSamples',
  'ResultDescriptions',
] as const;

type Lists = { readonly [N in (typeof listNames)[number]]: readonly NestedRecord[] };
type Scalars = { readonly [N in (typeof scalarNames)[number]]: string };

export type ApiConfig = Scalars &
  Lists & {
    readonly AllowSignatureMethod: string;
    readonly ForceNonceCheck: boolean;
    readonly DisableInternet: boolean;
    readonly BackendEnable: boolean;
    readonly RequestConfig: NestedRecord;
    readonly ServiceConfig: NestedRecord;
    readonly OpenIdConnectConfig: NestedRecord | null;
  };

export function isNestedRecord(value: unknown): value is NestedRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text member; `` when it is absent. */
export function memberText(record: NestedRecord, name: string): string {
  const value = record[name];
  return value === undefined || typeof value === 'object' ? '' : String(value);
}

/** A member that is an object; null when it is absent or empty. */
export function memberRecord(record: NestedRecord, name: string): NestedRecord | null {
  const value = record[name];
  return isNestedRecord(value) && Object.keys(value).length > 0 ? value : null;
}

/** Everything of CreateApi and ModifyApi; what was not given has its default. Source: docs. */
export function readApiConfig(args: Arguments): ApiConfig {
  const text = (name: string, fallback = ''): string => {
    const given = args.optionalText(name) ?? '';
    return given === '' ? fallback : given;
  };
  const record = (name: string): NestedRecord => {
    const value = args.nested(name);
    return isNestedRecord(value) ? value : {};
  };
  const openId = args.nested('OpenIdConnectConfig');
  return {
    ApiName: args.text('ApiName'),
    Visibility: text('Visibility', 'PRIVATE'),
    AuthType: text('AuthType', 'APP'),
    AppCodeAuthType: text('AppCodeAuthType', 'DEFAULT'),
    ResultType: text('ResultType', 'JSON'),
    ResultSample: text('ResultSample'),
    FailResultSample: text('FailResultSample'),
    ResultBodyModel: text('ResultBodyModel'),
    WebSocketApiType: text('WebSocketApiType', 'COMMON'),
    BackendId: text('BackendId'),
    Description: text('Description'),
    AllowSignatureMethod: text('AllowSignatureMethod', 'HmacSHA256'),
    ForceNonceCheck: args.optionalBoolean('ForceNonceCheck') ?? false,
    DisableInternet: args.optionalBoolean('DisableInternet') ?? false,
    BackendEnable: args.optionalBoolean('BackendEnable') ?? false,
    RequestConfig: record('RequestConfig'),
    ServiceConfig: record('ServiceConfig'),
    OpenIdConnectConfig: isNestedRecord(openId) ? openId : null,
    RequestParameters: args.records('RequestParameters'),
    ServiceParameters: args.records('ServiceParameters'),
    ServiceParametersMap: args.records('ServiceParametersMap'),
    ConstantParameters: args.records('ConstantParameters'),
    SystemParameters: args.records('SystemParameters'),
    ErrorCodeSamples: args.records('ErrorCodeSamples'),
    ResultDescriptions: args.records('ResultDescriptions'),
  };
}
