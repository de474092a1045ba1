// Turns an API's configuration as the wire has it into the definition that the gateway works by, with every rule between the parts.
// Called by CreateApi, ModifyApi and ModifyApiConfiguration.
import type { ExactNumber } from '../../base/exact-number.ts';
import {
  type ApiDefinition,
  type ApiMethod,
  type AuthType,
  apiMethods,
  type FrontLocation,
  type RequestMode,
  type RequestParameter,
  type SignatureMethod,
} from '../../model/api.ts';
import { openApiError } from '../errors.ts';
import type { NestedRecord } from '../rpc/nested.ts';
import { type ApiConfig, memberText } from './api-config.ts';
import { readBackend } from './backend.ts';

/** Narrows an already canonical word to a known set; the catalogue has matched its spelling. Errors: Invalid{key}. */
function oneOf<T extends string>(known: readonly T[], text: string, key: string): T {
  const found = known.find((candidate) => candidate === text);
  if (found === undefined)
    throw openApiError(`Invalid${key}`, `The parameter ${key} must be one of ${known.join(', ')}, not '${text}'.`);
  return found;
}

const authTypes: readonly AuthType[] = ['APP', 'ANONYMOUS', 'OPENID', 'APPOPENID'];
const requestModes: readonly RequestMode[] = ['MAPPING', 'MAPPING_PASSTHROUGH', 'PASSTHROUGH'];

/** The wire also says HEADER where it means HEAD. Source: docs. */
export function readLocation(row: NestedRecord): FrontLocation {
  const location = memberText(row, 'Location');
  return oneOf(['PATH', 'QUERY', 'HEAD', 'BODY'] as const, location === 'HEADER' ? 'HEAD' : location, 'Location');
}

function readSignatureMethods(text: string): SignatureMethod[] {
  const words = text.split(',').map((word) => word.trim().toLowerCase());
  const known: readonly SignatureMethod[] = ['HmacSHA256', 'HmacSHA1'];
  for (const word of words) {
    if (!known.some((method) => method.toLowerCase() === word)) {
      throw openApiError(
        'InvalidAllowSignatureMethod',
        `The parameter AllowSignatureMethod may hold ${known.join(', ')}, not '${word}'.`,
      );
    }
  }
  return known.filter((method) => words.includes(method.toLowerCase()));
}

function readAuth(config: ApiConfig): ApiDefinition['auth'] {
  const openId = config.OpenIdConnectConfig;
  return {
    type: oneOf(authTypes, config.AuthType, 'AuthType'),
    signatureMethods: readSignatureMethods(config.AllowSignatureMethod),
    forceNonce: config.ForceNonceCheck,
    appCode: oneOf(
      ['DEFAULT', 'DISABLE', 'HEADER', 'HEADER_QUERY'] as const,
      config.AppCodeAuthType,
      'AppCodeAuthType',
    ),
    disableInternet: config.DisableInternet,
    openId:
      openId === null
        ? null
        : {
            openIdApiType: memberText(openId, 'OpenIdApiType'),
            idTokenParamName: memberText(openId, 'IdTokenParamName'),
            publicKeyId: memberText(openId, 'PublicKeyId'),
            publicKey: memberText(openId, 'PublicKey'),
          },
  };
}

/** A segment is literal text, or `[name]`; `*` may be the last one. */
export function checkPath(path: string, key: string): void {
  const isWhole = path.startsWith('/') && path.length <= 512 && !/[\s?#%\\]/.test(path) && !path.includes('//');
  const segments = path.slice(1).split('/');
  const isRight = segments.every((segment, at) => {
    if (segment === '*') return at === segments.length - 1;
    return /^\[[A-Za-z0-9_.-]+\]$/.test(segment) || !/[[\]*]/.test(segment);
  });
  if (!isWhole || !isRight) {
    const rule = "start with '/', hold no blank, '?', '#' or '%', and '[name]' or a last '*' only as a whole segment";
    throw openApiError(`Invalid${key}`, `The parameter ${key} must ${rule}; it is '${path.slice(0, 100)}'.`);
  }
}

/** Names in brackets, in order. */
export function pathVariables(path: string): string[] {
  return [...path.matchAll(/\[([^\]]+)\]/g)].map((match) => match[1] ?? '');
}

