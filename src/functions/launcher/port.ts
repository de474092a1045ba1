// The contract of the process that starts and ends instances. The launcher here and any native one keep it;
// launcher/suite.ts tests it. Spoken by the data process (client.ts) and served by serve.ts.
import type { TerminalSize } from '../../model/exec.ts';
import type { Interpreter } from '../choose-interpreter.ts';

/**
 * How far instances are kept apart, the weakest first. none: not at all (development). restricted: without namespaces, for
 * containers that may make none. user: namespaces of an ordinary user. strong: as root, with limits by control groups and
 * a user of the host for each instance.
 */
export const isolationTiers = ['none', 'restricted', 'user', 'strong'] as const;
export type IsolationTier = (typeof isolationTiers)[number];

/** Errors: throws on a name that is no tier. */
export function parseIsolationTier(name: string): IsolationTier {
  const tier = isolationTiers.find((each) => each === name);
  if (tier === undefined) throw new Error(`unknown isolation tier '${name}' (known: ${isolationTiers.join(', ')})`);
  return tier;
}

/**
 * What an instance can reach. open: the world, but not this host, other instances, or what the operator keeps private.
 * none: the doorway only. host: whatever the host can.
 */
export const networkModes = ['open', 'none', 'host'] as const;
export type NetworkMode = (typeof networkModes)[number];

/** One instance to start. Paths are the host's unless said. */
export type LaunchSpec = {
  /** `c-` and hex: also the name of the socket directory and the mark by which left-over processes are found. */
  readonly instanceId: string;
  /** Absolute program and arguments, in paths as the instance sees them (placement.ts). */
  readonly argv: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  readonly codeDirectory: string;
  /** Holds f.sock and l.sock, both listened to. */
  readonly socketDirectory: string;
  /** f.sock as the instance sees it. */
  readonly socketPath: string;
  /** What else the instance must be able to read: the interpreter's libraries, the bootstrap. */
  readonly readOnly: readonly { readonly from: string; readonly to: string }[];
  /** The instance's secret, given to it through its start pipe. Empty: no bootstrap of ours, nothing is on its input. */
  readonly token: string;
  readonly memoryMb: number;
  /** Processors that it may use, held where there are control groups. Missing: as many as there are. */
  readonly cpu?: number;
  /** The way into an instance that has a network of its own. Missing: none. */
  readonly relay?: Relay;
  /** Directories of an image that its program may write to, as it sees them. */
  readonly volumes?: readonly string[];
  /** Its root is what `readOnly` shows, not the system's: what was unpacked of a container image. */
  readonly isImage?: boolean;
  /** It begins in the background (see setBackground) where there are classes. */
  readonly isBackground?: boolean;
  /** Missing: host. The others only where sandd made networks. */
  readonly network?: NetworkMode;
};

/** `address`: the instance's own IPv4 address as the doorway sees it; none in the host's network. */
export type Started = { readonly pid: number; readonly address?: string | null };

/**
 * in: what connects to `s.sock` of the socket directory (made by the launcher) goes to a port where the program listens; the
 * first who connects is told by a `+` that it does. out: what connects to a port inside goes to `a.sock`, which is listened to.
 */
export type Relay = { readonly kind: 'in' | 'out'; readonly port: number };

/** What makes the instance of a function of a spare. */
export type Assignment = {
  readonly instanceId: string;
  readonly codeDirectory: string;
  readonly memoryMb: number;
  /** As of a LaunchSpec. */
  readonly cpu?: number;
  /** See startLine(). */
  readonly startLine: string;
  /** Of a spare that was started without one (`argv` empty): what it is to run. Only where instances have a root of their own. */
  readonly program?: Pick<LaunchSpec, 'argv' | 'environment'>;
};

/** A further process of a running instance, with its rights, its limits and its end. */
export type ExecSpec = {
  readonly instanceId: string;
  /** What its bytes go over: see attachSession(). Never 0. */
  readonly session: number;
  /** Where it starts, as the instance sees it. */
  readonly directory: string;
  readonly command: readonly string[];
  /** The whole of it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Null: three pipes. */
  readonly terminal: TerminalSize | null;
};

/** An instance ended by itself or by stop(); nothing of it is left. */
export type Exit = {
  readonly instanceId: string;
  readonly code: number | null;
  readonly signal: string | null;
  /** It was ended for using more memory than its function has. Without limits (tier none) never true. */
  readonly isOutOfMemory: boolean;
  /** 0 when it was not measured. */
  readonly peakMemoryKb: number;
};

export type Launcher = {
  /**
   * Starts a process. Its output is connected to l.sock, its start line is written.
   *
   * Errors: rejects when it could not be started; nothing is left then.
   */
  start(spec: LaunchSpec): Promise<Started>;
  /** In which tiers there can be spares. */
  readonly spareTiers: readonly IsolationTier[];
  /**
   * Starts a process that is to be given a function later: its start pipe stays open and empty. `codeDirectory` is the
   * directory below which all functions' code is, `token` and `socketPath` are not looked at. Without `argv`
   * it runs nothing of ours or of anybody's until it is assigned a program.
   *
   * Errors: as start.
   */
  startSpare(spec: LaunchSpec): Promise<Started>;
  /**
   * Gives a spare its function: limits, the code where it is looked for (tiers with a private root), the start line, or
   * its program: that runs when this resolves.
   *
   * Errors: rejects when there is no such spare (any more) or it could not be given; stop() is then the caller's.
   */
  assign(assignment: Assignment): Promise<void>;
  /** SIGTERM, and after `graceMs` SIGKILL to the whole tree. Resolves when nothing is left; an unknown id is done. */
  stop(instanceId: string, graceMs: number): Promise<void>;
  /**
   * Stops every process of the instance where it is, or lets it go on. Orders for one instance are done in turn; the
   * last one holds.
   *
   * Errors: rejects when there is no such instance, or when it would not stop (it goes on then).
   */
  setFrozen(instanceId: string, isFrozen: boolean): Promise<void>;
  /**
   * In the background an instance runs when no other wants the processor: it goes on, but delays nobody. Missing: what
   * instances run in has no classes here.
   *
   * Errors: rejects when there is no such instance.
   */
  readonly setBackground?: (instanceId: string, isBackground: boolean) => Promise<void>;
  /**
   * Has a further process started in a running instance. Resolves when that has begun: whether it runs and how it ended is
   * told over its session. Missing: this launcher cannot.
   *
   * Errors: rejects when there is no such instance, or nobody is attached.
   */
  readonly exec?: (spec: ExecSpec) => Promise<void>;
  /** What can run functions here. */
  interpreters(): Promise<readonly Interpreter[]>;
  /**
   * Waits for the bootstraps that are built (languages.ts), once interpreters have been found; null: they are there, else why functions of
   * those languages cannot run. Missing: nothing has to be built.
   */
  readonly builtBootstraps?: () => Promise<string | null>;
  /** Sets who hears of exits. */
  onExited(listener: (exit: Exit) => void): void;
};

/**
 * The line that a bootstrap waits for; empty without a token: no bootstrap of ours runs. It comes on its standard input (runtimes/PROTOCOL.md). `environment`: for a spare, the whole
 * of it.
 */
export function startLine(
  given: Pick<LaunchSpec, 'socketPath' | 'token'>,
  environment?: Readonly<Record<string, string>>,
): string {
  const { socketPath: socket, token } = given;
  if (token === '') return '';
  return `${JSON.stringify({ socket, token, log: null, ...(environment === undefined ? {} : { environment }) })}\n`;
}
