// What it takes to start an instance of a function: program, environment and places, and the load frame that follows.
// Called by pool.ts for each start.
import type { DebugTarget } from '../../model/debugging.ts';
import type { Credentials, FunctionConfig, Hook } from '../../model/function.ts';
import type { FrameContext, FrameCredentials, FrameHeads } from '../../wire/frames.ts';
import type { InterpreterChoice } from '../choose-interpreter.ts';
import { debugCommand, isDebugged } from '../debugging.ts';
import type { UnpackedImage } from '../images.ts';
import { languageOf, type StartableLanguage } from '../languages.ts';
import { placeInstance } from '../launcher/placement.ts';
import type { IsolationTier, LaunchSpec, NetworkMode } from '../launcher/port.ts';
import { concurrencyOf } from './concurrency.ts';
import { instanceEnvironment } from './environment.ts';
import { layerBinds } from './layer-binds.ts';
import { type ProgramPlan, planProgram, programStartMs, relayOf } from './program.ts';
import type { RoadPlan } from './road-plan.ts';

export type StartPlan = {
  readonly road: RoadPlan;
  readonly launch: LaunchSpec;
  readonly load: FrameHeads['load'];
  readonly runtimeNote: string | null;
  /** What the load frame and the environment tell. */
  readonly credentials: Credentials | null;
  readonly preStop: Hook | null;
  /** Requests that it runs at once. */
  readonly concurrency: number;
  readonly preFreeze: Hook | null;
  /** The user's own program; null: a bootstrap of ours. */
  readonly program: ProgramPlan | null;
  /** Where its debugger listens; while one is attached, no limit of time holds. */
  readonly debugPort: number | null;
  /** How long it may take until the first request can be served, ms; missing: as for a bootstrap. */
  readonly loadMs?: number;
};

export type PlanInput = {
  readonly config: FunctionConfig;
  readonly choice: Extract<InterpreterChoice, { ok: true }>;
  readonly tier: IsolationTier;
  /** What instances get unless their function has less. */
  readonly network: NetworkMode;
  readonly instanceId: string;
  readonly socketDirectory: string;
  /** The package's `runtimes` directory. */
  readonly runtimesDirectory: string;
  readonly token: string;
  /** Instances do not share the host's network. */
  readonly hasOwnNetwork: boolean;
  /** The function's, as they are now. */
  readonly credentials: Credentials | null;
  /** The function that is debugged, if any. */
  readonly debug: DebugTarget | null;
  /** Its start is to delay nobody. */
  readonly isBackground?: boolean;
};

export function planStart(input: PlanInput): StartPlan {
  const { config, choice, tier, instanceId, socketDirectory, token, credentials } = input;
  const { interpreter, note } = choice;
  const concurrency = concurrencyOf(config, choice);
  if (interpreter === null)
    return choice.image === undefined ? startProgram(input, choice) : startImage(input, choice.image);
  const runtimeDirectory = `${input.runtimesDirectory}/${interpreter.language}`;
  const debug = isDebugged(config, input.debug) ? input.debug : null;
  const codeDirectory = debug?.codeDirectory ?? config.code.directory;
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
      argv: [interpreter.path, ...commandOf(interpreter.language, place.runtimePath, config.memoryMb, debug)],
      environment: instanceEnvironment(config, { instanceId, place, interpreter, credentials }),
      codeDirectory,
      socketDirectory,
      socketPath: place.socketPath,
      readOnly: [
        ...layerBinds(layersDirectory, place.layersPath, [interpreter.prefix, ...(interpreter.shows ?? [])]),
        ...[interpreter.prefix, ...(interpreter.shows ?? [])].map((path) => ({ from: path, to: path })),
        { from: runtimeDirectory, to: place.runtimePath },
      ],
      token,
      memoryMb: config.memoryMb,
      ...limitOf(config),
      ...(input.isBackground === true ? { isBackground: true } : {}),
      // A debugger of this machine attaches to it.
      network: debug === null ? networkOf(config, input.network) : 'host',
    },
    load: {
      handler: config.handler,
      codePath: place.codePath,
      dialect: config.runtime,
      context: contextOf(config, credentials),
      ...(concurrency > 1 ? { concurrency } : {}),
    },
    concurrency,
    runtimeNote: note,
    credentials,
    preStop: config.preStop ?? null,
    preFreeze: config.preFreeze ?? null,
    program: null,
    debugPort: debug?.port ?? null,
  };
}

