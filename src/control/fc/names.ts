// Names, qualifiers and ETags of Function Compute, and how rows are found by them.
import { functionKey } from '../../model/function.ts';
import type { ReadTransaction } from '../../store/port.ts';
import type { FunctionRow, ServiceRow } from '../../store/rows.ts';
import { headerText } from '../../wire/openapi-signature.ts';
import { fcError } from '../errors.ts';
import type { Received } from '../received.ts';
import type { FcCall } from './call.ts';

const nameLengths = { ServiceName: 128, FunctionName: 64, AliasName: 128, LayerName: 128, TriggerName: 128 } as const;

/** Errors: InvalidArgument. Source: docs. */
export function checkName(kind: keyof typeof nameLengths, name: string): string {
  const maxLength = nameLengths[kind];
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

/** A function of FC 2 has this name in FC 3. Source: assumed. */
export function fc3Name(row: FunctionName): string {
  return row.serviceName === null ? row.functionName : `${row.serviceName}$${row.functionName}`;
}

/** Service null: FC 3. */
export type FunctionName = { readonly serviceName: string | null; readonly functionName: string };

/** The opposite of fc3Name(). */
export function parseFc3Name(name: string): FunctionName {
  const at = name.indexOf('$');
  if (at === -1) return { serviceName: null, functionName: name };
  return { serviceName: name.slice(0, at), functionName: name.slice(at + 1) };
}

/** What the path names, in whichever version. */
export function namedFunction(call: FcCall): FunctionName {
  const functionName = call.path['functionName'] ?? '';
  if (call.version === '2023-03-30') return parseFc3Name(functionName);
  return { serviceName: call.path['serviceName'] ?? '', functionName };
}

/** Source: docs. */
export function functionNotFound(serviceName: string | null, functionName: string): Error {
  const where = serviceName === null ? '' : ` in service '${serviceName}'`;
  return fcError('FunctionNotFound', `function '${functionName}' does not exist${where}`);
}

export async function getFunction(
  tx: ReadTransaction,
  { serviceName, functionName }: FunctionName,
): Promise<FunctionRow> {
  if (serviceName !== null) await getService(tx, serviceName);
  const row = await tx.rows.functions.get(functionKey(serviceName, functionName));
  if (row === null) throw functionNotFound(serviceName, functionName);
  return row;
}

/** Refuses when the caller's If-Match is not the row's ETag. Quotes do not count. Source: sdk. */
export function checkIfMatch(received: Received, etag: string): void {
  const wanted = headerText(received.headers, 'if-match').replace(/^W\//, '').replaceAll('"', '').trim();
  if (wanted === '' || wanted === '*' || wanted === etag) return;
  throw fcError('PreconditionFailed', 'the resource being modified has been changed');
}
