// QueryRequestLogs: the log of one gateway request.
import { ownError, type RequestRecord } from '../../model/record.ts';
import type { GroupRow } from '../../store/rows.ts';
import { ownTraceId } from '../../wire/traceparent.ts';
import type { RpcAction } from '../action.ts';
import { instance, utc } from './lookup.ts';

/** The id that answers have in `X-Ca-Request-Id`; an unknown one gives an empty list. Source: docs for the members, the latter assumed. */
export const queryRequestLogs: RpcAction = async ({ args, deps }) => {
  const record = await deps.requests.find(args.text('RequestLogId').trim());
  if (record === null) return { RequestLogs: [] };
  const { groupId } = record;
  const group = groupId === null ? null : await deps.store.read((tx) => tx.rows.groups.get(groupId));
  return { RequestLogs: [{ ...show(record, group), Region: deps.account.regionId }] };
};

/** Of an answer that a backend made by itself only `Exception` tells. What is not measured by itself is shown as its neighbour: the request ends when the backend is asked, or the answer goes out. */
function show(record: RequestRecord, group: GroupRow | null): object {
  const { at, failure, backendAt, logged, groupId } = record;
  const own = ownError(failure);
  const end = Math.round(at + record.totalMs);
  const backendEnd = backendAt === null ? undefined : Math.round(backendAt + (record.backendMs ?? 0));
  const stage = group?.stages.find(({ stageName }) => stageName === record.stage);
  return {
    RequestId: record.requestId,
    RequestTime: utc(at),
    HttpMethod: record.method,
    HttpPath: record.path,
    Domain: record.host,
    RequestProtocol: record.isTls ? 'HTTPS' : 'HTTP',
    ClientIp: record.clientIp,
    ClientNonce: record.nonce,
    StatusCode: record.status,
    ErrorCode: own?.code,
    ErrorMessage: own?.message,
    Exception: failure === null ? undefined : `${failure.side}: ${failure.message}`,
    GroupId: groupId,
    GroupName: group?.groupName,
    ApiId: record.apiId,
    ApiName: record.apiName,
    StageId: stage?.stageId,
    StageName: record.stage,
    ConsumerAppId: record.appId,
    AppName: record.appName,
    ConsumerAppKey: record.appKey,
    InitialRequestId: record.initialRequestId,
    CustomTraceId: record.customTraceId ?? record.traceId ?? ownTraceId(record.requestId),
    InstanceId: groupId === null ? undefined : instance.InstanceId,
    RequestQueryString: logged?.requestQueryString ?? undefined,
    RequestHeaders: logged?.requestHeaders ?? undefined,
    RequestBody: logged?.requestBody ?? undefined,
    ResponseHeaders: logged?.responseHeaders ?? undefined,
    ResponseBody: logged?.responseBody ?? undefined,
    JwtClaims: logged?.jwtClaims ?? undefined,
    RequestSize: record.requestBytes,
    ResponseSize: record.responseBytes,
    ServiceLatency: record.backendMs === null ? undefined : Math.round(record.backendMs),
    TotalLatency: Math.round(record.totalMs),
    FrontRequestStart: at,
    FrontRequestEnd: backendAt ?? end,
    BackendRequestStart: backendAt,
    BackendRequestEnd: backendAt,
    BackendResponseStart: backendEnd,
    BackendResponseEnd: backendEnd,
    FrontResponseStart: backendEnd ?? end,
    FrontResponseEnd: end,
  };
}
