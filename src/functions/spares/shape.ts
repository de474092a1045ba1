// Which functions can be given to a waiting process: those that a process started without them would be like. Pure.
// Used by spares.ts.
import type { FunctionConfig } from '../../model/function.ts';
import type { InterpreterChoice } from '../choose-interpreter.ts';

/**
 * Languages whose bootstraps can wait (a row each), and what a waiting process takes of the host's memory, MB: what it
 * does not share with others, and its sandbox.
 */
const memoryMb: Readonly<Record<string, number>> = { python: 8, node: 24, php: 12, java: 48 };

/** The same of a sandbox that waits for a program of the user's, with the process that becomes it and the relay's. */
const programMb = 4;

/** What a process is limited to while it waits, MB, unless it was started with a function's own limit. */
const waitingLimitMb = 256;
/** Javas that let the bootstrap's own library in without a word to standard error. */
const javaMajors = { first: 17, last: 23 };

/** Room for an environment in a waiting process, and for the function's part; the cloud takes 4 KB. Source: docs. */
export const spareEnvironmentBytes = 12 * 1024;
const ownEnvironmentBytes = 6 * 1024;
/** Of a program; with its environment it goes through a pipe. */
const argumentsBytes = 8 * 1024;
const programServerPort = 9000;

/**
 * Variables that the loader of shared libraries, the C library or the interpreter reads before our code runs. A function
 * that sets one gets a process of its own from the start: nothing of it may reach a process that is not yet its.
 */
const readAtStart =
  /^(LD_|PYTHON|NODE_|PHP|JAVA_|JDK_|CLASSPATH$|USE_ZEND_|USE_TRACKED_ALLOC$|ZEND_|MALLOC_|GLIBC_|GCONV_PATH$|LOCPATH$|NLSPATH$|LANG$|LANGUAGE$|LC_|TZ$|TZDIR$|PATH$|HOME$|TMPDIR$|OPENSSL_|SSL_|SSLKEYLOGFILE$|UV_|ICU_|V8_|RES_OPTIONS$|LOCALDOMAIN$|HOSTALIASES$)/;

type Runnable = Extract<InterpreterChoice, { ok: true }>;
type ProgramChoice = Extract<Runnable, { interpreter: null }>;

export type SpareShape = {
  readonly key: string;
  /** The runtime whose libraries it has (empty: those of any), or a program's. */
  readonly runtime: string;
  readonly choice: Runnable;
  /** Where a program's server will listen; null: it is none. */
  readonly port: number | null;
  /** What one takes of the host's memory. */
  readonly memoryMb: number;
  /** Of the function that it is started as if for. */
  readonly limitMb: number;
};

/** `key`: what processes share that are the same until they have a function. Null: the function's process must be started for it. */
export function spareShape(config: FunctionConfig, choice: Runnable): SpareShape | null {
  const { interpreter } = choice;
  if ((config.layersDirectory ?? null) !== null || environmentBytes(config) > ownEnvironmentBytes) return null;
  if (interpreter === null) return programShape(config, choice);
  if (interpreter.language === 'python' && !interpreter.version.startsWith('3.')) return null;
  const isJava = interpreter.language === 'java';
  if (isJava && !isWithin(Number(interpreter.version.split('.')[0]), javaMajors)) return null;
  if (Object.keys(config.environment).some((name) => readAtStart.test(name))) return null;
  const size = memoryMb[interpreter.language];
  if (size === undefined) return null;
  // Python reads at its start where the libraries are that were added for a runtime.
  const runtime = interpreter.libraries?.[config.runtime] === undefined ? '' : config.runtime;
  // Java takes the size of its heap from its arguments, and reads the limit at its start.
  const limitMb = isJava ? config.memoryMb : waitingLimitMb;
  const key = `${interpreter.language} ${interpreter.path} ${runtime}${isJava ? ` ${limitMb}` : ''}`;
  return { key, runtime, choice, port: null, memoryMb: size, limitMb };
}

/** What waits has run nothing but sandd, and is replaced as a whole by the program: whatever is in its environment. */
function programShape({ server }: FunctionConfig, choice: ProgramChoice): SpareShape | null {
  const { command = [], args = [], port = programServerPort } = server ?? {};
  if (choice.image !== undefined || Buffer.byteLength([...command, ...args].join(' ')) > argumentsBytes) return null;
  const isServer = choice.program === 'server';
  const kind = isServer ? `server ${port}` : 'polling';
  return {
    key: `${kind} ${choice.shows.join(':')}`,
    runtime: isServer ? 'custom' : 'go1',
    choice,
    port: isServer ? port : null,
    memoryMb: programMb,
    limitMb: waitingLimitMb,
  };
}

function environmentBytes({ environment }: FunctionConfig): number {
  return Object.entries(environment).reduce((sum, [name, value]) => sum + Buffer.byteLength(name + value), 0);
}

function isWithin(number: number, { first, last }: { readonly first: number; readonly last: number }): boolean {
  return number >= first && number <= last;
}
