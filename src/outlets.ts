// What the launcher and the data process tell control unasked: log lines and failed requests.
import { ChannelError, type ChannelHandlers, type Message } from './base/channel.ts';
import type { CounterAnswers, CounterBatch } from './base/counter-leases.ts';
import type { Log, LogFields, LogLevel } from './base/log.ts';
import type { Room, RoomAsk } from './elsewhere.ts';
import { BuiltBootstraps, findInterpreters, type Interpreter, precompilePython } from './functions/index.ts';
import type { LogDelivery } from './log-delivery.ts';
import type { HttpAuthentication, SignedHttpCall } from './model/http-function.ts';
import type { RequestRecord } from './model/record.ts';
import type { OutputKeeper } from './output-keeper.ts';
import type { RequestLog } from './store/index.ts';
import { createTimeWriter, writeLogLine } from './wire/request-log-line.ts';

type LogNote = { readonly level: LogLevel; readonly message: string; readonly fields?: LogFields };
type FailureNote = { readonly records: readonly RequestRecord[]; readonly dropped: number };

/** Failed requests that are told to people of one batch: a function that fails in every call is not worth a line for each. */
const toldAtOnce = 5;

const refuseCalls: Pick<ChannelHandlers, 'onCall' | 'onClose'> = {
  onCall: (name) => Promise.reject(new ChannelError(`control does not answer ${name}`)),
  onClose: () => {}, // the end of the process itself is watched by server.ts
};

export function launcherHandlers(log: Log): ChannelHandlers {
  return { ...refuseCalls, onNote: (name, { data }) => name === 'log' && writeNote(log, data as LogNote) };
}

/** What control does for one data process. The first two are for every one; the others are asked only by one of several. */
export type ForDataProcess = {
  /** Whether the launcher may show instances this directory; why not. */
  allow(directory: string): Promise<string | null>;
  authenticateHttp(call: SignedHttpCall): Promise<HttpAuthentication>;
  count(batch: CounterBatch): Promise<CounterAnswers>;
  /** How long the asking process may serve, ms. */
  lease(): Promise<number>;
  /** Who of the others would admit calls that it may not. */
  room(ask: RoomAsk, signal: AbortSignal): Promise<Room[]>;
  /** Carries such a call to another, and its answer back. */
  passCall(message: Message, signal: AbortSignal): Promise<Message>;
  /** Carries a part of the answer of such a call to where it came from. */
  passPart(message: Message): Promise<Message>;
  tellOthers(name: 'breaker', data: unknown): void;
};

/** Where the records of requests go, and what functions print. */
export type RecordTakers = {
  readonly output: Pick<OutputKeeper, 'take'>;
  readonly requests: Promise<Pick<RequestLog, 'append' | 'appendFailed'>>;
  readonly delivery: Pick<LogDelivery, 'take'>;
};

export function dataHandlers(log: Log, takers: RecordTakers, own: ForDataProcess): ChannelHandlers {
  const { requests, delivery } = takers;
  const keepFailure = failureKeeper(log, takers);
  const bootstraps = new BuiltBootstraps((text) => log.warn(text));
  return {
    ...refuseCalls,
    async onCall(name, message, signal) {
      const { data, body } = message;
      if (name === 'authenticateHttp') return { data: await own.authenticateHttp(data as SignedHttpCall) };
      if (name === 'count') return { data: await own.count(data as CounterBatch) };
      if (name === 'lease') return { data: await own.lease() };
      if (name === 'room') return { data: await own.room(data as RoomAsk, signal) };
      if (name === 'passCall') return await own.passCall(message, signal);
      if (name === 'passPart') return await own.passPart(message);
      if (name === 'requests') {
        const lines = body ?? Buffer.alloc(0);
        delivery.take(lines);
        const isTaken = (await requests).append(lines);
        if (!isTaken) log.warn('requests were not logged, the disk is too slow');
        return { data: null };
      }
      if (name === 'output') {
        await takers.output.take(body ?? Buffer.alloc(0));
        return { data: null };
      }
      if (name === 'builtBootstraps') return { data: await bootstraps.wait() };
      if (name !== 'interpreters') throw new ChannelError(`control does not answer ${name}`);
      const found = await allowed(await findInterpreters(), own, log);
      bootstraps.begin(found);
      // Instances started meanwhile compile for themselves.
      void precompilePython(found);
      return { data: found };
    },
    onNote(name, { data }) {
      if (name === 'log') writeNote(log, data as LogNote);
      if (name === 'failure') keepFailure(data as FailureNote);
      if (name === 'breaker') own.tellOthers(name, data);
    },
  };
}

/** Without those that instances cannot be shown: they could not run. */
async function allowed(found: readonly Interpreter[], own: ForDataProcess, log: Log): Promise<Interpreter[]> {
  const ask = async ({ prefix, shows = [] }: Interpreter) => {
    const answers = await Promise.all([prefix, ...shows].map((path) => own.allow(path)));
    return answers.find((refusal) => refusal !== null) ?? null;
  };
  const answers = await Promise.all(found.map(ask));
  return found.filter(({ path }, index) => {
    const refusal = answers[index] ?? null;
    if (refusal !== null) log.warn(`the interpreter ${path} is not used: ${refusal}`);
    return refusal === null;
  });
}

function writeNote(log: Log, { level, message, fields }: LogNote): void {
  log[level](message, fields);
}

/** Failed requests go to the log of requests at once, and as lines to people. */
function failureKeeper(log: Log, { requests, delivery }: RecordTakers): (note: FailureNote) => void {
  const time = createTimeWriter();
  return ({ records, dropped }) => {
    const lines = Buffer.from(records.map((record) => writeLogLine(record, time)).join(''));
    delivery.take(lines);
    void requests.then((kept) => kept.appendFailed(lines));
    if (dropped > 0) log.warn('failures were not recorded, there were too many', { count: dropped });
    for (const { failure, method, path, status, requestId } of records.slice(0, toldAtOnce)) {
      if (failure === null) continue;
      log.warn(`${method} ${path} → ${status} ${failure.code}: ${failure.message}`, {
        why: `yunmen why ${requestId}`,
        output: failure.functionLog,
      });
    }
    const more = records.length - toldAtOnce;
    if (more > 0) log.warn('more requests failed at the same time', { count: more, see: 'yunmen logs' });
  };
}

/** The log of a process that has none of its own: every line goes to control. */
export function logByNotes(note: (name: 'log', data: LogNote) => void): Log {
  const send = (level: LogLevel) => (message: string, fields?: LogFields) =>
    note('log', fields === undefined ? { level, message } : { level, message, fields });
  return { debug: send('debug'), info: send('info'), warn: send('warn'), error: send('error') };
}
