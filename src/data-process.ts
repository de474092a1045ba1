// The data process: gateway and functions on the snapshot that control sends. Never opens the database, never spawns.
// Started by server.ts; talks to it over fd 3 and to the launcher over a socket in the run directory.
import { ChannelError, type Message } from './base/channel.ts';
import { systemClock } from './base/clock.ts';
import type { CounterAnswers } from './base/counter-leases.ts';
import { InternalTimeout } from './base/internal-timeout.ts';
import { parentChannel } from './child-process.ts';
import { type DataPlane, startDataPlane } from './data-plane.ts';
import type { Room, RoomAsk, StreamedPart } from './elsewhere.ts';
import { decodeRequest, encodeOutcome } from './forwarded-invocation.ts';
import { type ExecBegin, parseFailure, parseInterpreters } from './functions/index.ts';
import type { BreakerEvent } from './gateway/index.ts';
import { LoopDelayMeter } from './loop-delay.ts';
import type { HttpAuthentication } from './model/http-function.ts';
import type { LoopDelay } from './model/loop-delay.ts';
import type { ChangeBatch } from './model/published.ts';
import type { AskInstances } from './model/scaling.ts';
import { logByNotes } from './outlets.ts';
import { rehearse } from './rehearsal.ts';
import type { CallHere } from './relay.ts';
import { RelayedSink } from './relayed-sink.ts';
import { type DataSettings, type ListeningAddresses, type ListenOrder, limits } from './settings.ts';

/** From when it listens until it rehearses. */
const rehearsalAfterMs = 200;

/** Answers control's calls; `configure` comes first. */
class DataProcess {
  readonly #loopDelay = new LoopDelayMeter();
  #plane: DataPlane | null = null;
  #isOneOfSeveral = false;
  #runDir = '';
  readonly #stopping = new AbortController();
  #rehearsal: Promise<void> = Promise.resolve();

  hear(name: string, message: Message): void {
    if (name === 'execEnd') this.#plane?.exec.end(message.data as number);
    if (name === 'breaker') this.#plane?.breakerEvent(message.data as BreakerEvent);
  }

  async answer(name: string, message: Message, signal: AbortSignal): Promise<Message> {
    switch (name) {
      case 'configure':
        this.#runDir = (message.data as DataSettings).runDir;
        this.#isOneOfSeveral = (message.data as DataSettings).dataProcesses > 1;
        this.#plane = await startDataPlane(message.data as DataSettings, {
          sendRequests: async (lines) => {
            await control.call('requests', null, { body: lines });
          },
          sendOutput: async (lines) => {
            await control.call('output', null, { body: lines });
          },
          report: (records, dropped) => control.note('failure', { records, dropped }),
          log: logByNotes((note, data) => control.note(note, data)),
          onLauncherGone: () => process.exit(1),
          askCounters: async (batch) => (await askSoon('count', batch)) as CounterAnswers,
          authenticateHttp: async (call, signal) =>
            (await askSoon('authenticateHttp', call, signal)) as HttpAuthentication,
          askLease: async () => (await askSoon('lease', null)) as number,
          askRoom: async (ask) => (await askSoon('room', ask)) as Room[],
          passCall: (call, event, signal) => control.call('passCall', call, { body: event, signal }),
          shareBreakerEvent: (event) => {
            if (this.#isOneOfSeveral) control.note('breaker', event);
          },
          findInterpreters: async () => parseInterpreters((await control.call('interpreters', null)).data),
          builtBootstraps: async () => parseFailure((await control.call('builtBootstraps', null)).data),
        });
        return { data: null };
      case 'changes':
        return { data: await this.#running().apply(message.data as ChangeBatch) };
      case 'listen':
        return { data: await this.#listen(message.data as ListenOrder) };
      case 'defaultGroup':
        this.#running().setDefaultGroup(message.data as string | null);
        return { data: null };
      case 'tokenKey':
        this.#running().setTokenKey(message.body ?? Buffer.alloc(0));
        return { data: null };
      case 'metrics':
        return { data: this.#running().metrics() };
      case 'instances': {
        const { functionKey, qualifier } = message.data as Parameters<AskInstances>[0];
        return { data: this.#running().instancesNow(functionKey, qualifier) };
      }
      case 'exec':
        return { data: await this.#running().exec.begin(message.data as ExecBegin) };
      case 'flushLogs':
        await this.#running().flushLogs();
        return { data: null };
      case 'invoke':
        return encodeOutcome(await this.#running().invoke(decodeRequest(message), signal));
      case 'room': {
        const { target, wanted } = message.data as RoomAsk;
        return { data: this.#running().roomFor(target, wanted) };
      }
      case 'invokeHere': {
        const { request, stream } = message.data as CallHere;
        const passed = decodeRequest({ ...message, data: request });
        const sunk = stream === null ? passed : { ...passed, sink: sinkTo(stream) };
        return encodeOutcome(await this.#running().invokeHere(sunk, signal));
      }
      case 'streamed':
        await this.#running().streamed(message);
        return { data: null };
      case 'loopDelay':
        return { data: this.#measure(message.data) };
      case 'stop':
        this.#stopping.abort();
        await this.#rehearsal;
        await this.#plane?.close(message.data as number);
        return { data: null };
      default:
        throw new ChannelError(`the data process does not answer ${name}`);
    }
  }

  async #listen(order: ListenOrder): Promise<ListeningAddresses> {
    const addresses = await this.#running().listen(order);
    const { signal } = this.#stopping;
    const log = logByNotes((note, data) => control.note(note, data));
    // Who waits for this answer, and for the ready line, comes first.
    systemClock.after(rehearsalAfterMs, () => {
      if (signal.aborted) return;
      this.#rehearsal = rehearse(this.#runDir, log, signal).catch((error: unknown) => {
        // Without it first calls are slower, no more.
        if (!signal.aborted) log.info('the data process could not rehearse', { error: String(error) });
      });
    });
    return addresses;
  }

  #measure(what: unknown): LoopDelay | null {
    const before = this.#loopDelay.read();
    if (what === 'start') this.#loopDelay.start();
    if (what === 'stop') this.#loopDelay.stop();
    return before;
  }

  #running(): DataPlane {
    if (this.#plane === null) throw new ChannelError('the data process is not configured yet');
    return this.#plane;
  }
}

/** Asks control for what a caller waits for; `gone` aborts when the caller has left. Errors: InternalTimeout. */
async function askSoon(name: string, about: unknown, gone: AbortSignal | null = null): Promise<unknown> {
  const late = new AbortController();
  const cancel = systemClock.after(limits.controlAnswerMs, () =>
    late.abort(new InternalTimeout(`control did not answer ${name} in ${limits.controlAnswerMs} ms`)),
  );
  try {
    const signal = gone === null ? late.signal : AbortSignal.any([late.signal, gone]);
    return (await control.call(name, about, { signal })).data;
  } finally {
    cancel();
  }
}

/** Leads to a caller at another data process, through control. */
function sinkTo(stream: Omit<StreamedPart, 'head'>): RelayedSink {
  return new RelayedSink((head, chunk) =>
    control.call('passPart', { ...stream, head } satisfies StreamedPart, chunk === null ? {} : { body: chunk }),
  );
}

const data = new DataProcess();
const control = parentChannel({
  onCall: (name, message, signal) => data.answer(name, message, signal),
  onNote: (name, message) => data.hear(name, message),
  // Without control nothing may be served: it is the one who knows what is granted.
  onClose: () => process.exit(0),
});
