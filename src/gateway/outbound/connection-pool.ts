// Connections to backends, kept open between requests: taken from here for one exchange each. Made once for a gateway.

import { type ConnectDeps, connectBackend, type Origin } from './connect.ts';
import { BackendConnection, type ConnectionOwner } from './connection.ts';
import { BackendFault } from './fault.ts';

export type PoolLimits = {
  /** Connections to one origin. */
  readonly connectionsOfOrigin: number;
  readonly connectionsInAll: number;
  /** Idle connections in all; the oldest are closed beyond it. */
  readonly idleInAll: number;
  /** Requests that wait for a connection to one origin. */
  readonly waitersOfOrigin: number;
  /** How long an idle connection is kept unless the backend says less, ms. */
  readonly idleMs: number;
  /** How long an idle connection has rested so that the backend may be about to close it, ms. */
  readonly restMs: number;
  /** Longest time to connect, ms. An API's own time-out may be shorter. */
  readonly connectMs: number;
};

/** Source: assumed. */
export const defaultPoolLimits: PoolLimits = {
  connectionsOfOrigin: 512,
  connectionsInAll: 8192,
  idleInAll: 2048,
  waitersOfOrigin: 4096,
  idleMs: 15_000,
  restMs: 1_000,
  connectMs: 5_000,
};

type Waiter = { readonly give: (connection: BackendConnection) => void; readonly fail: (error: Error) => void };

type Lanes = {
  readonly origin: Origin;
  /** The most recently used is last. */
  readonly idle: BackendConnection[];
  /** Connected or connecting. */
  open: number;
  readonly waiters: Waiter[];
};

/** How often idle connections are looked at, ms. */
const sweepMs = 1_000;
/** A backend that says `timeout=5` may close a little earlier than we think, ms. */
const hintMarginMs = 1_000;

/**
 * Keep-alive connections by origin. The newest idle one serves next, so that the others can fall idle and be closed.
 *
 * Bounds: PoolLimits. Errors of acquire(): BackendFault `resolve`, `illegal`, `connect`, `tls`, `busy`.
 */
export class ConnectionPool {
  readonly #deps: ConnectDeps;
  readonly #limits: PoolLimits;
  readonly #lanes = new Map<string, Lanes>();
  readonly #laneOf = new Map<BackendConnection, Lanes>();
  readonly #owner: ConnectionOwner;
  #connecting = 0;
  #idle = 0;
  #cancelSweep: (() => void) | null = null;
  #isClosed = false;

  constructor(deps: ConnectDeps, limits: PoolLimits) {
    this.#deps = deps;
    this.#limits = limits;
    this.#owner = { free: (connection) => this.#free(connection), gone: (connection) => this.#gone(connection) };
  }

  get openConnections(): number {
    return this.#laneOf.size + this.#connecting;
  }

  get idleConnections(): number {
    return this.#idle;
  }

