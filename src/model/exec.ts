// A session in a running instance (InstanceExec): what control asks of a data process, and what it is told. Types only.

export type TerminalSize = { readonly rows: number; readonly columns: number };

/** A command to run in one instance of a function. */
export type ExecOrder = {
  readonly functionKey: string;
  /** Null: whatever it serves. */
  readonly qualifier: string | null;
  readonly instanceId: string;
  /** Program and arguments; looked for on the instance's PATH. */
  readonly command: readonly string[];
  /** Null: three pipes. */
  readonly terminal: TerminalSize | null;
};

export type ExecRefusalCode = 'InstanceNotFound' | 'ResourceExhausted' | 'InvalidArgument' | 'InternalServerError';
export type ExecRefusal = { readonly ok: false; readonly code: ExecRefusalCode; readonly message: string };
