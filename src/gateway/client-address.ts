// Which address a request came from. Called by receive.ts.
import { isIP } from 'node:net';
import type { IpRanges } from '../base/ip-ranges.ts';
import type { GatewayRequest } from './context.ts';

/** An IPv4 address in its own notation also where the socket shows it as IPv6. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** Every line of X-Forwarded-For, joined as one list; empty without one. Names are compared without case. */
export function forwardedFor(rawHeaders: readonly string[]): string {
  let list = '';
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== 'x-forwarded-for') continue;
    list += list === '' ? (rawHeaders[i + 1] ?? '') : `, ${rawHeaders[i + 1] ?? ''}`;
  }
  return list;
}

/**
 * The peer's address; when the peer is a trusted proxy, the last one in X-Forwarded-For that is none.
 *
 * Everything left of that one is the caller's own word. What is no address ends the search: the proxy that wrote it is the
 * last that is known then.
 */
export function clientAddress({ peerAddress, rawHeaders }: GatewayRequest, trusted: IpRanges): string {
  let address = plain(peerAddress);
  if (trusted.isEmpty || !trusted.has(address)) return address;
  const hops = forwardedFor(rawHeaders).split(',');
  for (let at = hops.length - 1; at >= 0; at--) {
    const hop = plain((hops[at] ?? '').trim());
    if (hop === '') continue;
    if (isIP(hop) === 0) return address;
    address = hop;
    if (!trusted.has(hop)) return hop;
  }
  return address;
}
