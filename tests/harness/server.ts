// Starts the real server by its launcher script and ends it; knows every process that came of it.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { asOrdinary, giveToOrdinary } from './ordinary.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const readyTimeoutMs = 60_000;

export type Ready = {
  event: 'ready';
  gateway: string;
  /** null unless `--gateway-tls-port` was given. */
  gatewayTls: string | null;
  http: string;
  api: string;
  accountId: string;
  region: string;
  accessKeyId: string;
  credentialsFile: string;
  isolation: string;
  launcher: string;
  network: string;
  /** What carries functions' packets out; null in the host's network. */
  carrier: string | null;
  project: null | {
    groupId: string;
    apis: { method: string; url: string; auth: string }[];
    app: { appId: number; appKey: string; credentialsFile: string };
  };
};

export type Credentials = { accountId: string; accessKeyId: string; accessKeySecret: string };

/** What server.json tells besides the addresses. */
export type ServerFacts = {
  pid: number;
  pids: { control: number; data: number; launcher: number };
  runDir: string;
  dataProcesses: { data: number; launcher: number; runDir: string }[];
};

export type TestServer = {
  readonly child: ChildProcess;
  readonly ready: Ready;
  readonly credentials: Credentials;
  readonly facts: ServerFacts;
  readonly dataDir: string;
  /** Lines of stdout after the ready line, as they come. */
  readonly events: Record<string, unknown>[];
  /** What the server wrote to stderr so far. */
  log(): string;
  /** The end of the process: exit code or signal. */
  readonly exited: Promise<number | string>;
  /** SIGTERM and wait. */
  stop(): Promise<number | string>;
};

/** What a suite undoes at its end, in reverse; a test context does the same for one test. */
export class Cleanup {
  readonly #steps: (() => Promise<void> | void)[] = [];

  after(step: () => Promise<void> | void): void {
    this.#steps.unshift(step);
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0)) await step();
  }
}

/** A directory that goes with the test. */
export function temporaryDirectory(t: { after(run: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'yunmen-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export type StartOptions = {
  readonly gatewayPort?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** As an ordinary user, though this process is root. */
  readonly isOrdinary?: boolean;
  /** As an ordinary user whose checkout has no native launcher, and cannot make one. */
  readonly isWithoutSandd?: boolean;
  /** The start script; that of this checkout unless said. */
  readonly program?: string;
};

/** Free ports, its own data directory unless one is given; ends with the test if the test did not end it. */
export async function startServer(
  t: { after(run: () => Promise<void> | void): void },
  command: readonly string[],
  dataDir: string,
  {
    gatewayPort = 0,
    env = {},
    isWithoutSandd = false,
    isOrdinary = isWithoutSandd,
    program = join(root, 'bin/yunmen'),
  }: StartOptions = {},
): Promise<TestServer> {
  const args = [
    ...command,
    '--json',
    '--data-dir',
    dataDir,
    '--gateway-port',
    String(gatewayPort),
    '--http-port',
    '0',
    '--api-port',
    '0',
  ];
  const options = { cwd: root, env: { ...process.env, ...env } };
  const [file, ...rest] = isOrdinary
    ? asOrdinary(temporaryDirectory(t), [program, ...args], isWithoutSandd ? join(root, 'native') : null)
    : ([program, ...args] as const);
  if (isOrdinary) giveToOrdinary(dataDir);
  const child = spawn(file, rest, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-1_000_000);
  });
  const events: Record<string, unknown>[] = [];
  const exited = new Promise<number | string>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 0)),
  );
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await exited;
    }
  });
  const ready = await new Promise<Ready>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready in ${readyTimeoutMs} ms:\n${log}`)), readyTimeoutMs);
    void exited.then((how) => {
      clearTimeout(timer);
      reject(new Error(`ended before it was ready (${how}):\n${log}`));
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = JSON.parse(line) as Record<string, unknown>;
      if (event['event'] !== 'ready') return void events.push(event);
      clearTimeout(timer);
      resolve(event as unknown as Ready);
    });
  });
  return {
    child,
    ready,
    credentials: JSON.parse(readFileSync(ready.credentialsFile, 'utf8')) as Credentials,
    facts: JSON.parse(readFileSync(join(dataDir, 'server.json'), 'utf8')) as ServerFacts,
    dataDir,
    events,
    log: () => log,
    exited,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

/** A process by pid and start time, so that a pid used again is not mistaken for it. */
export type ProcessMark = { readonly pid: number; readonly startTime: string };

function statFields(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

/** As it stands now: by parent, and each by its own id. */
function readProcesses() {
  const children = new Map<number, ProcessMark[]>();
  const marks = new Map<number, ProcessMark>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statFields(Number(name));
    if (fields === null) continue;
    const mark = { pid: Number(name), startTime: fields[19] ?? '' };
    marks.set(mark.pid, mark);
    const parent = Number(fields[1]);
    children.set(parent, [...(children.get(parent) ?? []), mark]);
  }
  return { children, marks };
}

export function childrenOf(pid: number): readonly ProcessMark[] {
  return readProcesses().children.get(pid) ?? [];
}

/** The process and everything below it by parent, as it stands now. */
export function processTree(rootPid: number): ProcessMark[] {
  const { children, marks } = readProcesses();
  const self = marks.get(rootPid);
  const found = self === undefined ? [] : [self];
  for (let at = 0; at < found.length; at++) {
    const current = found[at];
    if (current !== undefined) found.push(...(children.get(current.pid) ?? []));
  }
  return found;
}

/** The processes of a server's instances, those too that have left the tree: found by what is in their environment. */
export function instanceProcesses(runDir: string): ProcessMark[] {
  const ids = readdirSync(join(runDir, 'i'));
  return processTree(1).filter(({ pid }) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
      return ids.some((id) => environment.includes(`FC_INSTANCE_ID=${id}`));
    } catch {
      return false; // it has gone meanwhile
    }
  });
}

/** Those of `marks` that are still there and are no zombies. */
export function alive(marks: readonly ProcessMark[]): ProcessMark[] {
  return marks.filter(({ pid, startTime }) => {
    const fields = statFields(pid);
    return fields !== null && fields[19] === startTime && fields[0] !== 'Z';
  });
}

/** Waits until nothing of `marks` lives and `paths` are gone; returns what is left after `limitMs`. */
export async function leftovers(
  marks: readonly ProcessMark[],
  paths: readonly string[],
  limitMs: number,
): Promise<string[]> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const left = [...alive(marks).map(({ pid }) => `process ${pid}`), ...paths.filter((path) => existsSync(path))];
    if (left.length === 0 || Date.now() > deadline) return left;
    await sleep(20);
  }
}
