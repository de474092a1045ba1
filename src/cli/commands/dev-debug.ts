// What `yunmen dev --debug <function>` does around the server: plans, keeps the unpacked copy fresh, says how to attach.
// Called by serve.ts.
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { formatName } from '../client/functions.ts';
import { failed, systemCode, wrongUsage } from '../errors.ts';
import type { Printer } from '../output.ts';
import { type DebugPlan, planDebugging } from '../project/debug.ts';
import type { DeploymentOptions } from '../project/deployment.ts';
import { loadTemplate, type Project } from '../project/load.ts';
import { makePlan } from '../project/plan.ts';
import type { CliDeps, ServerOptions } from '../server-port.ts';

export type Debugging = {
  /** The server's options with the function in them. */
  readonly options: ServerOptions;
  readonly beforeCode: NonNullable<DeploymentOptions['beforeCode']>;
  /** After the first deployment. Errors: exit 1 when the language's debugger is not installed. */
  check(): Promise<void>;
  describe(printer: Printer): void;
};

/** Errors: wrong usage for flags that do not go together; exit 1 when the port is taken. */
export async function openDebugging(
  options: ServerOptions,
  project: Project,
  flags: { readonly debug: string; readonly debugPort: string | undefined },
  deps: CliDeps,
): Promise<Debugging> {
  if (options.isolation !== null && options.isolation !== 'none')
    throw wrongUsage('--debug needs --isolation none: the port of a debugger is on the host');
  if (options.dataProcesses > 1) throw wrongUsage('--debug needs one data process');
  const port = flags.debugPort === undefined ? null : Number(flags.debugPort);
  if (port !== null && !(Number.isInteger(port) && port > 0 && port < 65_536))
    throw wrongUsage(`--debug-port must be a port, not '${flags.debugPort}'`);
  const plan = makePlan(loadTemplate(project), project.folder, { region: options.region, accountId: '' });
  const place = { port, projectFolder: project.folder, dataDir: options.dataDir };
  const debug = planDebugging(plan, flags.debug, place);
  const { target } = debug;
  if (!debug.editorListens) await refuseTakenPort(target.port);
  return {
    options: { ...options, isolation: 'none', debug: target },
    async beforeCode(changed, zip) {
      if (debug.archive === null || formatName(changed) !== formatName(target)) return;
      if (deps.unpackCode === undefined) throw failed('--debug: this program cannot unpack packages');
      await deps.unpackCode(zip, target.codeDirectory);
    },
    async check() {
      const missing = await deps.findMissingDebugger?.({
        runtime: debug.plan.runtime,
        environment: environmentOf(debug),
        codeDirectory: target.codeDirectory,
        layerDirectories: debug.plan.layers.filter(isFolder),
        runtimeFallback: options.runtimeFallback,
      });
      if (typeof missing === 'string') throw failed(`--debug: ${missing}`);
    },
    describe: (printer) => describe(debug, printer),
  };
}

function describe({ target, launch, editorListens, archive, remark }: DebugPlan, printer: Printer): void {
  const { functionName, port, codeDirectory } = target;
  printer.json({ event: 'debug', function: functionName, port, launch });
  printer.line(
    editorListens
      ? `${functionName} connects to the debugger that listens on 127.0.0.1:${port} when it is loaded or called;`
      : `Debugger of ${functionName} on 127.0.0.1:${port};`,
  );
  printer.line('while one is attached, neither its time limit nor that of its callers passes.');
  if (archive !== null) printer.line(`It runs from ${codeDirectory}, where ${archive} is unpacked at each change.`);
  if (remark !== null) printer.line(remark);
  printer.line('For launch.json of VS Code:');
  printer.line(JSON.stringify(launch, null, 2));
  printer.line();
}

function environmentOf({ plan }: DebugPlan): Readonly<Record<string, string>> {
  const variables = plan.settings['environmentVariables'];
  if (typeof variables !== 'object' || variables === null) return {};
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, String(value)]));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

async function refuseTakenPort(port: number): Promise<void> {
  const trial = createServer();
  const error = await new Promise<Error | null>((resolve) => {
    trial.once('error', resolve);
    trial.listen(port, '127.0.0.1', () => trial.close(() => resolve(null)));
  });
  if (error === null) return;
  const why = systemCode(error) === 'EADDRINUSE' ? 'is taken' : `cannot be used (${error.message})`;
  throw failed(`--debug: port ${port} ${why}; choose another with --debug-port`);
}
