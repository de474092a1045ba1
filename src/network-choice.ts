// Which network functions get: what was asked for beside what is to be had. Used by launcher-start.ts.
import { parseBlock, refusedIpv4Blocks } from './base/address-guard.ts';
import type { Ipv4Block, NetworkMode, NetworkPolicy } from './functions/index.ts';

/** Instances may reach what no backend is refused, and what the operator opens. IPv4 only: they have no other. */
export function networkPolicy(allowed: readonly string[]): NetworkPolicy {
  return { allowed: allowed.flatMap(ipv4Block), refused: refusedIpv4Blocks().flatMap(ipv4Block) };
}

function ipv4Block(text: string): Ipv4Block[] {
  const block = parseBlock(text);
  return block === null || block.address.includes(':') ? [] : [block];
}

export type NetworkChoice =
  | { readonly ok: true; readonly mode: NetworkMode; readonly remark: string | null }
  | { readonly ok: false; readonly why: string };

/**
 * The mode that was asked for, or the best. Less than what was asked for is refused; less than the best is remarked.
 *
 * `noNetwork`: why there is nothing but the host's network; null: there is.
 */
export function chooseNetwork(asked: NetworkMode | null, noNetwork: string | null): NetworkChoice {
  if (asked === 'host') return { ok: true, mode: 'host', remark: null };
  if (noNetwork === null) return { ok: true, mode: asked ?? 'open', remark: null };
  if (asked !== null) return { ok: false, why: `the network mode '${asked}' cannot be had here: ${noNetwork}` };
  return { ok: true, mode: 'host', remark: `functions share the host's network: ${noNetwork}` };
}
