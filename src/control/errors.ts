// The errors of the APIs: every code with its HTTP status, and the one exception that stops an action.
// Sources: docs.
import { functionCallStatuses } from '../wire/function-call-errors.ts';

/** Codes of the RPC products. Source: docs. */
const openApiStatuses = {
  'InvalidApi.NotFound': 404,
  'InvalidAction.NotFound': 404,
  InvalidVersion: 400,
  'InvalidParameter.Format': 400,
  'InvalidAccessKeyId.NotFound': 404,
  'InvalidAccessKeyId.Inactive': 400,
  'InvalidSecurityToken.Malformed': 400,
  'InvalidSecurityToken.MismatchWithAccessKey': 400,
  'InvalidSecurityToken.Expired': 400,
  'InvalidTimeStamp.Format': 400,
  'InvalidTimeStamp.Expired': 400,
  SignatureNonceUsed: 400,
  SignatureDoesNotMatch: 400,
  IncompleteSignature: 400,
  InvalidSignatureMethod: 400,
  UnsupportedHTTPMethod: 400,
  UnsupportedParameter: 400,
  'Throttling.User': 400,
  RequestEntityTooLarge: 400,
  DomainAlreadyBind: 400,
  DomainCertificateNotFound: 400,
  NoPermission: 403,
  'Forbidden.RAM': 403,
  InternalError: 500,
  ServiceUnavailable: 503,
} as const;

/** Things that the general forms (`NotFound%s` ...) are about. */
export type Thing =
  | 'ApiGroup'
  | 'Operation'
  | 'Api'
  | 'App'
  | 'AppKey'
  | 'AppCode'
  | 'Domain'
  | 'Model'
  | 'Stage'
  | 'Instance'
  | 'Authorization'
  | 'Deployment'
  | 'HistoryVersion'
  | 'TrafficControl'
  | 'TrafficSpecialControl'
  | 'IpControl'
  | 'IpControlPolicyItem'
  | 'Signature'
  | 'Backend'
  | 'BackendModel'
  | 'VpcAccess'
  | 'StageVariable'
  | 'LogConfig'
  | 'Request';

type GeneralForm =
  | `NotFound${Thing}`
  | `DependencyViolation${Thing}`
  | `ExceedLimit${Thing}`
  | `Missing${string}`
  | `Invalid${string}`
  | `Duplicate${string}`
  | `Repeated${string}`;

/** A code of CloudAPI or SMS. The general forms answer 400. Source: docs. */
export type OpenApiCode = keyof typeof openApiStatuses | GeneralForm;

/** Codes of Function Compute with their statuses. Source: docs, some unconfirmed. */
export const fcStatuses = {
  ...functionCallStatuses,
  PathNotSupported: 400,
  LimitExceededError: 400,
  VersionPublishError: 400,
  CrossAccountAccessDenied: 403,
  SignatureNotMatch: 403,
  InvalidAccessKeyID: 403,
  // Other products than the gateway answer these with 403. Source: docs.
  'InvalidSecurityToken.Malformed': 403,
  'InvalidSecurityToken.MismatchWithAccessKey': 403,
  'InvalidSecurityToken.Expired': 403,
  RequestTimeTooSkewed: 403,
  OnDemandConfigNotFound: 404,
  AsyncConfigNotExists: 404,
  LayerNotFound: 404,
  LayerVersionNotFound: 404,
  // Source: assumed.
  InstanceNotFound: 404,
  ServiceAlreadyExists: 409,
  FunctionAlreadyExists: 409,
  AliasAlreadyExists: 409,
  TriggerAlreadyExists: 409,
  FunctionNotEmpty: 409,
  ProvisionConfigExist: 409,
  ResidentScalingConfigExists: 409,
  ServiceNotEmpty: 409,
  ConcurrentUpdateError: 409,
  PreconditionFailed: 412,
} as const;

export type FcCode = keyof typeof fcStatuses;

/** Stops an action with a documented error; caught in one place per product. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** An error of an RPC product. `message` says what happened, with which value, and never holds a secret. */
export function openApiError(code: OpenApiCode, message: string): ApiError {
  const statuses: Readonly<Record<string, number>> = openApiStatuses;
  return new ApiError(code, statuses[code] ?? 400, message);
}

/** An error of Function Compute. */
export function fcError(code: FcCode, message: string): ApiError {
  return new ApiError(code, fcStatuses[code], message);
}

/** The store's queue is full: nothing was done, the caller may try again. */
export function isStoreBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'StoreBusy';
}
