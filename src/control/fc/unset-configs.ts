// Reads of what cannot be set here: asynchronous invocation and VPC bindings. Deploy tools make them before they deploy, and go on
// when they hear what the cloud says of a function for which nothing was set, which is the truth here.
import { latest } from '../../model/function.ts';
import type { ReadTransaction } from '../../store/port.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { queryValue } from '../received.ts';
import type { FcCall } from './call.ts';
import { getFunction, getService, namedFunction, parseFc3Name } from './names.ts';
import { readFcPage } from './pages.ts';
import { checkQualifier } from './qualifiers.ts';

/** Errors: ServiceNotFound, FunctionNotFound, VersionNotFound, AliasNotFound. */
async function checkFunction(tx: ReadTransaction, call: FcCall): Promise<void> {
  const found = await getFunction(tx, namedFunction(call));
  if (call.qualifier !== latest) await checkQualifier(tx, found, call.qualifier);
}

/** Always AsyncConfigNotExists for a function that is there. Source: sdk for the code; the message assumed. */
export const getAsyncConfig: FcAction = async (call) => {
  await call.deps.store.read((tx) => checkFunction(tx, call));
  const name = call.path['functionName'] ?? '';
  throw fcError(
    'AsyncConfigNotExists',
    `async config of function '${name}' and qualifier '${call.qualifier}' does not exist`,
  );
};

/** Of one function; in FC 3, where the path names none, of the one in the query or of all. */
export const listAsyncConfigs: FcAction = async (call) => {
  readFcPage(call.received);
  const asked = queryValue(call.received.query, 'functionName') ?? '';
  await call.deps.store.read(async (tx) => {
    if (call.version !== '2023-03-30') await getFunction(tx, namedFunction(call));
    else if (asked !== '') await getFunction(tx, parseFc3Name(asked));
  });
  return { kind: 'json', value: { configs: [] } };
};

/** Of a service in FC 2, of a function in FC 3. */
export const listVpcBindings: FcAction = async (call) => {
  await call.deps.store.read(async (tx) => {
    if (call.version === '2023-03-30') await getFunction(tx, namedFunction(call));
    else await getService(tx, call.path['serviceName'] ?? '');
  });
  return { kind: 'json', value: { vpcIds: [] } };
};
