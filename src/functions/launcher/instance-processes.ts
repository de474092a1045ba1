// The processes of all instances of one launcher: starts them in the tier it has, ends their whole trees.
// Used by serve.ts, which puts it on a socket.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { frameSocketName, logSocketName } from '../instances/endpoint.ts';
import { type BubblewrapSetup, sandboxCommand } from './bubblewrap.ts';
import { MemoryWatch } from './memory-watch.ts';
import { type Assignment, type Exit, type LaunchSpec, startLine } from './port.ts';
import { findMembers, markName, readProcessTable } from './process-table.ts';
import { signalProcess, TreeEnder } from './tree-ender.ts';
import { TreeFreezer } from './tree-freezer.ts';

/** The tier with what it takes. */
export type Placement = { readonly tier: 'none' } | { readonly tier: 'user'; readonly setup: BubblewrapSetup };

type Entry = {
  /** Resolves with the first process, or null when it could not be started. */
  readonly started: Promise<ChildProcess | null>;
  /** Resolves when nothing of the instance is left. */
  readonly gone: Promise<void>;
};

type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly hidden: Buffer | null;
  readonly environment: LaunchSpec['environment'];
};

export class InstanceProcesses {
  readonly #placement: Placement;
  readonly #clock: Clock;
  readonly #ender: TreeEnder;
  readonly #freezer: TreeFreezer;
  readonly #memory: MemoryWatch;
  readonly #onExited: (exit: Exit) => void;
  /** Instances that are being ended for their memory. */
  readonly #outOfMemory = new Set<string>();
  /** Bounded by whoever asks for starts: the data process's limit of instances. */
  readonly #entries = new Map<string, Entry>();

  constructor(placement: Placement, clock: Clock, onExited: (exit: Exit) => void) {
    this.#placement = placement;
    this.#clock = clock;
    this.#ender = new TreeEnder(clock);
    this.#freezer = new TreeFreezer(clock);
    this.#memory = new MemoryWatch(clock);
    this.#onExited = onExited;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Errors: rejects when the log socket or the program cannot be reached, and on an id in use. */
  async start(spec: LaunchSpec): Promise<{ readonly pid: number }> {
    const { pid } = await this.#start(spec, startLine(spec));
    this.#watchMemory(spec.instanceId, pid, spec.memoryMb);
    return { pid };
  }

  /** Errors: as start; rejects in tiers where nothing can be mounted later. */
  async startSpare(spec: LaunchSpec): Promise<{ readonly pid: number }> {
    if (this.#placement.tier !== 'none') throw new Error(`there are no spares in tier ${this.#placement.tier}`);
    return await this.#start(spec, null);
  }

  /** Errors: rejects when there is no such spare, or it has ended. */
  async assign({ instanceId, memoryMb, startLine: line }: Assignment): Promise<void> {
    const child = await this.#entries.get(instanceId)?.started;
    const input = child?.stdin ?? null;
    if (child?.pid === undefined || input === null || !input.writable) throw new Error('there is no such spare');
    this.#watchMemory(instanceId, child.pid, memoryMb);
    input.end(line);
  }

  async #start(spec: LaunchSpec, line: string | null): Promise<{ readonly pid: number }> {
    const { instanceId } = spec;
    if (this.#entries.has(instanceId)) throw new Error(`instance ${instanceId} is there already`);
    if (spec.isImage === true)
      throw new Error('this launcher runs no images (install gcc and libc6-dev for the native one)');
    if (spec.relay !== undefined) throw new Error('this launcher gives no networks, and so no relays');
    const spawning = this.#spawn(spec, line);
    const started = spawning.catch(() => null);
    this.#entries.set(instanceId, { started, gone: this.#watch(instanceId, started) });
    const { pid } = await spawning;
    if (pid === undefined) throw new Error('the process has no id');
    return { pid };
  }

  #watchMemory(instanceId: string, pid: number, memoryMb: number): void {
    if (!this.#entries.has(instanceId)) return;
    this.#memory.add(instanceId, pid, memoryMb, () => {
      this.#outOfMemory.add(instanceId);
      void this.stop(instanceId, 0);
    });
  }

