// A function that a debugger may attach to, from the command line (`yunmen dev --debug`) down to the compute plane.

import type { FunctionTarget } from './api.ts';

/**
 * Whether the clock of a function's calls stands still now, because somebody looks at it with a debugger.
 * Null: it never does, and need not be asked.
 */
export type PauseOf = (target: FunctionTarget) => (() => boolean) | null;

export type DebugTarget = {
  readonly serviceName: string | null;
  readonly functionName: string;
  /** On 127.0.0.1, of the function or, in PHP, of the editor; instances must share the host's network, so tier `none` alone. */
  readonly port: number;
  /**
   * Runs instead of the deployed copy, whose place changes with its content: the project's own folder, so that breakpoints are
   * in the files one edits, or one into which the project's archive is unpacked.
   */
  readonly codeDirectory: string;
};

/** Of the function that a debugger shall attach to: whether what runs it has its language's debugger. Paths are absolute. */
export type DebuggerQuestion = {
  readonly runtime: string;
  /** The function's own variables. */
  readonly environment: Readonly<Record<string, string>>;
  readonly codeDirectory: string;
  /** Of those of its layers that are folders of the project. */
  readonly layerDirectories: readonly string[];
  readonly runtimeFallback: boolean;
};
