// One face for the two versions of Function Compute that have services, over `@alicloud/fc2` and `@alicloud/fc-open20210406`, so that a
// case is written once and run with both.
import { model } from './clients.ts';
import { at } from './read.ts';
import type { World } from './world.ts';

/** An answer without what is the SDK's: the JSON (or bytes as text), and the headers in lower case. */
export type FcResult = { readonly data: unknown; readonly headers: unknown };

/** Operations whose names differ by version. */
type Names = { readonly publish: string; readonly listVersions: string; readonly deleteVersion: string };

type Members = Readonly<Record<string, unknown>>;

export type ServiceFc = {
  readonly version: '2016-08-15' | '2021-04-06';
  readonly names: Names;
  createService(name: string, settings?: Members): Promise<FcResult>;
  getService(name: string, qualifier?: string): Promise<FcResult>;
  updateService(name: string, settings: Members): Promise<FcResult>;
  deleteService(name: string): Promise<FcResult>;
  listServices(query: Members): Promise<FcResult>;
  /** `code.zipFile` as base64 among the settings. */
  createFunction(service: string, settings: Members): Promise<FcResult>;
  getFunction(service: string, name: string, qualifier?: string): Promise<FcResult>;
  getFunctionCode(service: string, name: string, qualifier?: string): Promise<FcResult>;
  updateFunction(service: string, name: string, settings: Members): Promise<FcResult>;
  deleteFunction(service: string, name: string): Promise<FcResult>;
  listFunctions(service: string, query?: Members): Promise<FcResult>;
  /** `data` is the result as text. */
  invoke(service: string, name: string, event: string, qualifier?: string): Promise<FcResult>;
  publish(service: string, description: string): Promise<FcResult>;
  listVersions(service: string, query?: Members): Promise<FcResult>;
  deleteVersion(service: string, versionId: string): Promise<FcResult>;
  createAlias(service: string, alias: string, versionId: string, settings?: Members): Promise<FcResult>;
  getAlias(service: string, alias: string): Promise<FcResult>;
  updateAlias(service: string, alias: string, settings: Members): Promise<FcResult>;
  deleteAlias(service: string, alias: string): Promise<FcResult>;
  listAliases(service: string, query?: Members): Promise<FcResult>;
  tag(resourceArn: string, tags: Members): Promise<FcResult>;
  untag(resourceArn: string, keys: readonly string[]): Promise<FcResult>;
  getTags(resourceArn: string): Promise<FcResult>;
};

function asText(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : value;
}

export function classic(world: World): ServiceFc {
  const call = async (name: string, ...args: unknown[]): Promise<FcResult> => {
    const answer = await world.fc2(name, ...args);
    return { data: at(answer, 'data'), headers: at(answer, 'headers') };
  };
  return {
    version: '2016-08-15',
    names: { publish: 'PublishVersion', listVersions: 'ListVersions', deleteVersion: 'DeleteVersion' },
    createService: (name, settings = {}) => call('createService', name, settings),
    getService: (name, qualifier) => call('getService', name, {}, qualifier),
    updateService: (name, settings) => call('updateService', name, settings),
    deleteService: (name) => call('deleteService', name),
    listServices: (query) => call('listServices', { ...query }),
    createFunction: (service, settings) => call('createFunction', service, { ...settings }),
    getFunction: (service, name, qualifier) => call('getFunction', service, name, {}, qualifier),
    getFunctionCode: (service, name, qualifier) => call('getFunctionCode', service, name, {}, qualifier),
    updateFunction: (service, name, settings) => call('updateFunction', service, name, { ...settings }),
    deleteFunction: (service, name) => call('deleteFunction', service, name),
    listFunctions: (service, query = {}) => call('listFunctions', service, { ...query }),
    invoke: async (service, name, event, qualifier) => {
      const { data, headers } = await call('invokeFunction', service, name, event, {}, qualifier, { rawBuf: true });
      return { data: asText(data), headers };
    },
    publish: (service, description) => call('publishVersion', service, description),
    listVersions: (service, query = {}) => call('listVersions', service, { ...query }),
    deleteVersion: (service, versionId) => call('deleteVersion', service, versionId),
    createAlias: (service, alias, versionId, settings = {}) =>
      call('createAlias', service, alias, versionId, { ...settings }),
    getAlias: (service, alias) => call('getAlias', service, alias),
    updateAlias: (service, alias, { versionId, ...settings }) =>
      call('updateAlias', service, alias, versionId, settings),
    deleteAlias: (service, alias) => call('deleteAlias', service, alias),
    listAliases: (service, query = {}) => call('listAliases', service, { ...query }),
    tag: (resourceArn, tags) => call('tagResource', resourceArn, tags),
    untag: (resourceArn, keys) => call('untagResource', resourceArn, keys),
    getTags: (resourceArn) => call('getResourceTags', { resourceArn }),
  };
}