function readRequest(config: ApiConfig): ApiDefinition['request'] {
  const request = config.RequestConfig;
  const method = memberText(request, 'RequestHttpMethod');
  const path = memberText(request, 'RequestPath');
  checkPath(path, 'RequestPath');
  const bodyFormat = memberText(request, 'BodyFormat');
  const bodyModel = memberText(request, 'BodyModel');
  return {
    protocols: memberText(request, 'RequestProtocol')
      .split(',')
      .map((word) => oneOf(['HTTP', 'HTTPS', 'WEBSOCKET'] as const, word, 'RequestProtocol')),
    method: oneOf<ApiMethod>(apiMethods, method === 'HEADER' ? 'HEAD' : method, 'RequestHttpMethod'),
    path,
    mode: oneOf(requestModes, memberText(request, 'RequestMode'), 'RequestMode'),
    ...(bodyModel === '' ? {} : { bodyModel }),
    bodyFormat: bodyFormat === '' ? null : oneOf(['FORM', 'STREAM'] as const, bodyFormat, 'BodyFormat'),
  };
}

function exactOrNull(row: NestedRecord, name: string): ExactNumber | null {
  const value = row[name];
  return typeof value === 'number' || typeof value === 'string' ? value : null;
}

function numberOrNull(row: NestedRecord, name: string): number | null {
  const value = exactOrNull(row, name);
  return value === null ? null : Number(value);
}

function textOrNull(row: NestedRecord, name: string): string | null {
  const text = memberText(row, name);
  return text === '' ? null : text;
}

/** Errors: InvalidLocation. */
export function readParameter(row: NestedRecord): RequestParameter {
  const docShow = memberText(row, 'DocShow');
  const itemType = memberText(row, 'ArrayItemsType');
  return {
    name: memberText(row, 'ApiParameterName'),
    location: readLocation(row),
    type: memberText(row, 'ParameterType'),
    required: memberText(row, 'Required') === 'REQUIRED',
    defaultValue: textOrNull(row, 'DefaultValue'),
    demoValue: textOrNull(row, 'DemoValue'),
    minValue: exactOrNull(row, 'MinValue'),
    maxValue: exactOrNull(row, 'MaxValue'),
    minLength: numberOrNull(row, 'MinLength'),
    maxLength: numberOrNull(row, 'MaxLength'),
    regularExpression: textOrNull(row, 'RegularExpression'),
    jsonScheme: textOrNull(row, 'JsonScheme'),
    ...(itemType === '' ? {} : { itemType }),
    enumValue: textOrNull(row, 'EnumValue'),
    docShow: docShow === 'PRIVATE' ? 'PRIVATE' : 'PUBLIC',
    docOrder: numberOrNull(row, 'DocOrder') ?? 0,
    description: memberText(row, 'Description'),
  };
}

/**
 * Compiles a configuration whose older parameter forms have been lifted.
 *
 * Errors: Invalid{Key}, Missing{Key}, Duplicate{...}; the message names the member.
 * Source: docs.
 */
export function readApiDefinition(
  config: ApiConfig,
  limits: { timeoutMaxMs: number; regionId: string },
): ApiDefinition {
  const serviceType = (row: NestedRecord) => memberText(row, 'ParameterType') || memberText(row, 'Type') || 'STRING';
  return {
    apiName: config.ApiName,
    auth: readAuth(config),
    request: readRequest(config),
    parameters: config.RequestParameters.map(readParameter),
    serviceParameters: config.ServiceParameters.map((row) => ({
      name: memberText(row, 'ServiceParameterName'),
      location: readLocation(row),
      type: serviceType(row),
      catalog: 'REQUEST',
    })),
    mappings: config.ServiceParametersMap.map((row) => ({
      requestName: memberText(row, 'RequestParameterName'),
      serviceName: memberText(row, 'ServiceParameterName'),
    })),
    constants: config.ConstantParameters.map((row) => ({
      serviceName: memberText(row, 'ServiceParameterName'),
      value: memberText(row, 'ConstantValue'),
      location: readLocation(row),
      description: memberText(row, 'Description'),
    })),
    systems: config.SystemParameters.map((row) => ({
      name: memberText(row, 'ParameterName'),
      serviceName: memberText(row, 'ServiceParameterName'),
      location: readLocation(row),
      demoValue: memberText(row, 'DemoValue'),
      description: memberText(row, 'Description'),
    })),
    backend: readBackend(config, limits),
  };
}
