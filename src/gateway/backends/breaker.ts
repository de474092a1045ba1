// The breaker that every API has: after too many time-outs of its backend, calls are refused for a while. Used by reply.ts.
import type { Clock } from '../../base/clock.ts';
import { refuse } from '../errors.ts';

export type BreakerRule = {
  readonly timeouts: number;
  readonly windowMs: number;
  readonly openMs: number;
};

/** Source: docs. */
export const defaultBreakerRule: BreakerRule = { timeouts: 1000, windowMs: 30_000, openMs: 90_000 };

/** What one data process sees of a backend and the others must know: a time-out counts everywhere, and so does the end of a probe. */
export type BreakerEvent = { readonly kind: 'timed-out' | 'opened' | 'closed'; readonly key: string };

/** APIs with recent time-outs that are counted at once; beyond it the oldest is forgotten. */
const countedLimit = 10_000;

type State =
  | { readonly kind: 'counting'; since: number; count: number }
  | { readonly kind: 'open'; readonly until: number }
  /** One call is on its way to find out. */
  | { readonly kind: 'probing' };

/** The API in its stage. */
export function breakerKey({
  api,
  stage,
}: {
  readonly api: { readonly apiId: string };
  readonly stage: string;
}): string {
  return `${api.apiId}/${stage}`;
}

/** By breakerKey(); only APIs whose backend timed out lately are held. */
export class Breakers {
  readonly #clock: Clock;
  readonly #rule: BreakerRule;
  readonly #tell: (event: BreakerEvent) => void;
  readonly #states = new Map<string, State>();

  /** `tell` hears what other data processes must know. */
  constructor(clock: Clock, rule: BreakerRule = defaultBreakerRule, tell: (event: BreakerEvent) => void = () => {}) {
    this.#clock = clock;
    this.#rule = rule;
    this.#tell = tell;
  }

  /** What another process saw. Each process probes for itself, and one that finds the backend well closes the breaker everywhere. */
  hear({ kind, key }: BreakerEvent): void {
    const state = this.#states.get(key);
    if (kind === 'opened') this.#open(key, this.#clock.monotonic());
    else if (kind === 'closed') {
      if (state !== undefined && state.kind !== 'counting') this.#states.delete(key);
    } else if (state === undefined || state.kind === 'counting') this.#timedOut(key);
  }

  /** Errors: D503CB while open, D503BB while another call probes. */
  admit(key: string, apiName: string): void {
    if (this.#states.size === 0) return;
    const state = this.#states.get(key);
    if (state === undefined || state.kind === 'counting') return;
    if (state.kind === 'probing') throw busy(apiName);
    const leftMs = state.until - this.#clock.monotonic();
    if (leftMs > 0) throw open(apiName, leftMs, this.#rule);
    this.#states.set(key, { kind: 'probing' });
  }

  /** The backend answered, in time. Whether well or badly does not matter here. */
  answered(key: string): void {
    if (this.#states.size === 0 || this.#states.get(key)?.kind !== 'probing') return;
    this.#states.delete(key);
    this.#tell({ kind: 'closed', key });
  }

  timedOut(key: string): void {
    const wasProbe = this.#states.get(key)?.kind === 'probing';
    this.#timedOut(key);
    this.#tell({ kind: wasProbe ? 'opened' : 'timed-out', key });
  }

  #timedOut(key: string): void {
    const now = this.#clock.monotonic();
    const state = this.#states.get(key);
    if (state?.kind === 'open') return;
    if (state?.kind === 'probing') return void this.#open(key, now);
    if (state === undefined || now - state.since > this.#rule.windowMs) {
      this.#count(key, now);
      return;
    }
    state.count++;
    if (state.count >= this.#rule.timeouts) this.#open(key, now);
  }

  /** The probe ended without telling anything about the backend: the next call probes. */
  unsettled(key: string): void {
    if (this.#states.size > 0 && this.#states.get(key)?.kind === 'probing') {
      this.#states.set(key, { kind: 'open', until: this.#clock.monotonic() });
    }
  }

  #count(key: string, now: number): void {
    this.#states.delete(key);
    if (this.#states.size >= countedLimit) {
      for (const oldest of this.#states.keys()) {
        this.#states.delete(oldest);
        break;
      }
    }
    this.#states.set(key, { kind: 'counting', since: now, count: 1 });
    if (this.#rule.timeouts <= 1) this.#open(key, now);
  }

  #open(key: string, now: number): void {
    this.#states.set(key, { kind: 'open', until: now + this.#rule.openMs });
  }
}

function open(apiName: string, leftMs: number, rule: BreakerRule): Error {
  const seconds = Math.ceil(leftMs / 1000);
  return refuse(
    'D503CB',
    { Reason: `${rule.timeouts} timeouts in ${rule.windowMs / 1000}s, retry after ${seconds}s` },
    {
      side: 'api-owner',
      field: 'backend',
      message: `The backend of the API ${apiName} timed out ${rule.timeouts} times in ${rule.windowMs / 1000} s, so the gateway does not call it for ${seconds} s more.`,
    },
  );
}

function busy(apiName: string): Error {
  return refuse(
    'D503BB',
    {},
    {
      side: 'api-owner',
      field: 'backend',
      message: `The backend of the API ${apiName} timed out many times; one call is trying it just now, and the others are refused until that is answered.`,
    },
  );
}
