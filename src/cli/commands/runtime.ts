// `yunmen runtime list | add | remove`: what runs functions on this machine. Needs no server.
import type { RuntimeTools } from '../../model/runtime-report.ts';
import { failed } from '../errors.ts';
import { columns, createPrinter, printable } from '../output.ts';
import type { CliDeps } from '../server-port.ts';

export type RuntimeFlags = {
  readonly json?: boolean;
  readonly libraries?: boolean;
  readonly only?: readonly string[];
};

function toolsOf(deps: CliDeps): RuntimeTools {
  if (deps.runtimes === undefined) throw failed('this build cannot look for runtimes');
  return deps.runtimes();
}

export async function list(flags: RuntimeFlags, deps: CliDeps): Promise<number> {
  const reports = await toolsOf(deps).list();
  const printer = createPrinter(deps, flags.json === true);
  for (const each of reports) printer.json({ event: 'runtime', ...each });
  const rows = reports.map(({ id, runsOn, path, isFallback, note, libraries }) => [
    id,
    runsOn === null ? '-' : `${runsOn}${isFallback ? ' (fallback)' : ''}`,
    printable(
      [path ?? (runsOn === null ? note : ''), libraries === null ? '' : `libraries in ${libraries}`].join(' ').trim(),
    ),
  ]);
  for (const line of columns([['runtime', 'runs on', 'where'], ...rows])) printer.line(line);
  printer.line();
  printer.line(
    '(fallback): only with --runtime-fallback, the default of yunmen dev. A running server looks anew by itself.',
  );
  return 0;
}

export async function add(id: string, flags: RuntimeFlags, deps: CliDeps): Promise<number> {
  const options = { libraries: flags.libraries === true, only: flags.only ?? [] };
  const message = await attempt(() => toolsOf(deps).add(id, options));
  const printer = createPrinter(deps, flags.json === true);
  printer.json({ event: 'added', id, message });
  printer.line(printable(message));
  return 0;
}

export async function remove(id: string, flags: RuntimeFlags, deps: CliDeps): Promise<number> {
  const removed = await attempt(() => toolsOf(deps).remove(id));
  const printer = createPrinter(deps, flags.json === true);
  printer.json({ event: 'removed', id, removed });
  for (const place of removed) printer.line(`removed ${printable(place)}`);
  return 0;
}

/** What the tools throw is meant for people. */
async function attempt<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw failed(error instanceof Error ? error.message : String(error));
  }
}
