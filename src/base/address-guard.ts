// The guard of everything that is fetched for others: which addresses may be connected to. Asked with the address that a
// connection really goes to, after names were resolved, so that no name can be bent to another place.
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

export type GuardOptions = {
  /** Loopback may be connected to (`dev`); everything else that is refused stays refused. */
  readonly allowsLoopback: boolean;
  /** What the operator opened: addresses or CIDR blocks, as parseBlock() takes them. */
  readonly allowed: readonly string[];
};

/** Why an address is refused, in a few words. */
export type GuardReason =
  | 'own port'
  | 'loopback'
  | 'private'
  | 'link-local'
  | 'metadata'
  | 'reserved'
  | 'not an address';

type Range = { readonly reason: GuardReason; readonly blocks: readonly string[] };

/** Source: docs (IANA special-purpose registries); 100.64/10 also holds the cloud's metadata service, 169.254/16 the usual one. */
const ranges: readonly Range[] = [
  { reason: 'loopback', blocks: ['127.0.0.0/8', '::1/128'] },
  { reason: 'private', blocks: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'] },
  { reason: 'link-local', blocks: ['169.254.0.0/16', 'fe80::/10', 'fec0::/10'] },
  // Of a range that is the internet's; answers every machine of that cloud. Source: docs (learn.microsoft.com, "What is IP address 168.63.129.16?").
  { reason: 'metadata', blocks: ['168.63.129.16/32'] },
  {
    reason: 'reserved',
    blocks: [
      '0.0.0.0/8',
      '192.0.0.0/24',
      '192.0.2.0/24',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '224.0.0.0/4',
      '240.0.0.0/4',
      '::/128',
      '64:ff9b:1::/48',
      '100::/64',
      '2001::/32',
      '2001:db8::/32',
      'ff00::/8',
    ],
  },
];

/** An IPv4 or IPv6 address, or a block of them; null when the text is neither. */
export function parseBlock(text: string): { readonly address: string; readonly bits: number } | null {
  const slash = text.indexOf('/');
  const address = slash === -1 ? text : text.slice(0, slash);
  const family = isIP(address);
  if (family === 0 || address.includes('%')) return null;
  const most = family === 4 ? 32 : 128;
  if (slash === -1) return { address, bits: most };
  const bits = /^\d{1,3}$/.test(text.slice(slash + 1)) ? Number(text.slice(slash + 1)) : most + 1;
  return bits <= most ? { address, bits } : null;
}

/** The IPv4 blocks that are refused unless an operator opens them. */
export function refusedIpv4Blocks(): readonly string[] {
  return ranges.flatMap(({ blocks }) => blocks.filter((block) => !block.includes(':')));
}

/** Errors: throws on a text that parseBlock() does not take; callers check settings before. */
function listOf(blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of blocks) {
    const block = parseBlock(text);
    if (block === null) throw new Error(`'${text}' is no address and no CIDR block`);
    list.addSubnet(block.address, block.bits, familyOf(block.address));
  }
  return list;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

/** The 16 bytes of an IPv6 address in its usual notations; a zone (`%eth0`) is left out. */
function bytesOf(address: string): number[] {
  const zone = address.indexOf('%');
  let text = zone === -1 ? address : address.slice(0, zone);
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.slice(1).map(Number);
    text = `${text.slice(0, dotted.index)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const all = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
  return all.flatMap((group) => [group >> 8, group & 255]);
}

/** The IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4), where packets to the latter end; null when there is none. */
function embeddedAddress(address: string): string | null {
  const bytes = bytesOf(address);
  const isZero = (from: number, to: number) => bytes.slice(from, to).every((byte) => byte === 0);
  const at = (from: number) => bytes.slice(from, from + 4).join('.');
  if (isZero(0, 10) && bytes[10] === 255 && bytes[11] === 255) return at(12);
  if (isZero(0, 12) && !isZero(12, 15)) return at(12);
  if (bytes[0] === 0 && bytes[1] === 0x64 && bytes[2] === 0xff && bytes[3] === 0x9b && isZero(4, 12)) return at(12);
  if (bytes[0] === 0x20 && bytes[1] === 0x02) return at(2);
  return null;
}

/** Addresses that are this machine's, loopback or not. */
function isOwnAddress(address: string): boolean {
  const bare = address.includes('%') ? address.slice(0, address.indexOf('%')) : address;
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === bare) ?? false);
}

/**
 * Decides about addresses. One per process; `addOwnPort` is told each port that the server listens on.
 *
 * An operator's allow list opens ranges, but never the server's own ports on this machine.
 */
export class AddressGuard {
  readonly #allowsLoopback: boolean;
  readonly #allowed: BlockList;
  readonly #refused: readonly { readonly reason: GuardReason; readonly list: BlockList }[];
  readonly #ownPorts = new Set<number>();

  constructor(options: GuardOptions) {
    this.#allowsLoopback = options.allowsLoopback;
    this.#allowed = listOf(options.allowed);
    this.#refused = ranges.map(({ reason, blocks }) => ({ reason, list: listOf(blocks) }));
  }

  addOwnPort(port: number): void {
    this.#ownPorts.add(port);
  }

  /** Why a connection to `address` (no name) and `port` is refused; null when it may be made. */
  refusal(address: string, port: number): GuardReason | null {
    if (isIP(address) === 0) return 'not an address';
    const embedded = isIP(address) === 6 ? embeddedAddress(address) : null;
    if (embedded !== null) return this.refusal(embedded, port);
    const reason = this.#rangeOf(address);
    if (this.isOwn(address, port)) return 'own port';
    if (reason === null || this.#allowed.check(plain(address), familyOf(address))) return null;
    return reason === 'loopback' && this.#allowsLoopback ? null : reason;
  }

  /** Whether the server itself answers there: refused even where an operator vouches for the address. */
  isOwn(address: string, port: number): boolean {
    if (!this.#ownPorts.has(port)) return false;
    const embedded = isIP(address) === 6 ? embeddedAddress(address) : null;
    const real = embedded ?? address;
    const reason = this.#rangeOf(real);
    // 0.0.0.0 and :: lead to this machine as well.
    return reason === 'loopback' || reason === 'reserved' || isOwnAddress(real);
  }

  #rangeOf(address: string): GuardReason | null {
    const bare = plain(address);
    return this.#refused.find(({ list }) => list.check(bare, familyOf(address)))?.reason ?? null;
  }
}

function plain(address: string): string {
  const zone = address.indexOf('%');
  return zone === -1 ? address : address.slice(0, zone);
}
