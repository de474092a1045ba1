// The face of the command line: composition imports this file and no other of the room.
export { runCli } from './run.ts';
export type {
  CliDeps,
  IsolationTier,
  Output,
  ReadyFacts,
  RunningServer,
  ServerCredentials,
  ServerFile,
  ServerOptions,
} from './server-port.ts';
export { isolationTiers } from './server-port.ts';
