// A sandd of its own for a test, as the launchers' contract wants it. Used by the sandd tests.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { randomHex } from '../../src/base/ids.ts';
import {
  connectSandd,
  findInterpreters,
  type IsolationTier,
  type NetworkPolicy,
  type RunningSandd,
  type SanddClient,
  startSandd,
} from '../../src/functions/index.ts';
import { hasOwnRoot } from '../../src/functions/launcher/placement.ts';
import type { Exit, LaunchSpec } from '../../src/functions/launcher/port.ts';
import type { ExecBench } from '../../src/functions/launcher/suite-exec.ts';

export type OpenSandd = {
  readonly tier: IsolationTier;
  readonly launcher: SanddClient;
  readonly sandd: RunningSandd;
  readonly runDir: string;
  readonly token: string;
  /** What it said to the operator. */
  readonly reports: string[];
  close(): Promise<void>;
};

/** `policy`: not null when it is to make networks. */
export async function openSandd(
  path: string,
  tier: IsolationTier,
  policy: NetworkPolicy | 'none' | null = null,
): Promise<OpenSandd> {
  const runDir = mkdtempSync('/tmp/yunmen-');
  const token = randomHex(32);
  const reports: string[] = [];
  const sandd = await startSandd({
    path,
    runDir,
    token,
    tier,
    owner: null,
    policy,
    report: (text) => reports.push(text),
  });
  for (const directory of ['/usr/share', '/tmp']) await sandd.allow(directory);
  const launcher = await connectSandd({ runDir, token, interpreters: findInterpreters, onGone: () => {} });
  return {
    tier,
    launcher,
    sandd,
    runDir,
    token,
    reports,
    async close() {
      launcher.close();
      await sandd.exited;
      rmSync(runDir, { recursive: true, force: true });
    },
  };
}

/** What it takes to start a program in it: a place of its own with both sockets in it, and what to say. Bounded by its test. */
export function prepareInstance(
  { runDir, tier }: OpenSandd,
  argv: readonly string[],
  onOutput: (text: string) => void = () => {},
): { readonly spec: LaunchSpec; close(): void } {
  const instanceId = `c-${randomHex(4)}-${randomHex(10)}`;
  const socketDirectory = `${runDir}/i/${instanceId}`;
  mkdirSync(socketDirectory);
  const frames = createServer((socket) => socket.on('error', () => {}).resume());
  const log = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => onOutput(chunk.toString()));
  });
  frames.listen(`${socketDirectory}/f.sock`);
  log.listen(`${socketDirectory}/l.sock`);
  const spec: LaunchSpec = {
    instanceId,
    argv: [...argv],
    environment: { FC_INSTANCE_ID: instanceId },
    codeDirectory: '/usr/share',
    socketDirectory,
    socketPath: hasOwnRoot(tier) ? '/run/yunmen/f.sock' : `${socketDirectory}/f.sock`,
    readOnly: [],
    token: randomHex(32),
    memoryMb: 128,
  };
  return {
    spec,
    close() {
      frames.close();
      log.close();
    },
  };
}

/** An instance that runs the script, for the suite of sessions; resolves when that has written `up`. */
export async function openForExec(path: string, tier: IsolationTier, script: string): Promise<ExecBench> {
  const opened = await openSandd(path, tier);
  const { launcher, runDir, token } = opened;
  let written = '';
  let wake = () => {};
  const until = async (text: string) => {
    while (!written.includes(text)) await new Promise<void>((resolve) => (wake = resolve));
  };
  const exited = new Promise<Exit>((resolve) => launcher.onExited(resolve));
  const { spec, close } = prepareInstance(opened, ['/bin/sh', '-c', script], (text) => {
    written += text;
    wake();
  });
  const environment = { ...spec.environment, PATH: '/usr/bin:/bin' };
  await launcher.start({ ...spec, environment });
  await until('up');
  const { instanceId, codeDirectory } = spec;
  const directory = hasOwnRoot(tier) ? '/code' : codeDirectory;
  return {
    launcher,
    runDir,
    token,
    instanceId,
    directory,
    exited,
    until,
    async close() {
      await opened.close();
      close();
    },
  };
}
