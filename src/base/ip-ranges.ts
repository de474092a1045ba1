// Sets of IP addresses given as addresses and CIDR blocks, compiled for fast look-ups. Used for access rules and trusted proxies.
import { isIPv4, isIPv6 } from 'node:net';

/** Answers whether an address is in the set. Text that is no address is in none. */
export type IpRanges = { has(address: string): boolean; readonly isEmpty: boolean };

/** Addresses that do not lead across the internet: loopback, private, shared and link-local ones. Source: docs (IANA special-purpose registries). */
export const privateBlocks: readonly string[] = [
  '127.0.0.0/8',
  '::1/128',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
  '169.254.0.0/16',
  'fe80::/10',
];

/** `from` to `to`, both in the set: numbers for IPv4, 32 hex digits for IPv6. */
type Range<Value> = { readonly from: Value; readonly to: Value };

/** IPv4 as a number. The text must be a valid address. */
function numberOf(address: string): number {
  let number = 0;
  let part = 0;
  for (let i = 0; i < address.length; i++) {
    const unit = address.charCodeAt(i);
    if (unit === 46) {
      number = number * 256 + part;
      part = 0;
    } else part = part * 10 + unit - 48;
  }
  return number * 256 + part;
}

/** IPv6 as 32 lower-case hex digits, so that the order of text is the order of addresses. The text must be a valid address. */
function digitsOf(address: string): string {
  let text = address.toLowerCase();
  const dot = text.indexOf('.');
  if (dot !== -1) {
    const start = text.lastIndexOf(':', dot) + 1;
    const number = numberOf(text.slice(start));
    text = `${text.slice(0, start)}${Math.floor(number / 65_536).toString(16)}:${(number % 65_536).toString(16)}`;
  }
  const gap = text.indexOf('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const head = groups(gap === -1 ? text : text.slice(0, gap));
  const tail = gap === -1 ? [] : groups(text.slice(gap + 2));
  const middle = new Array<string>(8 - head.length - tail.length).fill('');
  return [...head, ...middle, ...tail].map((group) => group.padStart(4, '0')).join('');
}

const mappedPrefix = '00000000000000000000ffff';

/** The IPv4 address that an IPv6 one of the form `::ffff:a.b.c.d` is; null for others. */
function mappedNumber(digits: string): number | null {
  return digits.startsWith(mappedPrefix) ? Number.parseInt(digits.slice(24), 16) : null;
}

const blockPattern = /^([^/]+)(?:\/(\d{1,3}))?$/;

type Block =
  | { readonly family: 4; readonly range: Range<number> }
  | { readonly family: 6; readonly range: Range<string> };

function readBlock(text: string): Block | null {
  const [, address = '', bitsText] = blockPattern.exec(text.trim()) ?? [];
  if (isIPv4(address)) {
    const bits = bitsText === undefined ? 32 : Number(bitsText);
    if (bits > 32) return null;
    const size = 2 ** (32 - bits);
    const from = Math.floor(numberOf(address) / size) * size;
    return { family: 4, range: { from, to: from + size - 1 } };
  }
  if (!isIPv6(address) || address.includes('%')) return null;
  const bits = bitsText === undefined ? 128 : Number(bitsText);
  if (bits > 128) return null;
  const digits = digitsOf(address);
  const mapped = mappedNumber(digits);
  if (mapped !== null && bits >= 96) return readBlock(`${dotted(mapped)}/${bits - 96}`);
  return { family: 6, range: { from: masked(digits, bits, '0'), to: masked(digits, bits, 'f') } };
}

function dotted(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
}

/** The first (`0`) or last (`f`) address that shares the first `bits` bits. */
function masked(digits: string, bits: number, fill: '0' | 'f'): string {
  const whole = bits >> 2;
  if (whole === 32) return digits;
  const kept = 0xf << (4 - (bits & 3));
  const digit = Number.parseInt(digits.charAt(whole), 16);
  const edge = fill === '0' ? digit & kept & 0xf : (digit & kept & 0xf) | (~kept & 0xf);
  return digits.slice(0, whole) + edge.toString(16) + fill.repeat(31 - whole);
}

/** Whether a text is an address or a CIDR block, IPv4 or IPv6. */
export function isIpBlock(text: string): boolean {
  return readBlock(text) !== null;
}

/** Sorted, without overlaps. */
function merged<Value extends number | string>(ranges: Range<Value>[]): Range<Value>[] {
  const sorted = ranges.sort((left, right) => (left.from < right.from ? -1 : left.from > right.from ? 1 : 0));
  const out: Range<Value>[] = [];
  for (const range of sorted) {
    const last = out.at(-1);
    if (last === undefined || range.from > last.to) out.push(range);
    else if (range.to > last.to) out[out.length - 1] = { from: last.from, to: range.to };
  }
  return out;
}

function covers<Value extends number | string>(ranges: readonly Range<Value>[], value: Value): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (range === undefined || value < range.from) high = middle - 1;
    else if (value > range.to) low = middle + 1;
    else return true;
  }
  return false;
}

/** Compiles a set. Texts that are no blocks are left out: whoever takes them from people checks them with isIpBlock(). */
export function compileIpRanges(blocks: readonly string[]): IpRanges {
  const four: Range<number>[] = [];
  const six: Range<string>[] = [];
  for (const text of blocks) {
    const block = readBlock(text);
    if (block?.family === 4) four.push(block.range);
    if (block?.family === 6) six.push(block.range);
  }
  const fours = merged(four);
  const sixes = merged(six);
  return {
    isEmpty: fours.length + sixes.length === 0,
    has(address) {
      if (isIPv4(address)) return covers(fours, numberOf(address));
      const zone = address.indexOf('%');
      const bare = zone === -1 ? address : address.slice(0, zone);
      if (!isIPv6(bare)) return false;
      const digits = digitsOf(bare);
      const mapped = mappedNumber(digits);
      return mapped === null ? covers(sixes, digits) : covers(fours, mapped);
    },
  };
}