  /** An idle connection at once, else a promise of one. `isFresh`: one that has served nothing yet. */
  acquire(origin: Origin, timeoutMs: number, isFresh = false): BackendConnection | Promise<BackendConnection> {
    const lanes = this.#lanesTo(origin);
    const idle = isFresh ? undefined : lanes.idle.pop();
    if (idle !== undefined) {
      this.#idle--;
      return idle;
    }
    if (lanes.open < this.#limits.connectionsOfOrigin) return this.#open(lanes, timeoutMs);
    if (lanes.waiters.length >= this.#limits.waitersOfOrigin) {
      return Promise.reject(new BackendFault('busy', 'too many requests wait for a connection to this backend'));
    }
    return this.#wait(lanes, timeoutMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelSweep?.();
    for (const connection of [...this.#laneOf.keys()]) connection.destroy();
  }

  #lanesTo(origin: Origin): Lanes {
    let lanes = this.#lanes.get(origin.key);
    if (lanes === undefined) {
      lanes = { origin, idle: [], open: 0, waiters: [] };
      this.#lanes.set(origin.key, lanes);
    }
    return lanes;
  }

  #wait(lanes: Lanes, timeoutMs: number): Promise<BackendConnection> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        give: (connection) => {
          cancel();
          resolve(connection);
        },
        fail: (error) => {
          cancel();
          reject(error);
        },
      };
      const cancel = this.#deps.clock.after(timeoutMs, () => {
        const index = lanes.waiters.indexOf(waiter);
        if (index !== -1) lanes.waiters.splice(index, 1);
        this.#forgetIfUnused(lanes);
        reject(new BackendFault('busy', 'no connection to this backend became free'));
      });
      lanes.waiters.push(waiter);
    });
  }

  async #open(lanes: Lanes, timeoutMs: number): Promise<BackendConnection> {
    if (this.#isClosed || this.openConnections >= this.#limits.connectionsInAll) {
      this.#closeOldestIdle();
      if (this.#isClosed || this.openConnections >= this.#limits.connectionsInAll) {
        this.#forgetIfUnused(lanes);
        throw new BackendFault('busy', 'too many connections to backends are open');
      }
    }
    lanes.open++;
    this.#connecting++;
    try {
      const limit = Math.min(timeoutMs, this.#limits.connectMs);
      const socket = await connectBackend(lanes.origin, limit, this.#deps);
      const connection = new BackendConnection(socket, this.#owner);
      this.#laneOf.set(connection, lanes);
      if (this.#isClosed) connection.destroy();
      return connection;
    } catch (error) {
      lanes.open--;
      this.#serveWaiter(lanes);
      this.#forgetIfUnused(lanes);
      throw error;
    } finally {
      this.#connecting--;
    }
  }

  /** Whether an idle connection was that for so long that the backend may have closed it. */
  hasRested(connection: BackendConnection): boolean {
    return this.#deps.clock.monotonic() - connection.idleSince >= this.#limits.restMs;
  }

  /** For a connection that was acquired and then not wanted. */
  putBack(connection: BackendConnection): void {
    if (this.#laneOf.has(connection)) this.#free(connection);
  }

  #free(connection: BackendConnection): void {
    const lanes = this.#laneOf.get(connection);
    if (lanes === undefined) return;
    const waiter = lanes.waiters.shift();
    if (waiter !== undefined) {
      waiter.give(connection);
      return;
    }
    connection.idleSince = this.#deps.clock.monotonic();
    lanes.idle.push(connection);
    this.#idle++;
    if (this.#idle > this.#limits.idleInAll) this.#closeOldestIdle();
    this.#cancelSweep ??= this.#deps.clock.after(sweepMs, () => this.#sweep());
  }

  #gone(connection: BackendConnection): void {
    const lanes = this.#laneOf.get(connection);
    if (lanes === undefined) return;
    this.#laneOf.delete(connection);
    lanes.open--;
    const index = lanes.idle.indexOf(connection);
    if (index !== -1) {
      lanes.idle.splice(index, 1);
      this.#idle--;
    }
    this.#serveWaiter(lanes);
    this.#forgetIfUnused(lanes);
  }

  /** A place became free: the one who waits longest opens a connection. */
  #serveWaiter(lanes: Lanes): void {
    if (lanes.open >= this.#limits.connectionsOfOrigin) return;
    const waiter = lanes.waiters.shift();
    if (waiter !== undefined) this.#open(lanes, this.#limits.connectMs).then(waiter.give, waiter.fail);
  }

  #forgetIfUnused(lanes: Lanes): void {
    if (lanes.open === 0 && lanes.waiters.length === 0) this.#lanes.delete(lanes.origin.key);
  }

  /** Oldest of all origins; rare, so looking at them all is fine. */
  #closeOldestIdle(): void {
    let oldest: BackendConnection | null = null;
    for (const { idle } of this.#lanes.values()) {
      const [first] = idle;
      if (first !== undefined && (oldest === null || first.idleSince < oldest.idleSince)) oldest = first;
    }
    if (oldest !== null) this.#dropIdle(oldest);
  }

  #dropIdle(connection: BackendConnection): void {
    this.#gone(connection);
    connection.destroy();
  }

  #sweep(): void {
    const now = this.#deps.clock.monotonic();
    for (const { idle } of [...this.#lanes.values()]) {
      for (const connection of [...idle]) {
        const hint = connection.keepAliveMs;
        const limit = hint === null ? this.#limits.idleMs : Math.min(this.#limits.idleMs, hint - hintMarginMs);
        if (now - connection.idleSince >= limit) this.#dropIdle(connection);
      }
    }
    this.#cancelSweep = this.#idle > 0 && !this.#isClosed ? this.#deps.clock.after(sweepMs, () => this.#sweep()) : null;
  }
}
