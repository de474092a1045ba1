// A compute plane for contract tests: a real launcher process, functions written to temporary directories, and what is
// left of it all after close.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { randomHex } from '../../src/base/ids.ts';
import {
  connectLauncher,
  connectSandd,
  createFunctions,
  defaultRuntimesDirectory,
  type Functions,
  type FunctionsDeps,
  findInterpreters,
  findSandd,
  type LauncherClient,
  type Limits,
  type LogLine,
  startSandd,
} from '../../src/functions/index.ts';
import { parseIsolationTier } from '../../src/functions/launcher/port.ts';
import type { Credentials, FunctionConfig } from '../../src/model/function.ts';
import type { HttpHandlerCall } from '../../src/model/http-handler.ts';
import type { CallerSpan, InvocationOutcome, ResponseSink } from '../../src/model/invocation.ts';

export type Code = Readonly<Record<string, string | Uint8Array>>;
export type Outcome<K extends InvocationOutcome['kind']> = Extract<InvocationOutcome, { kind: K }>;

export type Fixture = {
  readonly runDir: string;
  readonly launcherPid: number;
  readonly functions: Functions;
  /** What the operator would see. */
  readonly reports: string[];
  readonly lines: LogLine[];
  /** What functions are given. */
  credentials: Credentials | null;
  /** Publishes a function (anew). */
  publish(name: string, files: Code, config?: Partial<FunctionConfig>): FunctionConfig;
  invoke(name: string, event?: Buffer | string, options?: InvokeOptions): Promise<InvocationOutcome>;
  succeed(name: string, event?: Buffer | string, options?: InvokeOptions): Promise<Outcome<'success'>>;
  fail(name: string, event?: Buffer | string, options?: InvokeOptions): Promise<Outcome<'function-error'>>;
  /** Ends what can be ended when the launcher was killed. */
  abandon(): Promise<void>;
  /** Ends all and checks that nothing is left. */
  close(): Promise<void>;
};

type InvokeOptions = {
  readonly tail?: boolean;
  readonly signal?: AbortSignal;
  readonly requestId?: string;
  readonly span?: CallerSpan;
  readonly http?: HttpHandlerCall;
  readonly sink?: ResponseSink;
};