function commandOf(
  language: StartableLanguage,
  runtimePath: string,
  memoryMb: number,
  debug: DebugTarget | null,
): readonly string[] {
  const command = languageOf(language).command(runtimePath, memoryMb);
  return debug === null ? command : debugCommand(language, command, debug.port);
}

/** The user's own program: no interpreter of ours, no bootstrap, and no start line on its input. */
function startProgram(input: PlanInput, choice: Extract<InterpreterChoice, { interpreter: null }>): StartPlan {
  const { config, tier, instanceId, socketDirectory, credentials } = input;
  const codeDirectory = config.code.directory;
  const layersDirectory = config.layersDirectory ?? null;
  const place = placeInstance(tier, {
    codeDirectory,
    layersDirectory,
    socketDirectory,
    runtimeDirectory: '/nonexistent',
    language: config.runtime,
  });
  const where = { codePath: place.codePath, isRelayed: input.hasOwnNetwork };
  const { program, road } = planProgram(config, choice.program, where);
  const relay = relayOf(road);
  return {
    road,
    launch: {
      instanceId,
      argv: program.argv,
      environment: instanceEnvironment(config, { instanceId, place, interpreter: null, credentials }),
      codeDirectory,
      socketDirectory,
      socketPath: place.socketPath,
      readOnly: [
        ...layerBinds(layersDirectory, place.layersPath, choice.shows),
        ...choice.shows.map((path) => ({ from: path, to: path })),
      ],
      token: '',
      memoryMb: config.memoryMb,
      ...limitOf(config),
      ...(input.isBackground === true ? { isBackground: true } : {}),
      network: networkOf(config, input.network),
      ...(relay === null ? {} : { relay }),
    },
    load: {
      handler: config.handler,
      codePath: place.codePath,
      dialect: config.runtime,
      context: contextOf(config, credentials),
    },
    concurrency: concurrencyOf(config, input.choice),
    runtimeNote: null,
    credentials,
    preStop: config.preStop ?? null,
    preFreeze: config.preFreeze ?? null,
    program,
    debugPort: null,
    loadMs: programStartMs,
  };
}

/** Variables that lead to places of this machine, or of a code package. */
const ofThisMachine = new Set(['PATH', 'LD_LIBRARY_PATH', 'PYTHONPATH', 'BOOTSTRAP_FILE', 'FC_FUNC_CODE_PATH']);

/** A program of the user's in a root of its own. Where it starts it finds as `/code`, too. */
function startImage(input: PlanInput, image: UnpackedImage): StartPlan {
  const plan = startProgram(input, { ok: true, interpreter: null, program: 'server', shows: [], note: null });
  const own = Object.entries(plan.launch.environment).filter(([name]) => !ofThisMachine.has(name));
  const named = Object.keys(input.config.environment).flatMap((name) => {
    const value = plan.launch.environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...plan,
    program: { argv: image.argv, file: null, port: plan.program?.port ?? null },
    launch: {
      ...plan.launch,
      argv: image.argv,
      environment: { ...Object.fromEntries(own), ...image.environment, ...Object.fromEntries(named) },
      codeDirectory: image.workingDirectory,
      readOnly: image.shows,
      volumes: image.volumes,
      isImage: true,
    },
  };
}

/** Where instances share the host's network, a function's wish cannot be granted; the operator is told at start. */
export function networkOf({ internetAccess }: FunctionConfig, network: NetworkMode): NetworkMode {
  return network === 'open' && internetAccess === false ? 'none' : network;
}

/** What its owner set holds; what its memory alone gives it is not held (assumed: nobody counts on being slowed down). */
function limitOf({ cpuLimit }: FunctionConfig): Pick<LaunchSpec, 'cpu'> {
  return cpuLimit === undefined ? {} : { cpu: cpuLimit };
}

/** Source: docs. */
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
    ...(config.jaegerEndpoint === undefined ? {} : { jaegerEndpoint: config.jaegerEndpoint }),
    credentials: credentials === null ? null : frameCredentials(credentials),
  };
}

/** Without the members that functions do not see. */
export function frameCredentials({ accessKeyId, accessKeySecret, securityToken }: Credentials): FrameCredentials {
  return { accessKeyId, accessKeySecret, securityToken };
}
