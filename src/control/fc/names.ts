// Names, qualifiers and ETags of Function Compute, and how rows are found by them.
import { functionKey } from '../../model/function.ts';
import type { ReadTransaction } from '../../store/port.ts';
import type { FunctionRow, ServiceRow } from '../../store/rows.ts';
import { headerText } from '../../wire/openapi-signature.ts';
import { fcError } from '../errors.ts';
import type { Received } from '../received.ts';
import type { FcCall } from './call.ts';

/** Errors: InvalidArgument. Source: docs (fc-api.md 4.2). */
export function checkName(kind: 'ServiceName' | 'FunctionName', name: string): string {
  const maxLength = kind === 'ServiceName' ? 128 : 64;
  if (name === '') throw fcError('InvalidArgument', `${kind} is required`);
  if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) || name.length > maxLength) {
    const rule = `1-${maxLength} letters, digits, '_' or '-', not starting with a digit or '-'`;
    throw fcError(
      'InvalidArgument',
      `${kind} is set to an invalid value (allowed: ${rule}, actual: '${name.slice(0, 150)}')`,
    );
  }
  return name;
}

export async function getService(tx: ReadTransaction, name: string): Promise<ServiceRow> {
  const row = await tx.rows.services.get(name);
  if (row === null) throw fcError('ServiceNotFound', `service '${name}' does not exist`);
  return row;
}

/** A function of FC 2 has this name in FC 3. Source: assumed (fc-api.md 1). */
export function fc3Name(row: FunctionRow): string {
  return row.serviceName === null ? row.functionName : `${row.serviceName}$${row.functionName}`;
}

/** What the path names, in whichever version. Service null: FC 3. */
export function namedFunction(call: FcCall): { readonly serviceName: string | null; readonly functionName: string } {
  const functionName = call.path['functionName'] ?? '';
  if (call.version !== '2023-03-30') return { serviceName: call.path['serviceName'] ?? '', functionName };
  const at = functionName.indexOf('$');
  if (at === -1) return { serviceName: null, functionName };
  return { serviceName: functionName.slice(0, at), functionName: functionName.slice(at + 1) };
}

/** Source: docs (fc-api.md 4.1). */
export function functionNotFound(serviceName: string | null, functionName: string): Error {
  const where = serviceName === null ? '' : ` in service '${serviceName}'`;
  return fcError('FunctionNotFound', `function '${functionName}' does not exist${where}`);
}

export async function getFunction(
  tx: ReadTransaction,
  name: { serviceName: string | null; functionName: string },
): Promise<FunctionRow> {
  const { serviceName, functionName } = name;
  if (serviceName !== null) await getService(tx, serviceName);
  const row = await tx.rows.functions.get(functionKey(serviceName, functionName));
  if (row === null) throw functionNotFound(serviceName, functionName);
  return row;
}

/** Only LATEST exists until versions can be published. Source: docs (fc-api.md 4.1). */
export function requireLatest(call: FcCall): void {
  const { qualifier } = call;
  if (qualifier === 'LATEST') return;
  const { serviceName, functionName } =
    'functionName' in call.path
      ? namedFunction(call)
      : { serviceName: call.path['serviceName'] ?? '', functionName: '' };
  const owner = serviceName === null ? `function '${functionName}'` : `service '${serviceName}'`;
  if (/^\d+$/.test(qualifier)) throw fcError('VersionNotFound', `version '${qualifier}' of ${owner} does not exist`);
  throw fcError('AliasNotFound', `alias '${qualifier}' of ${owner} does not exist`);
}

/** Refuses when the caller's If-Match is not the row's ETag. Quotes do not count. Source: sdk (fc-api.md 4.4). */
export function checkIfMatch(received: Received, etag: string): void {
  const wanted = headerText(received.headers, 'if-match').replace(/^W\//, '').replaceAll('"', '').trim();
  if (wanted === '' || wanted === '*' || wanted === etag) return;
  throw fcError('PreconditionFailed', 'the resource being modified has been changed');
}
