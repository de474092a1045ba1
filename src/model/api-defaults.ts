// What most definitions of APIs say where they say nothing of their own.
import type { ApiDefinition, RequestParameter, ServiceParameter } from './api.ts';

export const parameterDefaults: Omit<RequestParameter, 'name'> = {
  location: 'QUERY',
  type: 'String',
  required: false,
  defaultValue: null,
  demoValue: null,
  minValue: null,
  maxValue: null,
  minLength: null,
  maxLength: null,
  regularExpression: null,
  jsonScheme: null,
  enumValue: null,
  docShow: 'PUBLIC',
  docOrder: 0,
  description: '',
};
export const serviceDefaults: Omit<ServiceParameter, 'name'> = {
  location: 'QUERY',
  type: 'STRING',
  catalog: 'REQUEST',
};
export const authDefaults: ApiDefinition['auth'] = {
  type: 'APP',
  signatureMethods: ['HmacSHA256'],
  forceNonce: false,
  appCode: 'DEFAULT',
  disableInternet: false,
  openId: null,
};

export const requestDefaults: Omit<ApiDefinition['request'], 'method' | 'path'> = {
  protocols: ['HTTP', 'HTTPS'],
  mode: 'MAPPING',
  bodyFormat: null,
};
export const listDefaults = { parameters: [], serviceParameters: [], mappings: [], constants: [], systems: [] };
