// What calls of backends share in one data process: connections, breakers, the operator's map, parsed addresses. Made by gateway.ts.
import { AddressGuard } from '../../base/address-guard.ts';
import type { Clock } from '../../base/clock.ts';
import { type Origin, type ResolveName, resolveBySystem } from '../outbound/connect.ts';
import { ConnectionPool, defaultPoolLimits, type PoolLimits } from '../outbound/connection-pool.ts';
import { type BreakerEvent, type BreakerRule, Breakers } from './breaker.ts';

/** What composition may give; without it the rules of `start` hold and no VPC is mapped. */
export type OutboundOptions = {
  readonly guard?: AddressGuard;
  readonly resolve?: ResolveName;
  /** `vpcId/instanceId` → host. */
  readonly vpcTargets?: ReadonlyMap<string, string>;
  readonly poolLimits?: Partial<PoolLimits>;
  readonly breakerRule?: BreakerRule;
  /** Hears what other data processes must know of backends; they tell it to Gateway.breakerEvent(). */
  readonly tellBreakers?: (event: BreakerEvent) => void;
};

/** An address of a backend: where to connect, and the path before the API's own. */
export type BackendAddress = { readonly origin: Origin; readonly basePath: string };

/** Parsed addresses that are kept; stage variables can make many. */
const addressLimit = 10_000;

export class BackendState {
  readonly pool: ConnectionPool;
  readonly breakers: Breakers;
  readonly vpcTargets: ReadonlyMap<string, string>;
  readonly #addresses = new Map<string, BackendAddress | null>();

  constructor(clock: Clock, options: OutboundOptions) {
    const guard = options.guard ?? new AddressGuard({ allowsLoopback: false, allowed: [] });
    const connect = { guard, resolve: options.resolve ?? resolveBySystem, clock };
    this.pool = new ConnectionPool(connect, { ...defaultPoolLimits, ...options.poolLimits });
    this.breakers = new Breakers(clock, options.breakerRule, options.tellBreakers);
    this.vpcTargets = options.vpcTargets ?? new Map();
  }

  /** The parsed form of an address; null when it is no http(s) address. `isTrusted`: an operator named it. */
  addressOf(text: string, hostHeader: string | null, isTrusted: boolean): BackendAddress | null {
    const key = `${isTrusted ? 'vpc' : 'net'} ${hostHeader ?? ''} ${text}`;
    const known = this.#addresses.get(key);
    if (known !== undefined) return known;
    if (this.#addresses.size >= addressLimit) this.#addresses.clear();
    const parsed = parseAddress(text, hostHeader, isTrusted);
    this.#addresses.set(key, parsed);
    return parsed;
  }

  close(): void {
    this.pool.close();
  }
}

/** Header text that may follow `Host:`. */
const hostText = /^[A-Za-z0-9._~:[\]-]{1,255}$/;

function parseAddress(text: string, hostHeader: string | null, isTrusted: boolean): BackendAddress | null {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    return null; // TypeError is the one way in which URL says that it is none.
  }
  if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '' || url.password !== '')
    return null;
  if (hostHeader !== null && !hostText.test(hostHeader)) return null;
  const isTls = url.protocol === 'https:';
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port);
  const named = hostHeader === null ? host : hostHeader.replace(/:\d+$/, '');
  const isAddress = /^[\d.]+$/.test(named) || named.includes(':') || named.startsWith('[');
  return {
    origin: {
      key: `${isTrusted ? 'vpc' : 'net'} ${url.protocol} ${host} ${port} ${hostHeader ?? ''}`,
      isTls,
      host,
      port,
      hostHeader: hostHeader ?? url.host,
      serverName: isAddress ? '' : named,
      isTrusted,
    },
    basePath: url.pathname.endsWith('/') ? url.pathname.slice(0, -1) : url.pathname,
  };
}
