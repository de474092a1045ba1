// What each kind of caller may do, and what a read-only one is not shown. Asked by the endpoints once a signature is verified.
import { assertNever } from '../base/assert-never.ts';
import type { Caller } from './authenticate.ts';
import { type ApiError, fcError, openApiError } from './errors.ts';

/** `FC`, `CloudAPI`, `Dysmsapi`, or `yunmen` for this server's own calls. */
export type Product = string;

/** What code of a function may call with its own credentials: calls of the data plane only. */
const functionOperations: Readonly<Record<Product, ReadonlySet<string>>> = { FC: new Set(['InvokeFunction']) };

/** Reading operations that are asked for a secret, or for a right to write. */
const secretOperations: ReadonlySet<string> = new Set([
  'DescribeAppSecurity',
  'DescribeAppSecurities',
  'GetTempBucketToken',
  'GetTempCodeBucketPermission',
]);

/** Members of other answers that hold secrets. */
const secretMembers: ReadonlySet<string> = new Set([
  'AppCode',
  'AppSecret',
  'CertificatePrivateKey',
  'SignatureSecret',
  'environmentVariables',
  'privateKey',
]);

export function isAllowed(caller: Caller, product: Product, operation: string): boolean {
  switch (caller.kind) {
    case 'function':
      return functionOperations[product]?.has(operation) ?? false;
    case 'key':
      return caller.access === 'admin' || (/^(Describe|Get|List)/.test(operation) && !secretOperations.has(operation));
    default:
      return assertNever(caller);
  }
}

/**
 * The error of a call that the caller may not make, in the product's own words.
 * Source: docs; the messages assumed.
 */
export function forbidden(product: Product, operation: string): ApiError {
  switch (product) {
    case 'FC':
      return fcError('AccessDenied', `the caller is not authorized to perform 'fc:${operation}'`);
    case 'CloudAPI':
      return openApiError('NoPermission', `You are not authorized to perform ${operation}.`);
    default:
      return openApiError('Forbidden.RAM', `User not authorized to operate on the specified resource: ${operation}.`);
  }
}

const hidden = '******';

/** An answer as `caller` may see it: to a read-only key secrets are hidden, at any depth. Others get the same object. */
export function showTo(caller: Caller, answer: unknown): unknown {
  return caller.kind === 'key' && caller.access === 'read-only' ? withoutSecrets(answer) : answer;
}

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]): [string, unknown] => [
    name,
    secretMembers.has(name) ? hide(member) : withoutSecrets(member),
  ]);
  return Object.fromEntries(members);
}

/** Names stay (of variables, say); every value becomes stars. */
function hide(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value === null || value === '' ? value : hidden;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, hide(member)]));
}
