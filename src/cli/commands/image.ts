// `yunmen image pull`: fetches container images for functions. Needs no server.
import { resolve } from 'node:path';
import { failed } from '../errors.ts';
import { createPrinter, printable } from '../output.ts';
import type { CliDeps } from '../server-port.ts';

export type ImageFlags = { readonly imageDir: string; readonly replace?: boolean; readonly json?: boolean };

export async function pull(reference: string, flags: ImageFlags, deps: CliDeps): Promise<number> {
  if (deps.pullImage === undefined) throw failed('this build cannot fetch images');
  const directory = resolve(deps.cwd, flags.imageDir);
  const pulled = await deps.pullImage(reference, directory, flags.replace === true).catch((error: unknown) => {
    if (!(error instanceof Error)) throw failed(String(error));
    // fetch() says what went wrong in the cause alone.
    throw failed(error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message);
  });
  const printer = createPrinter(deps, flags.json === true);
  printer.json({ event: 'pulled', reference, ...pulled });
  printer.line(printable(`${pulled.digest} ${pulled.isNew ? 'is now in' : 'is already in'} ${pulled.place}`));
  return 0;
}
