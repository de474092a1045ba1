// The body of the launcher process: InstanceProcesses on a unix socket, for one data process that knows the token.
// When that one goes, or close() is called, every instance ends. Called by the launcher's composition.
import { timingSafeEqual } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { Channel, type Message } from '../../base/channel.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { findInterpreters } from '../interpreters.ts';
import { BuiltBootstraps } from '../java-bootstrap.ts';
import { precompilePython } from '../precompile.ts';
import { writeEtc } from './bubblewrap.ts';
import { InstanceProcesses, type Placement } from './instance-processes.ts';
import { parseAssignment, parseLaunchSpec, parseSetFrozen, parseStop } from './messages.ts';
import { type IsolationTier, parseIsolationTier } from './port.ts';
import { findBubblewrap } from './probe.ts';
import { launcherSocketName } from './socket-name.ts';

export type LauncherOptions = {
  /** Mode 0700; holds launcher.sock and the instances' directories in `i/`, which go at the end. */
  readonly runDir: string;
  /** What the data process proves itself with. */
  readonly token: string;
  readonly tier: string;
  readonly clock?: Clock;
  /** For the operator. */
  report(text: string): void;
};

export type RunningLauncher = {
  readonly tier: IsolationTier;
  /** Ends every instance and stops listening. */
  close(): Promise<void>;
  /** Resolves after close(), or when the data process has gone and its instances have ended. */
  readonly closed: Promise<void>;
};

/** How long a connection may take to prove itself. */
const proofMs = 5_000;

/**
 * Serves until closed.
 *
 * Errors: rejects when the tier does not work here or the socket cannot be bound.
 */
export async function runLauncher(options: LauncherOptions): Promise<RunningLauncher> {
  const { runDir, clock = systemClock } = options;
  const tier = parseIsolationTier(options.tier);
  const placement = await place(tier, runDir);
  mkdirSync(`${runDir}/i`, { recursive: true, mode: 0o700 });
  let owner: Channel | null = null;
  let isClosing = false;
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<void>();
  const processes = new InstanceProcesses(placement, clock, (exit) => owner?.note('exited', exit));
  const bootstraps = new BuiltBootstraps((text) => process.stderr.write(`${text}\n`));
  const server = createServer((socket) => accept(socket));

  function accept(socket: Socket): void {
    let isProven = false;
    const cancelProof = clock.after(proofMs, () => socket.destroy());
    const channel = new Channel(socket, {
      async onCall(name, message) {
        if (isProven) return await serve(processes, bootstraps, name, message);
        if (name !== 'authenticate' || owner !== null || !isToken(message.data, options.token)) {
          options.report('a connection to the launcher that did not prove itself was closed');
          socket.destroy();
          throw new Error('not the owner');
        }
        isProven = true;
        owner = channel;
        cancelProof();
        return { data: { tier } };
      },
      onNote: () => {},
      onClose: () => {
        cancelProof();
        if (isProven) void close();
      },
    });
  }

  async function close(): Promise<void> {
    if (!isClosing) {
      isClosing = true;
      server.close();
      await processes.endAll();
      owner?.close();
      rmSync(`${runDir}/i`, { recursive: true, force: true });
      rmSync(etcOf(runDir), { recursive: true, force: true });
      resolveClosed();
    }
    await closed;
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(`${runDir}/${launcherSocketName}`, resolve);
  });
  return { tier, close, closed };
}

function etcOf(runDir: string): string {
  return `${runDir}/etc`;
}

async function place(tier: IsolationTier, runDir: string): Promise<Placement> {
  switch (tier) {
    case 'none':
      return { tier };
    case 'user': {
      writeEtc(etcOf(runDir));
      const found = await findBubblewrap(etcOf(runDir));
      if (!found.ok) throw new Error(`isolation tier 'user' does not work here: ${found.why}`);
      return { tier, setup: found.setup };
    }
    case 'restricted':
    case 'strong':
      throw new Error(`isolation tier '${tier}' takes the native launcher`);
  }
}

async function serve(
  processes: InstanceProcesses,
  bootstraps: BuiltBootstraps,
  name: string,
  { data }: Message,
): Promise<Message> {
  switch (name) {
    case 'start':
      return { data: await processes.start(parseLaunchSpec(data)) };
    case 'startSpare':
      return { data: await processes.startSpare(parseLaunchSpec(data)) };
    case 'assign':
      await processes.assign(parseAssignment(data));
      return { data: null };
    case 'stop': {
      const { instanceId, graceMs } = parseStop(data);
      await processes.stop(instanceId, graceMs);
      return { data: null };
    }
    case 'setFrozen': {
      const { instanceId, isFrozen } = parseSetFrozen(data);
      await processes.setFrozen(instanceId, isFrozen);
      return { data: null };
    }
    case 'interpreters': {
      const found = await findInterpreters();
      bootstraps.begin(found);
      void precompilePython(found);
      return { data: found };
    }
    case 'builtBootstraps':
      return { data: await bootstraps.wait() };
    default:
      throw new Error(`the launcher does not know '${name}'`);
  }
}

function isToken(data: unknown, token: string): boolean {
  if (typeof data !== 'object' || data === null || !('token' in data) || typeof data.token !== 'string') return false;
  const [given, expected] = [Buffer.from(data.token), Buffer.from(token)];
  return given.length === expected.length && timingSafeEqual(given, expected);
}
