// Control's part in calls that one data process passes on to another (elsewhere.ts): asks who would admit them, and carries
// them there and their answers back. Used by server.ts where there are several.
import { ChannelError, type Message } from './base/channel.ts';
import type { Clock } from './base/clock.ts';
import type { PassedCall, Room, RoomAsk, StreamedPart } from './elsewhere.ts';

/** What is needed of a data process. */
export type RelaySlot = {
  readonly place: number;
  /** Resolves when nothing of it is left. */
  readonly ended: Promise<unknown>;
  readonly follower: { caughtUp(): Promise<void> };
  readonly data: { readonly channel: { call: RelayCall } };
};

type RelayCall = (
  name: string,
  data: unknown,
  options?: { readonly body?: Buffer; readonly signal?: AbortSignal },
) => Promise<Message>;

export type RelayDeps = {
  readonly clock: Clock;
  /** How long a process may take to say whether it has room, ms. */
  readonly answerMs: number;
  /** Those that run now. */
  running(): readonly RelaySlot[];
  /** One has not answered in time. */
  onSilent(slot: RelaySlot): void;
  /** Resolves when another is in the place of one that ended; null: none is missing. */
  replaced(): Promise<unknown> | null;
};

/** What the process that runs a passed call is told. `stream` null: the answer goes back whole. */
export type CallHere = {
  readonly request: unknown;
  readonly stream: Omit<StreamedPart, 'head'> | null;
};

export class Relay {
  readonly #deps: RelayDeps;
  /** Those that have not answered in time: they are taken to have no room until they do. Bounded by the processes. */
  readonly #silent = new Set<RelaySlot>();

  constructor(deps: RelayDeps) {
    this.#deps = deps;
  }

  /** Who of the others has room. While one is missing nobody may have it: then when it is there again. */
  async room(from: RelaySlot, ask: RoomAsk, signal: AbortSignal): Promise<Room[]> {
    const rooms = await this.#askOthers(from, ask);
    const replaced = rooms.length > 0 ? null : this.#deps.replaced();
    if (replaced === null) return rooms;
    await Promise.race([replaced, aborted(signal)]);
    return signal.aborted ? [] : await this.#askOthers(from, ask);
  }

  /** Errors: ChannelError when the process has gone, before or while it runs the call. */
  async pass(from: RelaySlot, { data, body }: Message, signal: AbortSignal): Promise<Message> {
    const { to, stream, request } = data as PassedCall;
    const slot = this.#deps.running().find(({ place }) => place === to);
    if (slot === undefined) throw new ChannelError(`no data process has the number ${to}`);
    await slot.follower.caughtUp();
    signal.throwIfAborted();
    const call: CallHere = { request, stream: stream === null ? null : { to: from.place, stream } };
    return await slot.data.channel.call('invokeHere', call, { signal, ...(body === undefined ? {} : { body }) });
  }

  /** Passes a part of an answer on in the order in which it came: nothing may be awaited before. */
  async streamed({ data, body }: Message): Promise<Message> {
    const { to } = data as StreamedPart;
    const slot = this.#deps.running().find(({ place }) => place === to);
    if (slot === undefined) throw new ChannelError(`no data process has the number ${to}`);
    return await slot.data.channel.call('streamed', data, body === undefined ? {} : { body });
  }

  async #askOthers(from: RelaySlot, ask: RoomAsk): Promise<Room[]> {
    const others = this.#deps.running().filter((slot) => slot !== from);
    const rooms = others.map(async (slot) => ({ place: slot.place, requests: await this.#roomOf(slot, ask) }));
    return (await Promise.all(rooms)).filter(({ requests }) => requests > 0);
  }

  async #roomOf(slot: RelaySlot, ask: RoomAsk): Promise<number> {
    if (this.#silent.has(slot)) return 0;
    const asked = slot.follower
      .caughtUp()
      .then(() => slot.data.channel.call('room', ask))
      .then(
        ({ data }) => data as number,
        // It has gone. Once it has ended, it counts as being replaced.
        () => slot.ended.then(() => 0),
      );
    const late = Promise.withResolvers<number>();
    const cancel = this.#deps.clock.after(this.#deps.answerMs, () => {
      this.#silent.add(slot);
      this.#deps.onSilent(slot);
      void asked.then(() => this.#silent.delete(slot));
      late.resolve(0);
    });
    const requests = await Promise.race([asked, late.promise]);
    cancel();
    return requests;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  return promise;
}
