// What an action is, per product: a plain function of the parsed call. The endpoints call them; registry.ts lists them.
import type { FcAnswer, FcCall } from './fc/call.ts';
import type { ControlDeps } from './ports.ts';
import type { Arguments } from './rpc/arguments.ts';

/** One call of an RPC action. */
export type RpcCall = { readonly args: Arguments; readonly deps: ControlDeps };

/** Gives the members of the answer, without RequestId and without list wrappers. */
export type RpcAction = (call: RpcCall) => Promise<Readonly<Record<string, unknown>>>;

export type FcAction = (call: FcCall) => Promise<FcAnswer>;

/** `partial`: works within the limits that `note` tells; everything beyond them is refused with an error. */
export type Registered<Action> =
  | { readonly status: 'done'; readonly run: Action }
  | { readonly status: 'partial'; readonly run: Action; readonly note: string };
