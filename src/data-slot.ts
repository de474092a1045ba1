// One data process with the launcher that starts its instances: begun, told, followed and ended together.
// data-processes.ts holds one for each `--data-processes`.
import type { ChannelHandlers } from './base/channel.ts';
import { systemClock } from './base/clock.ts';
import { randomHex } from './base/ids.ts';
import type { Log } from './base/log.ts';
import { type BeginProcess, type OwnProcess, startOwnProcess } from './child-process.ts';
import { type Feed, Follower } from './follower.ts';
import type { BeginLauncher, StartedLauncher } from './launcher-start.ts';
import { removeRunDirectory } from './run-directory.ts';
import { type DataSettings, limits } from './settings.ts';

/** Settings that differ by process. */
export type OwnSettings = 'runDir' | 'launcherToken' | 'place';

export type SlotOptions = {
  /** What the log and the metrics call it: `data`, or with several `data-1`, `data-2`. */
  readonly name: string;
  /** Its number among them, from 0. */
  readonly place: number;
  readonly launcher: Promise<BeginLauncher>;
  readonly handlers: (slot: DataSlot) => ChannelHandlers;
  /** The feed of what is published; resolves when the store is open. */
  readonly feed: Promise<Feed>;
  /** How long it may serve after each time that it asks for leave, ms; null: it is the only one, and never asks. */
  readonly leaseMs: number | null;
  readonly settings: (launcher: StartedLauncher) => Promise<Omit<DataSettings, OwnSettings>>;
  readonly log: Log;
  /** It does not follow, and can serve no longer. */
  onLaggard(error: Error): void;
  /** As root for a launcher that is root's. */
  readonly makeRunDirectory: () => string;
  readonly begin?: BeginProcess;
};

export class DataSlot {
  readonly name: string;
  readonly place: number;
  readonly runDir: string;
  /** What its launcher is asked with. */
  readonly launcherToken = randomHex(32);
  readonly #stack: AsyncDisposableStack;
  readonly #ended = Promise.withResolvers<string>();
  #data: OwnProcess | null = null;
  #launcher: StartedLauncher | null = null;
  #follower: Follower | null = null;

  private constructor({ name, place }: SlotOptions, runDir: string, stack: AsyncDisposableStack) {
    this.name = name;
    this.place = place;
    this.runDir = runDir;
    this.#stack = stack;
  }

  /**
   * Starts both processes; they serve nothing yet.
   *
   * Errors: a sentence for the operator; nothing is left running then.
   */
  static async start(options: SlotOptions): Promise<DataSlot> {
    const stack = new AsyncDisposableStack();
    const runDir = options.makeRunDirectory();
    stack.defer(() => removeRunDirectory(runDir));
    const slot = new DataSlot(options, runDir, stack);
    try {
      await slot.#begin(options);
      return slot;
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  get data(): OwnProcess {
    if (this.#data === null) throw new Error('the data process is not started yet');
    return this.#data;
  }

  get launcher(): StartedLauncher {
    if (this.#launcher === null) throw new Error('the launcher is not started yet');
    return this.#launcher;
  }

  get follower(): Follower {
    if (this.#follower === null) throw new Error('the data process does not follow yet');
    return this.#follower;
  }

  /** Resolves with a sentence when one of the two has ended; it is then of no use any more. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** Ends both in order: the data process finishes what runs, then the launcher ends the instances. */
  close(): Promise<void> {
    return this.#stack.disposeAsync();
  }

  async #begin(options: SlotOptions): Promise<void> {
    const { runDir, launcherToken } = this;
    const starting = options.launcher.then((begin) => begin({ runDir, launcherToken }));
    starting.catch(() => {}); // awaited below, when the data process can be disposed of
    const data = await startOwnProcess('data', options.handlers(this), options.begin);
    this.#data = data;
    // Disposed in reverse.
    this.#stack.defer(async () => await endLauncher(await starting.catch(() => null)));
    this.#stack.defer(() => endData(data));
    const launcher = await starting;
    this.#launcher = launcher;
    for (const child of [launcher, data]) {
      void child.exited.then((how) => this.#ended.resolve(`the ${child.name} process ended (${how})`));
    }
    const { place } = options;
    const settings: DataSettings = { ...(await options.settings(launcher)), runDir, launcherToken, place };
    await data.channel.call('configure', settings);
    const following = { clock: systemClock, limitMs: limits.followMs, leaseMs: options.leaseMs };
    const follower = new Follower(await options.feed, data.channel, { ...following, onLaggard: options.onLaggard });
    this.#stack.defer(() => follower.close());
    this.#follower = follower;
  }
}

/** How long a process may take to end by itself before it is killed; milliseconds. */
const endMs = 1_500;

async function endData(data: OwnProcess): Promise<void> {
  const isGone = data.exited.then(() => true);
  const stop = data.channel.call('stop', limits.stopGraceMs).catch(() => {}); // gone already: nothing to finish
  await Promise.race([stop, isGone]);
  data.channel.close();
  await endWithin(data, endMs);
}

async function endLauncher(launcher: StartedLauncher | null): Promise<void> {
  if (launcher === null) return;
  launcher.close();
  await endWithin(launcher, endMs);
  await launcher.cleanUp();
}

async function endWithin(child: Pick<OwnProcess, 'exited' | 'kill'>, limitMs: number): Promise<void> {
  const kill = setTimeout(() => child.kill('SIGKILL'), limitMs);
  await child.exited;
  clearTimeout(kill);
}
