// The data processes of a server: one, or with `--data-processes` several that share the ports, the limits and the nonces.
// server.ts makes it and talks to all of them through it.
import type { Channel, Message } from './base/channel.ts';
import { DataSlot, type SlotOptions } from './data-slot.ts';
import { decodeOutcome, encodeRequest } from './forwarded-invocation.ts';
import type { ApiPlace } from './functions/index.ts';
import type { InvokeFunction } from './model/invocation.ts';
import type { DataMetrics } from './model/metrics.ts';
import { type ListeningAddresses, type ListenOrder, limits, type TlsListening } from './settings.ts';

export type DataProcessesOptions = Omit<SlotOptions, 'name' | 'place' | 'leaseMs' | 'onLaggard'> & {
  readonly count: number;
  /** Whether one of several that ends is replaced; else everything ends with it. */
  readonly replaces: boolean;
  /** Nothing can be served any more. */
  onEnd(reason: string): void;
};

export class DataProcesses {
  /** Called when another process is in the place of one that ended. */
  onReplaced: () => void = () => {};
  readonly #options: DataProcessesOptions;
  readonly #slots: DataSlot[] = [];
  /** What every process was told, in this order, for those that come later. */
  readonly #told = new Map<string, { readonly data: unknown; readonly body?: Buffer }>();
  #addresses: ListeningAddresses | null = null;
  #order: Omit<ListenOrder, 'ports'> | null = null;
  /** When processes were replaced lately, monotonic ms. */
  #replacedAt: number[] = [];
  #next = 0;
  #isClosing = false;
  readonly #replacing = new Set<Promise<void>>();

  private constructor(options: DataProcessesOptions) {
    this.#options = options;
  }

  /** Starts them all; they serve nothing yet. Errors: as DataSlot.start(); nothing is left running then. */
  static async start(options: DataProcessesOptions): Promise<DataProcesses> {
    const all = new DataProcesses(options);
    const starting = Array.from({ length: options.count }, (_, at) => all.#start(at));
    const started = await Promise.allSettled(starting);
    for (const result of started) if (result.status === 'fulfilled') all.#slots.push(result.value);
    const failed = started.find((result) => result.status === 'rejected');
    if (failed === undefined) return all;
    await all.close();
    throw failed.reason;
  }

  /** Brings all of them to the state as it is now; from then on one that ends is noticed. */
  async follow(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.follower.catchUp()));
    for (const [at, slot] of this.#slots.entries()) this.#watch(slot, at);
  }

  /** Those that run now; never none until close(). */
  get running(): readonly DataSlot[] {
    return this.#slots;
  }

  /** Resolves when another is in the place of one that ended; null: none is missing. */
  get replaced(): Promise<unknown> | null {
    return this.#replacing.size === 0 ? null : Promise.race(this.#replacing);
  }

  get first(): DataSlot {
    const [first] = this.#slots;
    if (first === undefined) throw new Error('no data process runs');
    return first;
  }

  /** Tells all of them, and whoever comes later. Errors: rejects when the only one cannot be told. */
  async tell(name: string, data: unknown, body?: Buffer): Promise<void> {
    const message = body === undefined ? { data } : { data, body };
    this.#told.set(name, message);
    await this.#each((channel) => channel.call(name, data, message));
  }

  /** Opens the listeners of all; with several they share the ports. */
  async listen(how: { readonly api: ApiPlace; readonly tls: TlsListening | null }): Promise<ListeningAddresses> {
    const [first, ...others] = this.#slots;
    if (first === undefined) throw new Error('no data process runs');
    this.#order = { ...how, isShared: this.#options.count > 1 };
    const order: ListenOrder = { ...this.#order, ports: null };
    const addresses = (await first.data.channel.call('listen', order)).data as ListeningAddresses;
    this.#addresses = addresses;
    await Promise.all(others.map((slot) => this.#listenToo(slot)));
    return addresses;
  }

  /** Resolves when every process works by this version, or may not serve before it does. */
  async awaitLive(version: number): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.follower.awaitLive(version)));
  }

