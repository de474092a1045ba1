// `yunmen image pull`: fetches container images for functions. Needs no server.
import { resolve } from 'node:path';
import type { PullOptions } from '../../model/runtime-report.ts';
import { failed, wrongUsage } from '../errors.ts';
import { createPrinter, printable } from '../output.ts';
import type { CliDeps } from '../server-port.ts';
import { readStdin } from './stdin.ts';

export type ImageFlags = {
  readonly imageDir: string;
  readonly replace?: boolean;
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly json?: boolean;
};

export async function pull(reference: string, flags: ImageFlags, deps: CliDeps): Promise<number> {
  if (deps.pullImage === undefined) throw failed('this build cannot fetch images');
  const directory = resolve(deps.cwd, flags.imageDir);
  const options = { replaces: flags.replace === true, ...(await readCredentials(flags, deps)) };
  const pulled = await deps.pullImage(reference, directory, options).catch((error: unknown) => {
    if (!(error instanceof Error)) throw failed(String(error));
    // fetch() says what went wrong in the cause alone.
    throw failed(error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message);
  });
  const printer = createPrinter(deps, flags.json === true);
  printer.json({ event: 'pulled', reference, ...pulled });
  printer.line(printable(`${pulled.digest} ${pulled.isNew ? 'is now in' : 'is already in'} ${pulled.place}`));
  return 0;
}

/** A password on the command line would be seen by everybody who lists processes. */
async function readCredentials(
  { username, passwordStdin }: ImageFlags,
  deps: CliDeps,
): Promise<Pick<PullOptions, 'credentials'>> {
  if ((username !== undefined) !== (passwordStdin === true)) {
    throw wrongUsage('--username and --password-stdin go together');
  }
  if (username === undefined) return {};
  const password = (await readStdin(deps)).toString().replace(/\r?\n$/, '');
  if (password === '' || username.includes(':'))
    throw wrongUsage('standard input holds no password, or the name has a colon');
  return { credentials: { username, password } };
}
