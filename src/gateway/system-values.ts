// What each system parameter is for one request. Called by map.ts.
import type { Admitted } from './context.ts';
import type { SystemName } from './system-names.ts';

/** What a system parameter says that has no value. Source: live (of an anonymous caller's CaAppId). */
const none = 'null';

/** Source: live; CaAppKey, CaStage, CaDeviceId and that there is no market here are assumed. */
export const systemValues: Readonly<Record<SystemName, (context: Admitted) => string>> = {
  CaClientIp: (context) => context.clientIp,
  CaDomain: (context) => context.host,
  CaRequestHandleTime: (context) => `${new Date(context.at).toISOString().slice(0, 19)}Z`,
  CaAppId: ({ caller }) => (caller.kind === 'app' ? String(caller.appId) : none),
  CaAppKey: ({ caller }) => (caller.kind === 'app' ? caller.appKey : none),
  CaRequestId: (context) => context.requestId,
  CaApiName: (context) => context.api.apiName,
  CaHttpSchema: (context) => (context.request.isTls ? 'HTTPS' : 'HTTP'),
  CaProxy: () => 'AliCloudAPIGateway',
  CaClientUa: (context) => context.headers.get('user-agent') ?? '',
  CaStage: (context) => context.stage,
  CaDeviceId: (context) => context.headers.get('x-ca-deviceid') ?? none,
  CaCloudMarketInstanceId: () => none,
  CaMarketExpriencePlan: () => none,
  CaMarketExperiencePlan: () => none,
};
