// A function that a debugger may attach to, from the command line (`yunmen dev --debug`) down to the compute plane.

export type DebugTarget = {
  readonly serviceName: string | null;
  readonly functionName: string;
  /** On 127.0.0.1; instances must share the host's network, so tier `none` alone. */
  readonly port: number;
  /** The project's own folder: it runs instead of the deployed copy, so that breakpoints are in the files one edits. */
  readonly codeDirectory: string;
};
