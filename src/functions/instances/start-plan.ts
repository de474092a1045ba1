// What it takes to start an instance of a function: program, environment and places, and the load frame that follows.
// Called by pool.ts for each start.
import type { Credentials, FunctionConfig, Hook } from '../../model/function.ts';
import type { FrameContext, FrameCredentials, FrameHeads } from '../../wire/frames.ts';
import type { InterpreterChoice } from '../choose-interpreter.ts';
import { placeInstance } from '../launcher/placement.ts';
import type { IsolationTier, LaunchSpec } from '../launcher/port.ts';
import type { StartableLanguage } from '../runtimes.ts';
import { instanceEnvironment } from './environment.ts';

/** How the instance is spoken to. */
export type RoadPlan = { readonly kind: 'frames' };

export type StartPlan = {
  readonly road: RoadPlan;
  readonly launch: LaunchSpec;
  readonly load: FrameHeads['load'];
  readonly runtimeNote: string | null;
  /** What the load frame and the environment tell. */
  readonly credentials: Credentials | null;
  readonly preStop: Hook | null;
};

/** Program arguments of each language's bootstrap. Python: no byte code beside the code, no user site. */
const bootstraps = {
  python: { options: ['-B', '-s'], file: 'bootstrap.py' },
  node: { options: [], file: 'bootstrap.cjs' },
} as const satisfies Record<StartableLanguage, { options: readonly string[]; file: string }>;

export type PlanInput = {
  readonly config: FunctionConfig;
  readonly choice: Extract<InterpreterChoice, { ok: true }>;
  readonly tier: IsolationTier;
  readonly instanceId: string;
  readonly socketDirectory: string;
  /** The package's `runtimes` directory. */
  readonly runtimesDirectory: string;
  readonly token: string;
  /** The function's, as they are now. */
  readonly credentials: Credentials | null;
};

export function planStart(input: PlanInput): StartPlan {
  const { config, choice, tier, instanceId, socketDirectory, token, credentials } = input;
  const { interpreter, note } = choice;
  const bootstrap = bootstraps[interpreter.language];
  const runtimeDirectory = `${input.runtimesDirectory}/${interpreter.language}`;
  const codeDirectory = config.code.directory;
  const layersDirectory = config.layersDirectory ?? null;
  const place = placeInstance(tier, {
    codeDirectory,
    layersDirectory,
    socketDirectory,
    runtimeDirectory,
    language: interpreter.language,
  });
  return {
    road: { kind: 'frames' },
    launch: {
      instanceId,
      argv: [interpreter.path, ...bootstrap.options, `${place.runtimePath}/${bootstrap.file}`],
      environment: instanceEnvironment(config, { instanceId, place, interpreter, credentials }),
      codeDirectory,
      socketDirectory,
      socketPath: place.socketPath,
      readOnly: [
        // First: an interpreter may lie below the place of the layers.
        ...(layersDirectory === null || place.layersPath === null
          ? []
          : [{ from: layersDirectory, to: place.layersPath }]),
        { from: interpreter.prefix, to: interpreter.prefix },
        { from: runtimeDirectory, to: place.runtimePath },
      ],
      token,
      memoryMb: config.memoryMb,
    },
    load: {
      handler: config.handler,
      codePath: place.codePath,
      dialect: config.runtime,
      context: contextOf(config, credentials),
    },
    runtimeNote: note,
    credentials,
    preStop: config.preStop ?? null,
  };
}

/** Source: docs (function-runtime.md 5). */
function contextOf(config: FunctionConfig, credentials: Credentials | null): FrameContext {
  const { initializer } = config;
  return {
    function: {
      name: config.functionName,
      handler: config.handler,
      memory: config.memoryMb,
      timeout: config.timeoutMs / 1000,
      initializer: initializer?.handler ?? '',
      initializationTimeout: (initializer?.timeoutMs ?? 0) / 1000,
    },
    service: {
      name: config.serviceName ?? '',
      logProject: config.logProject,
      logStore: config.logStore,
      qualifier: config.qualifier,
      versionId: config.versionId,
    },
    region: config.regionId,
    accountId: config.accountId,
    credentials: credentials === null ? null : frameCredentials(credentials),
  };
}

/** Without the members that functions do not see. */
export function frameCredentials({ accessKeyId, accessKeySecret, securityToken }: Credentials): FrameCredentials {
  return { accessKeyId, accessKeySecret, securityToken };
}
