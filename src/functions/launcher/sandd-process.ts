// sandd as a process: whether it is there, building it, what it can do here, starting it. Used by the composition.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, open, readdir, utimes } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import {
  type Configured,
  encodeAllow,
  encodeConfigure,
  parseConfigured,
  type SanddAnswer,
  type SanddConfiguration,
  SanddDecoder,
} from './sandd-messages.ts';

const nativeDirectory = fileURLToPath(new URL('../../../native/', import.meta.url));
/** 7 s of a processor, 87 s beside fifty others: without it a server begins with a weaker tier, or none. */
const buildTimeoutMs = 300_000;
const probeTimeoutMs = 60_000;
const startTimeoutMs = 10_000;

export type FoundSandd = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly why: string };

/** `e_machine` of ELF, by what Node calls the processor. */
const machines: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };

/**
 * The program, built first when there is a compiler and the program is older than its source, or another processor's; else the one
 * that the published package brings for this kind of processor.
 */
export async function findSandd(directory = nativeDirectory, env = process.env): Promise<FoundSandd> {
  const path = `${directory}build/sandd`;
  // Came with a directory that was copied, or is shared with another machine. It counts as old, so that it is replaced in one go.
  if ((await isOfProcessor(path)) === false) await utimes(path, 0, 0);
  const { code, output } = await run('/bin/sh', [`${directory}build.sh`], buildTimeoutMs, env);
  if (code === 0) return { ok: true, path };
  const prebuilt = `${directory}prebuilt/sandd-${process.arch}`;
  const isRight = await isOfProcessor(prebuilt);
  if (isRight === true && (await isExecutable(prebuilt))) return { ok: true, path: prebuilt };
  const brought = (await readdir(`${directory}prebuilt`).catch(() => [])).filter((name) => name.startsWith('sandd-'));
  const kinds = brought.map((name) => name.slice('sandd-'.length)).join(', ');
  const remark =
    isRight === false
      ? `; ${prebuilt} is not a program for ${process.arch}`
      : kinds === ''
        ? ''
        : `; this package brings it for ${kinds} only, and this is ${process.arch}`;
  return { ok: false, why: `the native launcher could not be built: ${output.trim().slice(0, 300)}${remark}` };
}

/** Whether the file is a program for this kind of processor; null when it is not there. Of processors that are not known all are. */
async function isOfProcessor(path: string): Promise<boolean | null> {
  const file = await open(path).catch(() => null);
  if (file === null) return null;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(20), 0, 20, 0);
    const machine = machines[process.arch];
    return machine === undefined || (bytesRead === 20 && buffer.readUInt16LE(18) === machine);
  } finally {
    await file.close();
  }
}

export type RunningSandd = Configured & {
  readonly pid: number;
  /**
   * Lets instances be shown what is in this directory: a start can name nothing else of the host's.
   *
   * Null when it is allowed, else sandd's sentence, e.g. when it is not there.
   */
  allow(directory: string): Promise<string | null>;
  /** How it ended, e.g. `exit code 1`. */
  readonly exited: Promise<string>;
  /** It ends every instance, and then itself. */
  close(): void;
  kill(signal: NodeJS.Signals): void;
};

/**
 * Starts sandd for one server; it listens in `runDir` when this resolves.
 *
 * `report` hears what it has to say to the operator, a line at a time; `onDropped`, at most once and some seconds after the
 * start, that what instances send does not get beyond this machine.
 * Errors: rejects with sandd's own sentence when the tier cannot be had; it has ended then.
 */
export async function startSandd(
  options: SanddConfiguration & { readonly path: string; report(text: string): void; onDropped?(): void },
): Promise<RunningSandd> {
  const stdio = ['ignore', 'ignore', 'pipe', 'pipe'] as const;
  const child = spawn(options.path, ['serve'], { stdio: [...stdio], detached: true, env: {}, cwd: '/' });
  const exited = exitOf(child);
  await once(child, 'spawn');
  const parent = child.stdio[3];
  if (!(parent instanceof Duplex) || child.stderr === null || child.pid === undefined)
    throw new Error('cannot reach sandd');
  const { pid } = child;
  createInterface({ input: child.stderr }).on('line', options.report);
  const starter = new StarterCalls(parent, (told) => {
    if (told === 'wanted') startKeeper(options);
    else options.onDropped?.();
  });
  const configured = await starter.call(() => encodeConfigure(options));
  if (configured.kind === 'failed') {
    parent.destroy();
    await exited;
    throw new Error(`the native launcher cannot serve tier '${options.tier}': ${configured.why}`);
  }
  return {
    pid,
    exited,
    ...parseConfigured(configured.fields),
    async allow(directory) {
      const answer = await starter.call((call) => encodeAllow(call, directory));
      // One that has ended refuses nothing; `exited` tells its end.
      return answer.kind === 'failed' && !parent.destroyed ? answer.why : null;
    },
    close: () => parent.destroy(),
    kill(signal) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        // It is root's and we are not any more, or it has gone: it ends by itself when descriptor 3 closes.
        options.report(`the native launcher was not signalled: ${error}`);
      }
    },
  };
}

