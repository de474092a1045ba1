// What each product answers when a signature is refused. Called by the endpoints after authenticate().
import { assertNever } from '../base/assert-never.ts';
import { type ApiError, fcError, openApiError } from './errors.ts';
import type { SignatureProblem } from './signature-claims.ts';

type TokenProblem = Extract<SignatureProblem, { kind: 'security-token' }>['why'];

/** Source: docs. */
const tokenCodes = {
  malformed: 'InvalidSecurityToken.Malformed',
  mismatch: 'InvalidSecurityToken.MismatchWithAccessKey',
  expired: 'InvalidSecurityToken.Expired',
} as const;

const tokenMessages = {
  missing: 'A temporary AccessKeyId needs its SecurityToken',
  malformed: 'Specified SecurityToken is malformed',
  mismatch: 'Specified SecurityToken does not belong to the AccessKeyId',
  expired: 'Specified SecurityToken is expired',
} as const satisfies Record<TokenProblem, string>;

const notOwn = 'A function may call from its instance with its own temporary credentials only';

/** For RPC products. Source: docs. */
export function openApiSignatureError(problem: SignatureProblem): ApiError {
  switch (problem.kind) {
    case 'unsigned':
      return openApiError('MissingAccessKeyId', 'AccessKeyId is mandatory for this action.');
    case 'missing':
      return openApiError(`Missing${problem.name}`, `${problem.name} is mandatory for this action.`);
    case 'incomplete':
      return openApiError('IncompleteSignature', `The request signature is incomplete: ${problem.detail}.`);
    case 'bad-method':
      return openApiError('InvalidSignatureMethod', `Specified signature method is not supported: ${problem.given}.`);
    case 'unknown-key':
      return openApiError('InvalidAccessKeyId.NotFound', 'Specified access key is not found.');
    case 'inactive-key':
      return openApiError('InvalidAccessKeyId.Inactive', 'Specified access key is disabled.');
    case 'security-token':
      if (problem.why === 'missing')
        return openApiError('MissingSecurityToken', 'SecurityToken is mandatory for this action.');
      return openApiError(tokenCodes[problem.why], `${tokenMessages[problem.why]}.`);
    case 'not-own':
      return openApiError('Forbidden.RAM', `${notOwn}.`);
    case 'bad-time':
      return openApiError(
        'InvalidTimeStamp.Format',
        `Specified time stamp or date value is not well formatted: ${problem.given}.`,
      );
    case 'stale':
      return openApiError(
        'InvalidTimeStamp.Expired',
        `Specified time stamp or date value is expired: ${problem.given}.`,
      );
    case 'replayed':
      return openApiError('SignatureNonceUsed', 'Specified signature nonce was used already.');
    case 'overloaded':
      return openApiError('Throttling.User', 'Too many signed requests within 15 minutes. Retry later.');
    case 'mismatch':
      return openApiError(
        'SignatureDoesNotMatch',
        `Specified signature does not match our calculation. server string to sign is:${problem.stringToSign}`,
      );
    default:
      return assertNever(problem);
  }
}

const noMatch =
  'The request signature we calculated does not match the signature you provided. Check your access key and signing method.';

/** For Function Compute. Source: sdk and docs; what has no code of its own there is assumed. */
export function fcSignatureError(problem: SignatureProblem): ApiError {
  switch (problem.kind) {
    case 'unsigned':
      return fcError('MissingRequiredHeader', 'required HTTP header Authorization was not specified');
    case 'missing':
      return fcError('MissingRequiredHeader', `required HTTP header ${problem.name} was not specified`);
    case 'incomplete':
      return fcError('InvalidArgument', `Authorization is incomplete: ${problem.detail}`);
    case 'bad-method':
      return fcError('InvalidArgument', `signature method ${problem.given} is not supported here`);
    case 'unknown-key':
      return fcError('InvalidAccessKeyID', `invalid access key ID '${problem.accessKeyId}'`);
    case 'inactive-key':
      return fcError('AccessDenied', 'the access key is disabled');
    case 'security-token':
      if (problem.why === 'missing') return fcError('MissingRequiredHeader', tokenMessages.missing);
      return fcError(tokenCodes[problem.why], tokenMessages[problem.why]);
    case 'not-own':
      return fcError('AccessDenied', notOwn);
    case 'bad-time':
      return fcError('InvalidArgument', `the date of the request is not well formatted: '${problem.given}'`);
    case 'stale':
      return fcError(
        'RequestTimeTooSkewed',
        'the difference between the request time and the current time is too large',
      );
    case 'replayed':
      return fcError('AccessDenied', 'the signature nonce was used already');
    case 'overloaded':
      return fcError('ResourceExhausted', 'too many signed requests within 15 minutes, retry later');
    case 'mismatch':
      return fcError('SignatureNotMatch', `${noMatch} Server string to sign: ${JSON.stringify(problem.stringToSign)}`);
    default:
      return assertNever(problem);
  }
}
