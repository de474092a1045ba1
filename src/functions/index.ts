// The face of the compute plane: re-exports only, for composition.

export { chooseInterpreter, type Interpreter } from './choose-interpreter.ts';
export { findMissingDebugger } from './debugger-check.ts';
export { type Doorway, type DoorwayOptions, openDoorway } from './doorway/doorway.ts';
export type { ApiPlace } from './doorway/http-door.ts';
export { takeDoorwaySockets } from './doorway/lent-sockets.ts';
export type { Exec, ExecBegin, ExecBegun } from './exec.ts';
export { createFunctions, type Functions, type FunctionsDeps, type FunctionsStats } from './functions.ts';
export type { AuthenticateHttp, HttpDoor } from './http/http-door.ts';
export { pullImage } from './images/pull.ts';
export type { LogLine } from './instances/request-log.ts';
export { fetchedRuntimesDirectory, findInterpreters, librariesDirectory } from './interpreters.ts';
export type { InvokeElsewhere } from './invoke.ts';
export { BuiltBootstraps, withJavaBootstrap } from './java-bootstrap.ts';
export { attachSession } from './launcher/attach.ts';
export { connectLauncher, type LauncherClient } from './launcher/client.ts';
export { parseFailure, parseInterpreters } from './launcher/messages.ts';
export type { NetworkMode } from './launcher/port.ts';
export { type Exit, type IsolationTier, isolationTiers, type Launcher, parseIsolationTier } from './launcher/port.ts';
export { type IsolationProbe, type MissingTier, probeIsolation } from './launcher/probe.ts';
export { connectSandd, type SanddClient } from './launcher/sandd-client.ts';
export type { Ipv4Block, NetworkPolicy } from './launcher/sandd-messages.ts';
export {
  cleanAfterSandd,
  type FoundSandd,
  findSandd,
  probeNetwork,
  probeSandd,
  type RunningSandd,
  startSandd,
} from './launcher/sandd-process.ts';
export { type LauncherOptions, type RunningLauncher, runLauncher } from './launcher/serve.ts';
export { endInstances, endInstancesByMark } from './launcher/tree-ender.ts';
export { defaultLimits, type Limits, shareOfLimits } from './limits.ts';
export { precompilePython } from './precompile.ts';
export { languageNameOf, preinstalledLibraries } from './preinstalled.ts';
export { type CredentialsOf, createRoleCredentials, type IssueCredentials } from './role-credentials.ts';
export {
  findRuntime,
  insteadOfRuntime,
  isKnownRuntime,
  type Runtime,
  type RuntimeId,
  runtimeIds,
  runtimes,
} from './runtimes.ts';
export { defaultRuntimesDirectory } from './runtimes-directory.ts';