/**
 * A process that stays in the host's network and keeps pasta there, when the one that sandd began with has gone: sandd itself
 * cannot go back. It ends with sandd. When it does not come, sandd asks again.
 */
function startKeeper({
  path,
  runDir,
  token,
  report,
}: Pick<SanddConfiguration, 'runDir' | 'token'> & { readonly path: string; report(text: string): void }): void {
  const child = spawn(path, ['keep', runDir], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: {},
    cwd: '/',
  });
  child.on('error', (error) => report(`pasta is not kept: ${error.message}`));
  child.stdin.on('error', () => {}); // it has ended
  child.stdin.end(token);
  child.unref();
}

type StarterAnswer =
  | { readonly kind: 'done'; readonly fields: Buffer }
  | { readonly kind: 'failed'; readonly why: string };

/** What its starter says to sandd on descriptor 3, one answer each. */
class StarterCalls {
  readonly #parent: Duplex;
  readonly #waiting = new Map<number, (answer: StarterAnswer) => void>();
  readonly #onTold: (what: 'wanted' | 'dropped') => void;
  #next = 0;

  constructor(parent: Duplex, onTold: (what: 'wanted' | 'dropped') => void) {
    this.#parent = parent;
    this.#onTold = onTold;
    const decoder = new SanddDecoder();
    parent.on('error', () => {}); // 'close' and the exit tell
    parent.on('data', (chunk: Buffer) => {
      for (const answer of decoder.push(chunk)) this.#take(answer);
    });
    parent.on('close', () => this.#end());
  }

  call(encode: (call: number) => Buffer): Promise<StarterAnswer> {
    const call = this.#next++;
    return new Promise((resolve) => {
      const late = { kind: 'failed', why: 'it does not answer' } as const;
      const timer = setTimeout(() => resolve(late), startTimeoutMs);
      this.#waiting.set(call, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      if (this.#parent.destroyed) this.#end();
      else this.#parent.write(encode(call));
    });
  }

  #take(answer: SanddAnswer): void {
    if (answer.kind === 'exited') return;
    if (answer.kind === 'wanted' || answer.kind === 'dropped') {
      this.#onTold(answer.kind);
      return;
    }
    const settle = this.#waiting.get(answer.call);
    this.#waiting.delete(answer.call);
    settle?.(answer);
  }

  #end(): void {
    for (const settle of this.#waiting.values()) settle({ kind: 'failed', why: 'it ended' });
    this.#waiting.clear();
  }
}

/** Removes what killed servers left in control groups; for who finds that sandd was killed. */
export async function cleanAfterSandd(path: string): Promise<void> {
  await run(path, ['clean'], probeTimeoutMs);
}

/** What `sandd probe` found out: `key=value` lines. */
export function probeSandd(path: string): Promise<ReadonlyMap<string, string>> {
  return askSandd(path, 'probe');
}

/** What `sandd probe-network` found out of networks; `network` is `ok` or why there are none. */
export function probeNetwork(path: string): Promise<ReadonlyMap<string, string>> {
  return askSandd(path, 'probe-network');
}

async function askSandd(path: string, verb: string): Promise<ReadonlyMap<string, string>> {
  const { output } = await run(path, [verb], probeTimeoutMs);
  const lines = output.split('\n').filter((line) => line.includes('='));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function run(
  file: string,
  args: readonly string[],
  timeout: number,
  env = process.env,
): Promise<{ code: number; output: string }> {
  const options = { timeout, env, killSignal: 'SIGKILL', maxBuffer: 256 * 1024 } as const;
  return new Promise((resolve) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      const output = stdout === '' ? stderr : stdout;
      const why = error?.killed === true ? `it took longer than ${timeout / 1000} s` : (error?.message ?? '');
      resolve({ code: error === null ? 0 : 1, output: output === '' ? why : output });
    });
  });
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
}