/** A launcher process that is ready. */
export async function startLauncher(runDir: string, token: string, tier: string): Promise<ChildProcess> {
  const entry = new URL('./launcher-entry.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [entry, JSON.stringify({ runDir, token, tier })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.ok(child.stdout);
  await once(child.stdout, 'data');
  return child;
}

type OpenLauncher = { readonly launcher: LauncherClient; readonly pid: number; readonly exited: Promise<unknown> };

/** sandd, or the launcher in Node. */
async function openLauncher(
  runDir: string,
  token: string,
  tier: string,
  shown: readonly string[],
  { hasNetworks, isNative }: { readonly hasNetworks: boolean; readonly isNative: boolean },
): Promise<OpenLauncher> {
  if (!isNative) {
    const process = await startLauncher(runDir, token, tier);
    const launcher = await connectLauncher({ runDir, token, onGone: () => {} });
    return { launcher, pid: process.pid ?? 0, exited: once(process, 'exit') };
  }
  const found = await findSandd();
  assert.ok(found.ok);
  const { pid, exited, allow, noNetwork } = await startSandd({
    path: found.path,
    runDir,
    token,
    tier: parseIsolationTier(tier),
    owner: null,
    policy: hasNetworks ? { allowed: [], refused: [] } : null,
    report: () => {},
  });
  assert.ok(!hasNetworks || noNetwork === null, noNetwork ?? '');
  for (const directory of [...shown, defaultRuntimesDirectory()]) await allow(directory);
  // Looked for once: what is allowed and what is used have to be the same.
  const interpreters = await findInterpreters();
  for (const { prefix, shows = [] } of interpreters) {
    for (const place of [prefix, ...shows]) await allow(place);
  }
  const launcher = await connectSandd({ runDir, token, interpreters: async () => interpreters, onGone() {} });
  return { launcher, pid, exited };
}

type More = Pick<FunctionsDeps, 'memory' | 'outside' | 'hasOwnNetwork' | 'imageDirectory' | 'elsewhere' | 'network'> & {
  /** By sandd; else by the launcher in Node. Only the former has tier strong. */
  readonly isNative?: boolean;
};

export async function openFixture(
  tier: string,
  limits: Partial<Limits> = {},
  { isNative = tier === 'strong', ...more }: More = {},
  wrap: (launcher: LauncherClient) => LauncherClient = (launcher) => launcher,
): Promise<Fixture> {
  const runDir = mkdtempSync('/tmp/yunmen-');
  const codeRoot = mkdtempSync('/tmp/yunmen-code-');
  const token = randomHex(32);
  const { imageDirectory = null } = more;
  const shown = imageDirectory === null ? [codeRoot] : [codeRoot, imageDirectory];
  const {
    launcher: opened,
    pid,
    exited,
  } = await openLauncher(runDir, token, tier, shown, { hasNetworks: (more.network ?? 'host') !== 'host', isNative });
  const launcher = wrap(opened);
  const published = new Map<string, FunctionConfig>();
  const reports: string[] = [];
  const lines: LogLine[] = [];
  const note = (text: string) => void reports.push(text);
  const functions = createFunctions({
    clock: systemClock,
    runDir,
    launcher,
    tier,
    limits,
    packagesDirectory: codeRoot,
    runtimeFallback: true,
    ...more,
    log: { debug: note, info: note, warn: note, error: note },
    onOutput: (line) => lines.push(line),
    credentialsOf: () => fixture.credentials,
    isPublished: (config) => published.get(config.functionName) === config,
    find: ({ functionName }) => {
      const config = published.get(functionName);
      return config === undefined
        ? { ok: false, code: 'FunctionNotFound', message: `function '${functionName}' does not exist` }
        : { ok: true, config };
    },
  });
  const invoke: Fixture['invoke'] = (name, event = '', { tail = false, signal, requestId, span, http, sink } = {}) =>
    functions.invoke(
      {
        target: { serviceName: null, functionName: name, qualifier: null },
        requestId: requestId ?? `request-${randomHex(8)}`,
        event: Buffer.from(event),
        wantsLogTail: tail,
        ...(span === undefined ? {} : { span }),
        ...(http === undefined ? {} : { http }),
        ...(sink === undefined ? {} : { sink }),
      },
      signal ?? new AbortController().signal,
    );
  const fixture: Fixture = {
    credentials: null,
    runDir,
    launcherPid: pid,
    functions,
    reports,
    lines,
    publish(name, files, changes = {}) {
      const directory = `${codeRoot}/${name}-${randomHex(4)}`;
      mkdirSync(directory);
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(`${directory}/${path}`), { recursive: true });
        const isProgram = typeof text === 'string' && text.startsWith('#!');
        writeFileSync(`${directory}/${path}`, text, { mode: isProgram ? 0o755 : 0o644 });
      }
      const config = configOf(name, directory, changes);
      published.set(name, config);
      functions.changed(config.key);
      return config;
    },
    invoke,
    async succeed(name, event, options) {
      const outcome = await invoke(name, event, options);
      assert.equal(outcome.kind, 'success', describe(outcome));
      return outcome as Outcome<'success'>;
    },
    async fail(name, event, options) {
      const outcome = await invoke(name, event, options);
      assert.equal(outcome.kind, 'function-error', describe(outcome));
      return outcome as Outcome<'function-error'>;
    },
    async abandon() {
      await functions.close();
      launcher.close();
      rmSync(runDir, { recursive: true, force: true });
      rmSync(codeRoot, { recursive: true, force: true });
    },
    async close() {
      await functions.close();
      const directories = existsSync(`${runDir}/i`) ? readdirSync(`${runDir}/i`) : [];
      launcher.close();
      await exited;
      const left = existsSync(runDir) ? readdirSync(runDir).filter((name) => name !== 'launcher.sock') : [];
      rmSync(runDir, { recursive: true, force: true });
      rmSync(codeRoot, { recursive: true, force: true });
      assert.deepEqual(directories, [], 'instance directories are left');
      assert.deepEqual(left, [], 'the run directory is not empty');
    },
  };
  return fixture;
}

export function configOf(name: string, directory: string, changes: Partial<FunctionConfig> = {}): FunctionConfig {
  return {
    key: name,
    accountId: '1234567890',
    regionId: 'cn-hangzhou',
    serviceName: null,
    functionName: name,
    versionId: 'LATEST',
    qualifier: 'LATEST',
    runtime: 'python3.10',
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
    ...changes,
  };
}

/** An outcome for a failed assertion: what it is, with its text. */
export function describe(outcome: InvocationOutcome): string {
  if (outcome.kind === 'refused') return `refused: ${outcome.code} ${outcome.message}`;
  const log = outcome.logTail === null ? '' : `\n${outcome.logTail.toString()}`;
  return `${outcome.kind}: ${outcome.body.toString('utf8', 0, 500)}${log}`;
}
