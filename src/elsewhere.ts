// Calls for which this one of several data processes may have no more instances, though another may: it asks who would admit
// them, and passes them on through control (relay.ts). Asked by functions before it refuses; never by a call that finds room.
import type { Message } from './base/channel.ts';
import { decodeOutcome, encodeRequest } from './forwarded-invocation.ts';
import type { InvokeElsewhere } from './functions/index.ts';
import type { FunctionTarget } from './model/api.ts';
import type { HttpHandlerHead } from './model/http-handler.ts';
import type { InvocationOutcome, InvokeRefusalCode, InvokeRequest, ResponseSink } from './model/invocation.ts';

/** JSON: how many calls of a function need a process that admits them. */
export type RoomAsk = { readonly target: FunctionTarget; readonly wanted: number };
/** JSON: how many of them the process with this number would admit now. */
export type Room = { readonly place: number; readonly requests: number };
/** JSON: a call for the process `to`; the event beside it. `stream`: parts of the answer go there; null: it comes whole. */
export type PassedCall = { readonly to: number; readonly stream: number | null; readonly request: unknown };
/** JSON: a part of an answer on its way back to the process `to`; a chunk of the body is beside it. */
export type StreamedPart = { readonly to: number; readonly stream: number; readonly head: HttpHandlerHead | null };

export type ElsewhereDeps = {
  /** None: nobody has room. Errors: rejects when control does not answer in time. */
  askRoom(ask: RoomAsk): Promise<readonly Room[]>;
  /** Errors: rejects when that process or control has gone. */
  pass(call: PassedCall, event: Buffer, signal: Parameters<InvokeElsewhere>[1]): Promise<Message>;
  /** For the operator. */
  onTrouble(error: Error): void;
  /** Calls that may wait to hear who has room, and bytes of events that may be on their way at once. */
  readonly limits: { readonly waiting: number; readonly bytes: number };
};

/** Who said that there is room may have given it away meanwhile: so often is asked again. */
const attempts = 10;

export class Elsewhere {
  readonly #deps: ElsewhereDeps;
  /** By function and qualifier: the calls for which control is asked next. A key is here while it is being asked for one. */
  readonly #asking = new Map<string, ((place: number | null) => void)[]>();
  #waiting = 0;
  #bytes = 0;
  readonly #streams = new Map<number, ResponseSink>();
  #nextStream = 1;

  constructor(deps: ElsewhereDeps) {
    this.#deps = deps;
  }

  /** The outcome by another process; null: none admits it. */
  readonly invoke: InvokeElsewhere = async (request, signal) => {
    const { limits } = this.#deps;
    const bytes = request.event.length;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (this.#waiting >= limits.waiting || this.#bytes + bytes > limits.bytes) return null;
      this.#bytes += bytes;
      try {
        const place = await this.#findPlace(request.target);
        if (signal.aborted) return refused('ClientClosedRequest', 'Invocation canceled by client');
        if (place === null) return null;
        const outcome = await this.#pass(place, request, signal);
        if (outcome.kind !== 'refused' || outcome.code !== 'ResourceExhausted') return outcome;
      } finally {
        this.#bytes -= bytes;
      }
    }
    return null;
  };

  /** A part of an answer that another process makes for one of our callers. Resolves when more may come. */
  async streamed({ data, body }: Message): Promise<void> {
    const { stream, head } = data as StreamedPart;
    const sink = this.#streams.get(stream);
    if (sink === undefined) return; // its caller has gone
    if (head !== null) sink.head(head);
    if (body !== undefined && !sink.write(body)) await sink.drained();
  }

  /** The process that has room; null: none has. Calls that come while control is asked make the next question. */
  async #findPlace(target: FunctionTarget): Promise<number | null> {
    const key = JSON.stringify([target.serviceName, target.functionName, target.qualifier]);
    const { promise, resolve } = Promise.withResolvers<number | null>();
    const asking = this.#asking.get(key);
    if (asking !== undefined) asking.push(resolve);
    else {
      const calls = [resolve];
      this.#asking.set(key, calls);
      void this.#ask(key, target, calls);
    }
    this.#waiting += 1;
    const place = await promise;
    this.#waiting -= 1;
    return place;
  }

  async #ask(key: string, target: FunctionTarget, calls: ((place: number | null) => void)[]): Promise<void> {
    while (calls.length > 0) {
      const batch = calls.splice(0);
      try {
        const places = spread(await this.#deps.askRoom({ target, wanted: batch.length }), batch.length);
        for (const [at, tell] of batch.entries()) tell(places[at] ?? null);
      } catch (error) {
        this.#deps.onTrouble(asError(error));
        // Those that came meanwhile have waited as long as any may.
        for (const tell of [...batch, ...calls.splice(0)]) tell(null);
      }
    }
    this.#asking.delete(key);
  }

  async #pass(
    place: number,
    request: InvokeRequest,
    signal: Parameters<InvokeElsewhere>[1],
  ): Promise<InvocationOutcome> {
    const { sink, isUnusable: _isUnusable, ...plain } = request;
    const stream = sink === undefined ? null : this.#openStream(sink);
    const { data, body } = encodeRequest(plain);
    try {
      return decodeOutcome(await this.#deps.pass({ to: place, stream, request: data }, body, signal));
    } catch (error) {
      if (signal.aborted) return refused('ClientClosedRequest', 'Invocation canceled by client');
      this.#deps.onTrouble(asError(error));
      return refused('InternalServerError', 'the process that ran the function has ended');
    } finally {
      if (stream !== null) this.#streams.delete(stream);
    }
  }

  /** Bounded by the calls that are passed on. */
  #openStream(sink: ResponseSink): number {
    const stream = this.#nextStream;
    this.#nextStream += 1;
    this.#streams.set(stream, sink);
    return stream;
  }
}

/** A place for each of so many calls, as far as there is room: each time where there is most. */
function spread(rooms: readonly Room[], wanted: number): number[] {
  const left = rooms.map(({ place, requests }) => ({ place, requests }));
  const places: number[] = [];
  while (places.length < wanted) {
    const widest = left.reduce<(typeof left)[number] | null>(
      (best, each) => (each.requests > (best?.requests ?? 0) ? each : best),
      null,
    );
    if (widest === null) break;
    widest.requests -= 1;
    places.push(widest.place);
  }
  return places;
}

function refused(code: InvokeRefusalCode, message: string): InvocationOutcome {
  return { kind: 'refused', code, message };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
