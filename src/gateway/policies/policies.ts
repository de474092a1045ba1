// The part of the snapshot that holds policies: traffic controls, IP controls and signature keys, and what is bound to which API.
// Edited by snapshot.ts, read by the steps that apply them.
import { ShardedMap, type ShardedMapEditor } from '../../base/sharded-map.ts';
import type { Change, PublishedPolicies, PublishedSignatureKey } from '../../model/published.ts';
import { type CompiledIpControl, compileIpControl } from './ip-control.ts';
import { type CompiledTrafficControl, compileTrafficControl } from './traffic-control.ts';

export type Policies = {
  /** By id, like the next two. */
  readonly trafficControls: ShardedMap<CompiledTrafficControl>;
  readonly ipControls: ShardedMap<CompiledIpControl>;
  readonly signatureKeys: ShardedMap<PublishedSignatureKey>;
  /** By `apiId/stage`. */
  readonly bindings: ShardedMap<PublishedPolicies>;
};

export const noPolicies: Policies = {
  trafficControls: ShardedMap.empty(),
  ipControls: ShardedMap.empty(),
  signatureKeys: ShardedMap.empty(),
  bindings: ShardedMap.empty(),
};

export type PoliciesEditor = {
  readonly trafficControls: ShardedMapEditor<CompiledTrafficControl>;
  readonly ipControls: ShardedMapEditor<CompiledIpControl>;
  readonly signatureKeys: ShardedMapEditor<PublishedSignatureKey>;
  readonly bindings: ShardedMapEditor<PublishedPolicies>;
  done(): Policies;
};

export function editPolicies(from: Policies): PoliciesEditor {
  const trafficControls = from.trafficControls.edit();
  const ipControls = from.ipControls.edit();
  const signatureKeys = from.signatureKeys.edit();
  const bindings = from.bindings.edit();
  return {
    trafficControls,
    ipControls,
    signatureKeys,
    bindings,
    done: () => ({
      trafficControls: trafficControls.done(),
      ipControls: ipControls.done(),
      signatureKeys: signatureKeys.done(),
      bindings: bindings.done(),
    }),
  };
}

type PolicyChange = Extract<Change, { kind: 'trafficControl' | 'ipControl' | 'signatureKey' | 'policies' }>;

export function changePolicies(editor: PoliciesEditor, change: PolicyChange): void {
  switch (change.kind) {
    case 'trafficControl':
      if (change.value === null) editor.trafficControls.delete(change.key);
      else editor.trafficControls.set(change.key, compileTrafficControl(change.value));
      return;
    case 'ipControl':
      if (change.value === null) editor.ipControls.delete(change.key);
      else editor.ipControls.set(change.key, compileIpControl(change.value));
      return;
    case 'signatureKey':
      if (change.value === null) editor.signatureKeys.delete(change.key);
      else editor.signatureKeys.set(change.key, change.value);
      return;
    case 'policies':
      if (change.value === null) editor.bindings.delete(change.key);
      else editor.bindings.set(change.key, change.value);
      return;
  }
}
