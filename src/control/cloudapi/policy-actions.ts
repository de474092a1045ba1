// What the actions on traffic controls, IP controls and signature keys do alike: binding, and listing. Used by the files of the three.
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { byAge, isAsked, isLike, paged, scan } from './lookup.ts';
import {
  apisOfPolicy,
  bindApis,
  type PolicyType,
  policiesOfGroup,
  policyLimit,
  unbindApis,
} from './policy-bindings.ts';

export type BindingActions = {
  /** Set…Apis and Remove…Apis. */
  readonly bind: RpcAction;
  readonly unbind: RpcAction;
  /** DescribeApisBy… */
  readonly apis: RpcAction;
  /** DescribeApi…s */
  readonly ofGroup: RpcAction;
};

/** The four actions on what a kind of policy is bound to. `listName`: of the last one's answer. */
export function bindingActions(type: PolicyType, listName: string): BindingActions {
  return {
    bind: async (call) => ({ ...(await bindApis(type, call)) }),
    unbind: async (call) => ({ ...(await unbindApis(type, call)) }),
    apis: (call) => apisOfPolicy(type, call),
    ofGroup: (call) => policiesOfGroup(type, listName, call),
  };
}

/** The half of a collection of the store that policies need. */
type Listed<Row> = { list(page: { startKey?: string; limit: number }): Promise<Row[]> };

/** Called before one is added. Errors: ExceedLimit… */
export async function refuseOneMore({ thing }: PolicyType, rows: Listed<unknown>): Promise<void> {
  if ((await rows.list({ limit: policyLimit })).length < policyLimit) return;
  throw openApiError(`ExceedLimit${thing}`, `There may be at most ${policyLimit} resources [${thing}].`);
}

/** Bounded by policyLimit. */
export function allPolicies<Row>(rows: Listed<Row>, idOf: (row: Row) => string): Promise<Row[]> {
  return scan((page) => rows.list(page), idOf);
}

/** Describe…s: a page of those that the id and the name in the arguments ask for, by age. */
export function pageOfPolicies<Row extends { readonly name: string; readonly createdAt: number }>(
  type: PolicyType,
  args: Arguments,
  rows: readonly Row[],
  idOf: (row: Row) => string,
) {
  const id = args.optionalText(type.idName);
  const name = args.optionalText(type.idName.replace(/Id$/, 'Name'));
  const found = rows.filter((row) => isAsked(idOf(row), id) && isLike(row.name, name));
  return paged(args, byAge(found, args));
}
