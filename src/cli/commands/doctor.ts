// `yunmen doctor`: what keeps functions apart on this machine, found out by trying it. Needs no server.
import { failed } from '../errors.ts';
import { columns, createPrinter, printable } from '../output.ts';
import type { CliDeps } from '../server-port.ts';

export type DoctorFlags = { readonly json?: boolean };

/** Exit 0 when functions can be isolated, else 1. */
export async function doctor(flags: DoctorFlags, deps: CliDeps): Promise<number> {
  if (deps.probeIsolation === undefined) throw failed('this build cannot probe isolation');
  const report = await deps.probeIsolation();
  const printer = createPrinter(deps, flags.json === true);
  printer.json(report);
  const rows = report.trials.map(({ tier, tried, effect, isHeld }) => [
    tier ?? 'all',
    printable(tried),
    printable(effect).replaceAll('\n', ' '),
    isHeld ? 'ok' : 'NO',
  ]);
  for (const line of columns([['tier', 'tried', 'effect', 'verdict'], ...rows])) printer.line(line);
  printer.line();
  const starter = report.launcher === 'sandd' ? 'sandd, the native launcher' : 'the slower launcher in Node';
  if (report.tier === null) printer.line('yunmen start would refuse to run functions here without --isolation none.');
  else printer.line(`yunmen start would choose tier ${report.tier}; instances are started by ${starter}.`);
  if (report.raise === null) printer.line('There is no stronger tier.');
  else printer.line(`This would raise it: ${printable(report.raise)}`);
  if (report.forward !== null) {
    printer.line(`This would let functions reach what is beyond this machine: ${printable(report.forward)}`);
  }
  return report.tier === null ? 1 : 0;
}
