// What the room needs from outside: the composition hands it to createControl(), every action gets it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Account } from '../model/account.ts';
import type { ExecOrder, ExecRefusal } from '../model/exec.ts';
import type { HttpsPolicy } from '../model/https-policy.ts';
import type { InvokeFunction } from '../model/invocation.ts';
import type { AskLoopDelay } from '../model/loop-delay.ts';
import type { ServerMetrics } from '../model/metrics.ts';
import type { OutputLine, OutputQuery } from '../model/output.ts';
import type { RequestQuery, RequestRecord } from '../model/record.ts';
import type { AskInstances } from '../model/scaling.ts';
import type { Store, WriteTransaction } from '../store/port.ts';
import type { TokenSealer } from '../wire/security-token.ts';
import type { Nonces } from './nonces.ts';

export type ControlSettings = {
  /** Longest ServiceTimeout of an API, in ms. Source: assumed. */
  readonly apiTimeoutMaxMs: number;
  /** Largest body of a function's create or update call, in bytes. */
  readonly codeBodyLimitBytes: number;
  /** Largest event of a synchronous invocation, in bytes. Source: docs (32 MB). */
  readonly eventLimitBytes: number;
  /** Largest body of any other call, in bytes. */
  readonly bodyLimitBytes: number;
  /** Answer cold invocations with `X-Yunmen-Cold-Start`. */
  readonly showColdStart: boolean;
  /** What the gateway's TLS listener speaks. */
  readonly httpsPolicy: HttpsPolicy;
  /** At most 5 groups without a domain of their own, 20 once one has one. Source: docs, the default is ours. */
  readonly limitsUnboundGroups: boolean;
  /** Calls a second that the gateway gives each group; null: as many as come. */
  readonly groupLimitPerSecond: number | null;
};

export const defaultControlSettings: ControlSettings = {
  apiTimeoutMaxMs: 30_000,
  codeBodyLimitBytes: 100 * 1024 * 1024,
  eventLimitBytes: 32 * 1024 * 1024,
  bodyLimitBytes: 16 * 1024 * 1024,
  showColdStart: false,
  httpsPolicy: 'HTTPS2_TLS1_2',
  limitsUnboundGroups: false,
  groupLimitPerSecond: null,
};

export type Runtimes = {
  /** True for every id that was ever valid, whether or not it can run here. */
  isKnown(id: string): boolean;
  readonly all: readonly string[];
};

/** The records of gateway requests that are kept. */
export type RequestRecords = {
  /** Null when the request is not (or no longer) known. */
  find(requestId: string): Promise<RequestRecord | null>;
  /** The newest that match, newest first. */
  search(query: RequestQuery): Promise<RequestRecord[]>;
};

/** What functions printed, as far as it is kept. */
export type OutputRecords = {
  /** The newest lines that match, newest first. */
  search(query: OutputQuery): Promise<OutputLine[]>;
};

/** As the ready line names them. */
export type Health = {
  readonly isolation: string;
  readonly network: string;
  /** What carries functions' packets out; null in the host's network. */
  readonly carrier: string | null;
  readonly launcher: string;
};

export type ControlDeps = {
  readonly store: Store;
  readonly account: Account;
  readonly clock: Clock;
  readonly log: Log;
  readonly nonces: Nonces;
  /** Opens the tokens of functions' temporary credentials. */
  readonly tokens: TokenSealer;
  /** Remembers that an access key was used; never rejects. */
  noteKeyUse(accessKeyId: string): Promise<void>;
  readonly runtimes: Runtimes;
  readonly settings: ControlSettings;
  /** Resolves when every data process works by this published version. */
  awaitLive(version: number): Promise<void>;
  readonly invoke: InvokeFunction;
  /** What a function has running now. */
  readonly instancesNow: AskInstances;
  /** Has a command run in an instance. `stream` is read and written by wire/exec-frames.ts; destroying it ends what runs. */
  openExec(order: ExecOrder): Promise<ExecRefusal | { readonly ok: true; readonly stream: Duplex }>;
  /** Passes a call of an HTTP trigger on to who serves it; it answers by itself. */
  forwardHttp(request: IncomingMessage, response: ServerResponse): void;
  /** Where function URLs are served, e.g. `http://127.0.0.1:8082`; null before it is known. */
  functionUrls(): string | null;
  readonly requests: RequestRecords;
  readonly output: OutputRecords;
  /** Rejects with the disk's error when the access log could not be written there. */
  probeLogs(target: { readonly project: string; readonly logstore: string }): Promise<void>;
  /** Has the access log delivered as the row in the store says now; resolves when it is. Rejects when nothing can be written there. */
  deliverLogs(): Promise<void>;
  /** The metrics of all processes, as they are now. */
  readMetrics(): Promise<ServerMetrics>;
  /** What keeps functions apart here. */
  health(): Health;
  /** Measures the data process's event loop, when a bench asks. */
  readonly loopDelay: AskLoopDelay;
};

/** The purpose of the store's key that security tokens are made with; data processes get the same key. */
export const tokenKeyPurpose = 'security tokens';

/** What createControl() takes: nonces and settings have defaults, the rest it makes of the store. */
export type ControlOptions = Omit<
  ControlDeps,
  | 'nonces'
  | 'settings'
  | 'tokens'
  | 'noteKeyUse'
  | 'functionUrls'
  | 'forwardHttp'
  | 'openExec'
  | 'probeLogs'
  | 'deliverLogs'
> & {
  /** Default: anywhere is right. */
  readonly probeLogs?: ControlDeps['probeLogs'];
  /** Default: it is delivered nowhere. */
  readonly deliverLogs?: ControlDeps['deliverLogs'];
  /** Default: no call is served. */
  readonly forwardHttp?: ControlDeps['forwardHttp'];
  readonly functionUrls?: ControlDeps['functionUrls'];
  /** Default: no instance can be reached. */
  readonly openExec?: ControlDeps['openExec'];
  readonly nonces?: Nonces;
  readonly settings?: Partial<ControlSettings>;
};

/** One write: durable and in force everywhere when it resolves; nothing of it remains when `work` throws. */
export async function commit<T>(deps: ControlDeps, work: (tx: WriteTransaction) => Promise<T>): Promise<T> {
  const { result, version } = await deps.store.write(work);
  await deps.awaitLive(version);
  return result;
}