  /** SIGTERM, and SIGKILL to the whole tree after `graceMs`. Resolves when nothing is left. */
  async stop(instanceId: string, graceMs: number): Promise<void> {
    const entry = this.#entries.get(instanceId);
    if (entry === undefined) return;
    const child = await entry.started;
    if (child?.pid === undefined) return await entry.gone;
    if (graceMs > 0) {
      this.#freezer.thaw(instanceId);
      this.#terminate(instanceId, child.pid);
      await this.#within(graceMs, entry.gone);
    }
    if (this.#entries.get(instanceId) !== entry) return;
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    await this.#ender.end(instanceId, hasEnded ? null : child.pid);
    await entry.gone;
  }

  /** Errors: rejects when there is no such instance, or when it would not stop. */
  async setFrozen(instanceId: string, isFrozen: boolean): Promise<void> {
    const child = await this.#entries.get(instanceId)?.started;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`instance ${instanceId} is not there`);
    }
    if (isFrozen) {
      this.#memory.setPaused(instanceId, true);
      if (await this.#freezer.freeze(instanceId, child.pid)) return;
      throw new Error(`instance ${instanceId} did not stay frozen`);
    }
    this.#freezer.thaw(instanceId);
    this.#memory.setPaused(instanceId, false);
  }

  /** Ends all instances. */
  async endAll(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((id) => this.stop(id, 0)));
  }

  /** Without a start line its pipe stays open. */
  async #spawn(spec: LaunchSpec, line: string | null): Promise<ChildProcess> {
    const command = this.#command(spec);
    const output = await connectOutput(`${spec.socketDirectory}/${logSocketName}`);
    try {
      const child = spawn(command.file, command.args, {
        cwd: spec.codeDirectory,
        env: command.environment,
        detached: true,
        stdio: ['pipe', output, output, ...(command.hidden === null ? [] : ['pipe' as const])],
      });
      const [input, hidden] = [child.stdin, child.stdio[3]];
      for (const stream of [input, hidden]) stream?.on('error', () => {}); // it ended before it read: 'exit' tells
      if (command.hidden !== null && hidden && 'end' in hidden) hidden.end(command.hidden);
      if (line !== null) input?.end(line);
      await once(child, 'spawn');
      return child;
    } finally {
      // Ours only: the child has its own copy.
      output.destroy();
    }
  }

  #command(spec: LaunchSpec): Command {
    switch (this.#placement.tier) {
      case 'none': {
        const [file = '', ...args] = spec.argv;
        return { file, args, hidden: null, environment: spec.environment };
      }
      case 'user': {
        const { setup } = this.#placement;
        if (setup.user.kind === 'dropped') {
          // Its own uid has to reach the sockets; the directory above lets nobody else in.
          chmodSync(spec.socketDirectory, 0o755);
          if (spec.token !== '') chmodSync(`${spec.socketDirectory}/${frameSocketName}`, 0o666);
        }
        // bubblewrap too carries the mark: killed before its sandbox stands, it leaves a child that no parent leads to.
        return { ...sandboxCommand(setup, spec), environment: { [markName]: spec.instanceId } };
      }
    }
  }

  /** From start to the end of the last process; then tells it. */
  async #watch(instanceId: string, started: Promise<ChildProcess | null>): Promise<void> {
    const child = await started;
    if (child !== null) {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      // Daemons may have stayed, and of bubblewrap the first process goes before the one that holds the sandbox.
      await this.#ender.end(instanceId, null);
    }
    this.#entries.delete(instanceId);
    this.#freezer.forget(instanceId);
    const peakMemoryKb = this.#memory.remove(instanceId);
    const isOutOfMemory = this.#outOfMemory.delete(instanceId);
    if (child === null) return;
    const { exitCode: code, signalCode: signal } = child;
    this.#onExited({ instanceId, code, signal, isOutOfMemory, peakMemoryKb });
  }

  /** SIGTERM to the program itself: in a sandbox that is the child of the namespace's first process. */
  #terminate(instanceId: string, pid: number): void {
    switch (this.#placement.tier) {
      case 'none':
        signalProcess(pid, 'SIGTERM');
        return;
      case 'user': {
        const members = findMembers(readProcessTable(), new Set([instanceId]), new Set([pid]));
        const first = members.find(({ parent }) => parent === pid)?.pid;
        for (const member of members) if (member.parent === first) signalProcess(member.pid, 'SIGTERM');
        return;
      }
    }
  }

  #within(limitMs: number, done: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(limitMs, resolve);
      void done.then(() => {
        cancel();
        resolve();
      });
    });
  }
}

async function connectOutput(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, 'connect');
  socket.on('error', () => {});
  return socket;
}