  /** One after the other takes an invocation; those that are behind are left out. */
  readonly invoke: InvokeFunction = async (request, signal) => {
    const able = this.#slots.filter((slot) => slot.follower.isLive);
    const slots = able.length > 0 ? able : this.#slots;
    const slot = slots[this.#next++ % slots.length];
    if (slot === undefined) throw new Error('no data process runs');
    const { data, body } = encodeRequest(request);
    return decodeOutcome(await slot.data.channel.call('invoke', data, { body, signal }));
  };

  /** The answers of all that run. */
  async ask(name: string, data: unknown = null): Promise<{ readonly slot: DataSlot; readonly answer: Message }[]> {
    const asked = this.#slots.map(async (slot) => ({ slot, answer: await slot.data.channel.call(name, data) }));
    if (this.#options.count === 1) return await Promise.all(asked);
    const answers = await Promise.allSettled(asked);
    return answers.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }

  async metrics(): Promise<{ readonly name: string; readonly metrics: DataMetrics }[]> {
    const answers = await this.ask('metrics');
    return answers.map(({ slot, answer }) => ({ name: slot.name, metrics: answer.data as DataMetrics }));
  }

  /** Tells all but one; what cannot be told has ended and is being replaced. */
  noteOthers(from: DataSlot, name: string, data: unknown): void {
    for (const slot of this.#slots) if (slot !== from) slot.data.channel.note(name, data);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#replacing);
    await Promise.all(this.#slots.map((slot) => slot.close()));
  }

  /** With one process a failure is the caller's; of several, one that fails is replaced and hears it then. */
  async #each(call: (channel: Channel) => Promise<unknown>): Promise<void> {
    const calls = this.#slots.map((slot) => call(slot.data.channel));
    if (this.#options.count === 1) await Promise.all(calls);
    else await Promise.allSettled(calls);
  }

  #start(at: number): Promise<DataSlot> {
    const { count, ...options } = this.#options;
    const name = count === 1 ? 'data' : `data-${at + 1}`;
    const leaseMs = count === 1 ? null : limits.servingLeaseMs;
    const onLaggard = (error: Error) => {
      const slot = this.#slots.find((one) => one.name === name);
      if (count === 1) options.onEnd(error.message);
      else slot?.data.kill('SIGKILL');
    };
    return DataSlot.start({ ...options, name, place: at, leaseMs, onLaggard });
  }

  #watch(slot: DataSlot, at: number): void {
    void slot.ended.then((reason) => {
      if (this.#isClosing) return;
      if (this.#options.count === 1 || !this.#options.replaces || this.#isDying()) {
        this.#options.onEnd(reason);
        return;
      }
      const replacing = this.#replace(slot, at, reason);
      this.#replacing.add(replacing);
      void replacing.then(() => this.#replacing.delete(replacing));
    });
  }

  /** Whether processes end faster than they can be of use. */
  #isDying(): boolean {
    const now = performance.now();
    this.#replacedAt = [...this.#replacedAt.filter((at) => now - at < limits.replacementWindowMs), now];
    return this.#replacedAt.length > limits.replacements;
  }

  /** The others serve meanwhile. Never rejects: when it cannot be done, the server ends. */
  async #replace(slot: DataSlot, at: number, reason: string): Promise<void> {
    const { log, onEnd } = this.#options;
    try {
      log.error(`${reason}: it is replaced, the others go on`, { process: slot.name });
      this.#slots.splice(this.#slots.indexOf(slot), 1);
      if (this.#slots.length === 0) throw new Error('no data process runs any more');
      await slot.close();
      const next = await this.#start(at);
      try {
        for (const [name, message] of this.#told) await next.data.channel.call(name, message.data, message);
        await next.follower.catchUp();
        // Before it listens, so that no write is acknowledged without it.
        this.#slots.push(next);
        await this.#listenToo(next);
      } catch (error) {
        if (this.#slots.includes(next)) this.#slots.splice(this.#slots.indexOf(next), 1);
        await next.close();
        throw error;
      }
      this.#watch(next, at);
      this.onReplaced();
      log.info('a data process is in the place of the one that ended', { process: next.name });
    } catch (error) {
      if (!this.#isClosing) onEnd(`${reason}, and no other could be started: ${String(error)}`);
    }
  }

  async #listenToo(slot: DataSlot): Promise<void> {
    if (this.#order === null || this.#addresses === null) return;
    await slot.data.channel.call('listen', { ...this.#order, ports: portsOf(this.#addresses) } satisfies ListenOrder);
  }
}

function portsOf(addresses: ListeningAddresses): ListenOrder['ports'] {
  const portOf = (url: string) => {
    const { port, protocol } = new URL(url);
    return Number(port || (protocol === 'https:' ? 443 : 80));
  };
  const { gateway, gatewayTls, http } = addresses;
  return {
    gateway: portOf(gateway),
    gatewayTls: gatewayTls === null ? null : portOf(gatewayTls),
    http: portOf(http),
  };
}
