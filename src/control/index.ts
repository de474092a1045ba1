// The face of the control plane for the composition; only re-exports.
export { AccountError, type AccountOptions, ensureAccount, type RootCredentials } from './account.ts';
export { type Control, createControl } from './control.ts';
export { republishFunctions } from './fc/republish.ts';
export { createNonces, type Nonces } from './nonces.ts';
export { sweepUnusedPackages } from './package-sweep.ts';
export {
  type ControlOptions,
  type ControlSettings,
  defaultControlSettings,
  type Runtimes,
  tokenKeyPurpose,
} from './ports.ts';
export { listOperations, type OperationStatus } from './registry.ts';
