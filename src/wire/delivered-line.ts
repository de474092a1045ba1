// A record of the request log as the cloud's gateway delivers it to the Log Service. Called by whoever delivers.
import { ownError, type RequestRecord } from '../model/record.ts';
import { ownTraceId } from './traceparent.ts';

/** What a record does not hold: whose it is, and the names behind its ids. */
export type DeliveredOwner = {
  readonly accountId: string;
  readonly regionId: string;
  readonly instanceId: string;
  /** Of the record's group; null: there is none, or it has gone. */
  readonly group: { readonly groupName: string; readonly stageId: string | null } | null;
};

function text(value: string | number | null | undefined): string {
  return value === null || value === undefined ? '' : String(value);
}

/**
 * One line, with its line end.
 *
 * Shape: `{"requestId":"…","statusCode":"200",…,"exchangeTimestamp":{"FrontRequestStart":…,…}}`; all values are texts, as the Log
 * Service has them, but for the eight times of `exchangeTimestamp`. `errorCode` and `errorMessage` are the gateway's own errors; `exception`
 * tells of a backend's failure as well. What there is none of is an empty text; query, headers, bodies
 * and claims are there where the group wants them logged; `weight` where the line stands for more requests than one.
 * Units: times in epoch ms, latencies in ms, sizes in bytes. Source: docs for the names; `weight` is ours, and that what is not measured by
 * itself is told as its neighbour is assumed: the request ends when the backend is asked, or the answer goes out.
 */
export function writeDeliveredLine(record: RequestRecord, owner: DeliveredOwner, weight = 1): string {
  const { at, failure, backendAt, logged } = record;
  const own = ownError(failure);
  const end = Math.round(at + record.totalMs);
  const asked = backendAt === null ? null : Math.round(backendAt);
  const answered = asked === null ? null : Math.round(asked + (record.backendMs ?? 0));
  const line = {
    requestId: record.requestId,
    initialRequestId: text(record.initialRequestId),
    requestHandleTime: `${new Date(at).toISOString().slice(0, 19)}Z`,
    providerAliUid: owner.accountId,
    region: owner.regionId,
    instanceId: owner.instanceId,
    apiGroupUid: text(record.groupId),
    apiGroupName: text(owner.group?.groupName),
    apiUid: text(record.apiId),
    apiName: text(record.apiName),
    apiStageUid: text(owner.group?.stageId),
    apiStageName: text(record.stage),
    httpMethod: record.method,
    path: record.path,
    domain: record.host,
    requestProtocol: record.isTls ? 'HTTPS' : 'HTTP',
    clientIp: record.clientIp,
    clientNonce: text(record.nonce),
    appId: text(record.appId),
    appName: text(record.appName),
    consumerAppKey: text(record.appKey),
    statusCode: text(record.status),
    errorCode: text(own?.code),
    errorMessage: text(own?.message),
    exception: failure === null ? '' : `${failure.side}: ${failure.message}`,
    requestSize: text(record.requestBytes),
    responseSize: text(record.responseBytes),
    serviceLatency: record.backendMs === null ? '' : text(Math.round(record.backendMs)),
    totalLatency: text(Math.round(record.totalMs)),
    customTraceId: record.customTraceId ?? record.traceId ?? ownTraceId(record.requestId),
    requestQueryString: logged?.requestQueryString ?? undefined,
    requestHeaders: logged?.requestHeaders ?? undefined,
    requestBody: logged?.requestBody ?? undefined,
    responseHeaders: logged?.responseHeaders ?? undefined,
    responseBody: logged?.responseBody ?? undefined,
    jwtClaims: logged?.jwtClaims ?? undefined,
    weight: weight === 1 ? undefined : String(weight),
    exchangeTimestamp: {
      FrontRequestStart: at,
      FrontRequestEnd: asked ?? end,
      BackendRequestStart: asked ?? undefined,
      BackendRequestEnd: asked ?? undefined,
      BackendResponseStart: answered ?? undefined,
      BackendResponseEnd: answered ?? undefined,
      FrontResponseStart: answered ?? end,
      FrontResponseEnd: end,
    },
  };
  return `${JSON.stringify(line)}\n`;
}
