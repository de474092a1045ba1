// The data process's side of sandd: the Launcher port in sandd's words over its socket. The twin of client.ts.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Interpreter } from '../choose-interpreter.ts';
import type { LauncherClient } from './client.ts';
import { type Exit, isolationTiers, type LaunchSpec } from './port.ts';
import {
  encodeAssign,
  encodeAuthenticate,
  encodeBackground,
  encodeExec,
  encodeFreeze,
  encodeSpare,
  encodeStart,
  encodeStop,
  parseAuthenticated,
  parseStarted,
  type SanddAnswer,
  SanddDecoder,
} from './sandd-messages.ts';
import { launcherSocketName } from './socket-name.ts';

export type SanddOptions = {
  readonly runDir: string;
  readonly token: string;
  /** sandd runs nothing to look for interpreters: somebody else does. */
  interpreters(): Promise<readonly Interpreter[]>;
  /** Nor does it build. Missing: nothing has to be. */
  readonly builtBootstraps?: () => Promise<string | null>;
  /** Called once when sandd goes before close(). */
  onGone(): void;
};

export type SanddClient = LauncherClient & {
  /** Stops every process of the instance where it is, or lets it go on. Errors: rejects when there is none. */
  setFrozen(instanceId: string, isFrozen: boolean): Promise<void>;
};

/** Errors: rejects when sandd cannot be reached or does not take the token. */
export async function connectSandd(options: SanddOptions): Promise<SanddClient> {
  const socket = connect(`${options.runDir}/${launcherSocketName}`);
  await once(socket, 'connect');
  const calls = new Calls(socket);
  let isProven = false;
  let isClosing = false;
  calls.onClose = () => {
    if (isProven && !isClosing) options.onGone();
  };
  const { hasClasses } = parseAuthenticated(await calls.call((call) => encodeAuthenticate(call, options.token)));
  isProven = true;
  const start = async (spec: LaunchSpec, encode: (call: number, spec: LaunchSpec) => Buffer) => {
    if (spec.socketDirectory !== `${options.runDir}/i/${spec.instanceId}`) {
      throw new Error(`the socket directory does not belong to instanceId ${spec.instanceId}`);
    }
    const fields = await calls.call((call) => encode(call, spec));
    return parseStarted(fields);
  };
  const setBackground = async (instanceId: string, isBackground: boolean) => {
    await calls.call((call) => encodeBackground(call, instanceId, isBackground));
  };
  return {
    // Without mounts a spare cannot be given code.
    spareTiers: isolationTiers.filter((tier) => tier !== 'restricted'),
    start: (spec) => start(spec, encodeStart),
    startSpare: (spec) => start(spec, encodeSpare),
    async assign(assignment) {
      await calls.call((call) => encodeAssign(call, assignment));
    },
    async stop(instanceId, graceMs) {
      await calls.call((call) => encodeStop(call, instanceId, graceMs));
    },
    async setFrozen(instanceId, isFrozen) {
      await calls.call((call) => encodeFreeze(call, instanceId, isFrozen));
    },
    async exec(spec) {
      await calls.call((call) => encodeExec(call, spec));
    },
    ...(hasClasses ? { setBackground } : {}),
    interpreters: options.interpreters,
    ...(options.builtBootstraps === undefined ? {} : { builtBootstraps: options.builtBootstraps }),
    onExited(listener) {
      calls.onExited = listener;
    },
    close() {
      isClosing = true;
      socket.end();
    },
  };
}

type Waiting = { resolve(fields: Buffer): void; reject(error: Error): void };

/** Calls and their answers over one connection. Bounded by the callers: each call has one answer. */
class Calls {
  onExited: (exit: Exit) => void = () => {};
  onClose: () => void = () => {};
  readonly #socket: Socket;
  readonly #decoder = new SanddDecoder();
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.#close());
  }

  /** The fields of the answer. Errors: rejects with what sandd says, or when it goes. */
  call(encode: (call: number) => Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const call = this.#next;
      this.#next = (this.#next + 1) >>> 0 || 1;
      if (this.#socket.destroyed || !this.#socket.writable) throw new Error('the launcher has gone');
      const message = encode(call);
      this.#waiting.set(call, { resolve, reject });
      this.#socket.write(message);
    });
  }

  #receive(chunk: Buffer): void {
    try {
      for (const answer of this.#decoder.push(chunk)) this.#take(answer);
    } catch (error) {
      this.#socket.destroy(error instanceof Error ? error : undefined);
    }
  }

  #take(answer: SanddAnswer): void {
    if (answer.kind === 'exited') {
      this.onExited(answer.exit);
      return;
    }
    // Those are for its starter.
    if (answer.kind === 'wanted' || answer.kind === 'dropped') throw new Error('the launcher broke the protocol');
    const waiting = this.#waiting.get(answer.call);
    this.#waiting.delete(answer.call);
    if (answer.kind === 'done') waiting?.resolve(answer.fields);
    else waiting?.reject(new Error(answer.why));
  }

  #close(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('the launcher has gone'));
    this.#waiting.clear();
    this.onClose();
  }
}
