// A compute plane by itself, on one launcher in one tier, with functions written to a temporary directory. For benches.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { newRequestId, randomHex } from '../src/base/ids.ts';
import { startOwnProcess } from '../src/child-process.ts';
import {
  connectLauncher,
  connectSandd,
  createFunctions,
  defaultRuntimesDirectory,
  type Functions,
  findInterpreters,
  findSandd,
  type IsolationTier,
  type LauncherClient,
  type Limits,
  precompilePython,
  startSandd,
} from '../src/functions/index.ts';
import type { FunctionConfig } from '../src/model/function.ts';
import type { InvocationOutcome } from '../src/model/invocation.ts';

export type LauncherKind = 'node' | 'sandd';
export type BenchPlane = {
  readonly name: string;
  readonly launcher: LauncherClient;
  readonly launcherPid: number;
  readonly runDir: string;
  readonly functions: Functions;
  /** A file that begins with `#!`, or is a program of the system's, may be executed. */
  publish(
    name: string,
    runtime: string,
    files: Readonly<Record<string, string | Uint8Array>>,
    more?: Partial<FunctionConfig>,
  ): void;
  invoke(name: string, event: string): Promise<InvocationOutcome>;
  /** Ends the function's instances: its next call is cold. */
  forget(name: string): void;
  close(): Promise<void>;
};

const token = randomHex(32);

async function open(kind: LauncherKind, tier: IsolationTier, { runDir, code }: { runDir: string; code: string }) {
  const interpreters = findInterpreters();
  if (kind === 'node') {
    const child = await startOwnProcess('launcher', { onCall: () => Promise.reject(), onNote() {}, onClose() {} });
    await child.channel.call('configure', { runDir, launcherToken: token, isolation: tier, mode: 'start' });
    const launcher = await connectLauncher({ runDir, token, onGone() {} });
    return { launcher, launcherPid: child.pid, close: async () => launcher.close() };
  }
  const found = await findSandd();
  if (!found.ok) throw new Error(found.why);
  const sandd = await startSandd({ path: found.path, runDir, token, tier, owner: null, report: console.error });
  for (const directory of [code, defaultRuntimesDirectory()]) await sandd.allow(directory);
  for (const { prefix, shows = [] } of await interpreters) {
    for (const place of [prefix, ...shows]) await sandd.allow(place);
  }
  const launcher = await connectSandd({ runDir, token, interpreters: () => interpreters, onGone() {} });
  const close = async () => {
    launcher.close();
    await sandd.exited;
  };
  return { launcher, launcherPid: sandd.pid, close };
}

/** Errors: rejects when the launcher cannot serve the tier here. */
export async function openPlane(
  kind: LauncherKind,
  tier: IsolationTier,
  limits: Partial<Limits> = {},
): Promise<BenchPlane> {
  const runDir = mkdtempSync('/tmp/yunmen-');
  const code = mkdtempSync('/tmp/yunmen-code-');
  chmodSync(code, 0o755);
  await precompilePython(await findInterpreters());
  const { launcher, launcherPid, close } = await open(kind, tier, { runDir, code });
  const published = new Map<string, FunctionConfig>();
  const note = () => {};
  const functions = createFunctions({
    clock: systemClock,
    runDir,
    launcher,
    tier,
    limits,
    packagesDirectory: code,
    runtimeFallback: true,
    log: { debug: note, info: note, warn: note, error: note },
    credentialsOf: () => null,
    isPublished: (config) => published.get(config.functionName) === config,
    find: ({ functionName }) => {
      const config = published.get(functionName);
      return config ? { ok: true, config } : { ok: false, code: 'FunctionNotFound', message: functionName };
    },
  });
  return {
    name: `${kind === 'node' ? (tier === 'none' ? 'plain' : 'bubblewrap') : 'sandd'} ${tier}`,
    launcher,
    launcherPid,
    runDir,
    functions,
    publish(name, runtime, files, more = {}) {
      const directory = `${code}/${name}`;
      mkdirSync(directory);
      for (const [file, text] of Object.entries(files)) {
        const isProgram = ['#!', '\x7fE'].includes(Buffer.from(text.slice(0, 2)).toString('latin1'));
        mkdirSync(dirname(`${directory}/${file}`), { recursive: true });
        writeFileSync(`${directory}/${file}`, text, { mode: isProgram ? 0o755 : 0o644 });
      }
      published.set(name, { ...configOf(name, runtime, directory), ...more });
    },
    invoke: (name, event) =>
      functions.invoke(
        {
          target: { serviceName: null, functionName: name, qualifier: null },
          requestId: newRequestId(),
          event: Buffer.from(event),
          wantsLogTail: false,
        },
        new AbortController().signal,
      ),
    forget: (name) => functions.changed(name),
    async close() {
      await functions.close();
      await close();
      for (const directory of [runDir, code]) rmSync(directory, { recursive: true, force: true });
    },
  };
}

function configOf(name: string, runtime: string, directory: string): FunctionConfig {
  return {
    key: name,
    accountId: '1234567890',
    regionId: 'cn-hangzhou',
    serviceName: null,
    functionName: name,
    versionId: 'LATEST',
    qualifier: 'LATEST',
    runtime,
    handler: 'index.handler',
    memoryMb: 512,
    timeoutMs: 30_000,
    initializer: null,
    environment: {},
    instanceConcurrency: 1,
    role: null,
    logProject: '',
    logStore: '',
    code: { checksum: randomHex(4), sizeBytes: 0, directory },
  };
}