export function open(world: World): ServiceFc {
  const call = async (name: string, ...args: unknown[]): Promise<FcResult> => {
    const answer = await world.fcOpen(name, ...args);
    return { data: asText(at(answer, 'body')), headers: at(answer, 'headers') };
  };
  const request = (name: string, members: object = {}) => model('open', `${name}Request`, members);
  const qualified = (name: string, qualifier: string | undefined) =>
    request(name, qualifier === undefined ? {} : { qualifier });
  const withCode = ({ code, ...settings }: Members) =>
    code === undefined ? settings : { ...settings, code: model('open', 'Code', code as object) };
  return {
    version: '2021-04-06',
    names: {
      publish: 'PublishServiceVersion',
      listVersions: 'ListServiceVersions',
      deleteVersion: 'DeleteServiceVersion',
    },
    createService: (serviceName, settings = {}) =>
      call('createService', request('CreateService', { serviceName, ...settings })),
    getService: (name, qualifier) => call('getService', name, qualified('GetService', qualifier)),
    updateService: (name, settings) => call('updateService', name, request('UpdateService', settings)),
    deleteService: (name) => call('deleteService', name),
    listServices: (query) => call('listServices', request('ListServices', query)),
    createFunction: (service, settings) =>
      call('createFunction', service, request('CreateFunction', withCode(settings))),
    getFunction: (service, name, qualifier) => call('getFunction', service, name, qualified('GetFunction', qualifier)),
    getFunctionCode: (service, name, qualifier) =>
      call('getFunctionCode', service, name, qualified('GetFunctionCode', qualifier)),
    updateFunction: (service, name, settings) =>
      call('updateFunction', service, name, request('UpdateFunction', withCode(settings))),
    deleteFunction: (service, name) => call('deleteFunction', service, name),
    listFunctions: (service, query) => call('listFunctions', service, request('ListFunctions', query)),
    invoke: (service, name, event, qualifier) => {
      const members = { body: Buffer.from(event), ...(qualifier === undefined ? {} : { qualifier }) };
      return call('invokeFunction', service, name, request('InvokeFunction', members));
    },
    publish: (service, description) =>
      call('publishServiceVersion', service, request('PublishServiceVersion', { description })),
    listVersions: (service, query) => call('listServiceVersions', service, request('ListServiceVersions', query)),
    deleteVersion: (service, versionId) => call('deleteServiceVersion', service, versionId),
    createAlias: (service, aliasName, versionId, settings = {}) =>
      call('createAlias', service, request('CreateAlias', { aliasName, versionId, ...settings })),
    getAlias: (service, alias) => call('getAlias', service, alias),
    updateAlias: (service, alias, settings) => call('updateAlias', service, alias, request('UpdateAlias', settings)),
    deleteAlias: (service, alias) => call('deleteAlias', service, alias),
    listAliases: (service, query) => call('listAliases', service, request('ListAliases', query)),
    tag: (resourceArn, tags) => call('tagResource', request('TagResource', { resourceArn, tags })),
    untag: (resourceArn, tagKeys) => call('untagResource', request('UntagResource', { resourceArn, tagKeys })),
    getTags: (resourceArn) => call('getResourceTags', request('GetResourceTags', { resourceArn })),
  };
}
