// Runs one command line and returns its exit code. Called by main.ts; everything thrown by a command ends here.
import { CommanderError } from 'commander';
import { CliError, messageOf } from './errors.ts';
import { printable } from './output.ts';
import { createProgram } from './program.ts';
import type { CliDeps } from './server-port.ts';

/**
 * Runs `argv` (without interpreter and script).
 *
 * Returns 0 done, 1 failed, 2 wrong usage, 3 cannot reach the server. Never throws.
 */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<number> {
  let exitCode = 0;
  const program = createProgram(deps, (code) => {
    exitCode = code;
  });
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    return 2;
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    // Help and version are errors to commander, with exit code 0; it has already printed what there is to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    report(error, argv.includes('--json'), deps);
    return error instanceof CliError ? error.exitCode : 1;
  }
}

/** People read stderr, programs with --json the line on stdout. A bug shows its stack with YUNMEN_DEBUG set. */
function report(error: unknown, isJson: boolean, deps: CliDeps): void {
  const message = messageOf(error);
  const code = error instanceof CliError ? error.code : null;
  if (isJson) deps.stdout.write(`${JSON.stringify({ event: 'error', code, message })}\n`);
  deps.stderr.write(`yunmen: ${printable(message)}\n`);
  const showStack = deps.env['YUNMEN_DEBUG'] !== undefined && error instanceof Error;
  if (showStack) deps.stderr.write(`${error.stack ?? ''}\n`);
}
