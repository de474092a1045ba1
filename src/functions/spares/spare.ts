// One process that waits for a function: started in its sandbox, its interpreter up (of a program of the user's: all that is
// there before it is run), its sockets open, nothing in it yet.
// Made by spares.ts; instance.ts takes its road over.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { openWaitingRoad } from '../instances/open-road.ts';
import type { Road, RoadDeps, RoadEvents } from '../instances/road.ts';
import type { StartPlan } from '../instances/start-plan.ts';
import type { Launcher, LaunchSpec } from '../launcher/port.ts';

/** What a bootstrap writes when it waits (runtimes/PROTOCOL.md); what comes before it is the interpreter's. */
const readyLine = Buffer.from('FC_SPARE ready\n');
/** Of the interpreter's own words before that. */
const outputLimitBytes = 8 * 1024;

export type SpareEvents = {
  onReady(spare: Spare): void;
  /** It is of no use any more; nothing of it is left when stop() resolves. Called at most once, never after take(). */
  onBroken(spare: Spare, why: string): void;
};

export type SpareSpec = {
  /** Of no function. Without arguments it waits for its program, not for its start line. */
  readonly plan: StartPlan;
  readonly key: string;
  readonly road: RoadDeps;
  /** The tier gives instances a root of their own, in which the launcher puts the code. */
  readonly hasPrivateRoot: boolean;
};

export class Spare {
  readonly id: string;
  readonly token: string;
  readonly key: string;
  readonly #plan: StartPlan;
  readonly #launch: LaunchSpec;
  readonly #launcher: Launcher;
  readonly #events: SpareEvents;
  readonly #roadDeps: RoadDeps;
  readonly hasPrivateRoot: boolean;
  #state: 'starting' | 'ready' | 'taken' | 'gone' = 'starting';
  #road: Road | null = null;
  #owner: RoadEvents | null = null;
  #output = Buffer.alloc(0);
  #pid = 0;
  #address: string | null = null;

  constructor(spec: SpareSpec, launcher: Launcher, events: SpareEvents) {
    const { launch } = spec.plan;
    this.id = launch.instanceId;
    this.token = launch.token;
    this.key = spec.key;
    this.#plan = spec.plan;
    this.#launch = launch;
    this.#roadDeps = spec.road;
    this.hasPrivateRoot = spec.hasPrivateRoot;
    this.#launcher = launcher;
    this.#events = events;
  }

  /** Of its first process. */
  get pid(): number {
    return this.#pid;
  }

  /** In a network of its own; it keeps it. */
  get address(): string | null {
    return this.#address;
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /** Never rejects: onReady or onBroken follows. */
  async start(): Promise<void> {
    const { socketDirectory } = this.#launch;
    try {
      this.#road = await openWaitingRoad(this.#plan, this.#roadDeps, {
        onReady: () => this.#owner?.onReady(),
        onLost: (violation) => this.#owner?.onLost(violation),
        onUnwell: (why) => this.#owner?.onUnwell(why),
        onOutput: (chunk) => this.#hear(chunk),
        onOutputEnd: () => (this.#owner === null ? this.break('it ended') : this.#owner.onOutputEnd()),
        onSuspicion: (text) => this.#owner?.onSuspicion(text),
      });
      // The loader of libraries looks here when there is no private root; it remembers which directories were missing.
      if (!this.hasPrivateRoot) mkdirSync(`${socketDirectory}/code/lib`, { recursive: true });
      if (this.#state === 'gone') this.#road.close();
      else await this.#begin();
    } catch (error) {
      this.break(error instanceof Error ? error.message : String(error));
    }
  }

  async #begin(): Promise<void> {
    const { pid, address } = await this.#launcher.startSpare(this.#launch);
    this.#pid = pid;
    this.#address = address ?? null;
    if (this.#waitsForProgram && this.#state === 'starting') this.#becomeReady();
  }

  get #waitsForProgram(): boolean {
    return this.#launch.argv.length === 0;
  }

  #becomeReady(): void {
    this.#state = 'ready';
    this.#events.onReady(this);
  }

  /** It is `owner`'s from now on. What the interpreter said before is told first. `codeDirectory`: of its function. */
  take(owner: RoadEvents, codeDirectory: string): Road {
    const road = this.#road;
    if (this.#state !== 'ready' || road === null) throw new Error('a spare was taken that is not ready');
    this.#state = 'taken';
    this.#owner = owner;
    if (!this.hasPrivateRoot) {
      const code = `${this.#launch.socketDirectory}/code`;
      rmSync(code, { recursive: true });
      symlinkSync(codeDirectory, code);
    }
    if (this.#output.length > 0) owner.onOutput(this.#output);
    return road;
  }

  /** It is of no use: tells so, once. */
  break(why: string): void {
    if (this.#state === 'gone' || this.#state === 'taken') return;
    this.#state = 'gone';
    this.#events.onBroken(this, why);
  }

  /** Ends it. Resolves when nothing is left. */
  async stop(): Promise<void> {
    this.#state = 'gone';
    // The launcher has gone, and its processes with it, when this fails.
    await this.#launcher.stop(this.id, 0).catch(() => {});
    this.#road?.close();
  }

  #hear(chunk: Buffer): void {
    if (this.#owner !== null) {
      this.#owner.onOutput(chunk);
      return;
    }
    const output = Buffer.concat([this.#output, chunk]);
    const isReady = output.subarray(-readyLine.length).equals(readyLine);
    this.#output = isReady ? output.subarray(0, -readyLine.length) : output;
    if (this.#state === 'starting' && isReady && !this.#waitsForProgram) this.#becomeReady();
    else if (this.#output.length > outputLimitBytes || this.#state === 'ready') {
      this.break('it says more than that it is ready');
    }
  }
}
