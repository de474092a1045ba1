// `yunmen start` and `yunmen dev [dir]`: run a server in the foreground until a signal, or until it ends by itself.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { assertNever } from '../../base/assert-never.ts';
import { systemClock } from '../../base/clock.ts';
import { failed, messageOf, wrongUsage } from '../errors.ts';
import { columns, createPrinter, type Printer } from '../output.ts';
import { type DebugPlan, planDebugging } from '../project/debug.ts';
import { type CallForm, exampleLines } from '../project/examples.ts';
import { findProject, loadTemplate, type Project } from '../project/load.ts';
import { makePlan } from '../project/plan.ts';
import { ProjectSession } from '../project/session.ts';
import { parseServerOptions, type ServerFlagName } from '../server-flags.ts';
import type { CliDeps, NetworkMode, RunningServer, ServerOptions } from '../server-port.ts';

export type ServeFlags = Partial<Readonly<Record<ServerFlagName, string | boolean | undefined>>> & {
  readonly json?: boolean;
  /** `dev` only: the function to debug, and the port. */
  readonly debug?: string | undefined;
  readonly debugPort?: string | undefined;
};

/** Runs until SIGTERM or SIGINT (exit 0). Errors: exit 1 when the server cannot start or ends by itself. */
export async function start(flags: ServeFlags, deps: CliDeps): Promise<number> {
  const options = parseServerOptions('start', flags, deps.env, deps.cwd);
  return await serve(options, { project: null }, createPrinter(deps, flags.json === true), deps);
}

/** As start, with the project of `dir` deployed before the ready line and redeployed as its files change. */
export async function dev(dir: string, flags: ServeFlags, deps: CliDeps): Promise<number> {
  const options = parseServerOptions('dev', flags, deps.env, deps.cwd);
  const project = await findProject(dir, deps.cwd, deps.discoverPython);
  const printer = createPrinter(deps, flags.json === true);
  if (flags.debug === undefined) return await serve(options, { project }, printer, deps);
  const debug = planDebug(options, project, flags);
  const debugged: ServerOptions = { ...options, isolation: 'none', debug: debug.target };
  return await serve(debugged, { project, whenReady: () => describeDebug(debug, printer) }, printer, deps);
}

function planDebug(options: ServerOptions, project: Project, flags: ServeFlags): DebugPlan {
  if (options.isolation !== null && options.isolation !== 'none')
    throw wrongUsage('--debug needs --isolation none: the port of a debugger is on the host');
  if (options.dataProcesses > 1) throw wrongUsage('--debug needs one data process');
  const port = flags.debugPort === undefined ? null : Number(flags.debugPort);
  if (port !== null && !(Number.isInteger(port) && port > 0 && port < 65_536))
    throw wrongUsage(`--debug-port must be a port, not '${flags.debugPort}'`);
  const plan = makePlan(loadTemplate(project), project.folder, { region: options.region, accountId: '' });
  return planDebugging(plan, flags.debug ?? '', port);
}

function describeDebug({ target, launch, needs }: DebugPlan, printer: Printer): void {
  printer.json({ event: 'debug', function: target.functionName, port: target.port, launch });
  printer.line(
    `Debugger of ${target.functionName} on 127.0.0.1:${target.port}; its time limit rests while one is attached.`,
  );
  if (needs !== null) printer.line(`It needs ${needs}.`);
  printer.line('For launch.json of VS Code:');
  printer.line(JSON.stringify(launch, null, 2));
  printer.line();
}

/** What is served, and what is said after the ready line. */
type Served = { readonly project: Project | null; readonly whenReady?: () => void };

type End = { readonly kind: 'stopped' } | { readonly kind: 'ended'; readonly reason: string };

async function serve(
  options: ServerOptions,
  { project, whenReady }: Served,
  printer: Printer,
  deps: CliDeps,
): Promise<number> {
  const startedAt = systemClock.monotonic();
  let undoSignal = () => {};
  const stopped = new Promise<End>((resolve) => {
    undoSignal = (deps.onStopSignal ?? onProcessSignal)(() => resolve({ kind: 'stopped' }));
  });
  try {
    const server = await startServer(options, deps);
    const end = Promise.race([stopped, server.onExit.then(({ reason }): End => ({ kind: 'ended', reason }))]);
    let session: ProjectSession | null = null;
    try {
      const opening = project === null ? null : openProject(project, server, options, printer);
      const first = await Promise.race([opening ?? Promise.resolve(null), end]);
      if (first === null || first instanceof ProjectSession) {
        session = first;
        announce(server, session, options, { printer, deps, project, startedAt });
        whenReady?.();
        session?.watch();
      }
      return finish(await end, printer);
    } finally {
      await session?.close();
      await server.close();
    }
  } finally {
    undoSignal();
  }
}

function finish(end: End, printer: Printer): number {
  if (end.kind === 'stopped') {
    printer.line('stopping');
    return 0;
  }
  throw failed(`the server has ended by itself: ${end.reason}`);
}

async function startServer(options: ServerOptions, deps: CliDeps): Promise<RunningServer> {
  try {
    return await deps.startServer(options);
  } catch (error) {
    throw failed(`the server cannot start: ${messageOf(error)}`, { cause: error });
  }
}

/** A deployment that fails because the server is being stopped is no news; serve looks only at the first to happen. */
function openProject(
  project: Project,
  server: RunningServer,
  options: ServerOptions,
  printer: Printer,
): Promise<ProjectSession> {
  const { dataDir } = options;
  const opening = ProjectSession.open({ project, server, dataDir, printer, clock: systemClock });
  opening.catch(() => {});
  return opening;
}

type AnnounceContext = {
  readonly printer: Printer;
  readonly deps: CliDeps;
  readonly project: Project | null;
  readonly startedAt: number;
};

function announce(
  server: RunningServer,
  session: ProjectSession | null,
  options: ServerOptions,
  { printer, deps, project, startedAt }: AnnounceContext,
): void {
  const { ready, credentials } = server;
  const secret = options.printCredentials ? { accessKeySecret: credentials.accessKeySecret } : {};
  if (project?.remark) printer.note(project.remark);
  printer.json({ event: 'ready', ...ready, ...secret, project: session?.facts ?? null });
  const seconds = ((systemClock.monotonic() - startedAt) / 1000).toFixed(1);
  printer.line(`Yunmen ${deps.version} is ready after ${seconds} s`);
  printer.line();
  for (const line of columns(addressRows(server, options))) printer.line(`  ${line}`);
  printer.line();
  if (session !== null && project !== null) describeProject(session, project, printer, callForm(deps, options));
  const whatElse = session === null ? '' : '; files you save are deployed again at once';
  printer.line(`Stop with Ctrl-C${whatElse}.`);
}

function addressRows(server: RunningServer, options: ServerOptions): readonly (readonly string[])[] {
  const { ready, credentials } = server;
  const rows: (readonly string[])[] = [
    ['Gateway', ready.gateway, 'calls to APIs'],
    ['HTTP', ready.http, 'function URLs and custom domains'],
    ['APIs', ready.api, 'OpenAPI and Function Compute API'],
    ['Isolation', ready.isolation, isolationRemark(ready.isolation)],
    ['Network', ready.network ?? 'host', networkRemark(ready.network ?? 'host')],
    ['Data', options.dataDir, ''],
    ['Key', ready.accessKeyId, `account ${ready.accountId}, region ${ready.region}`],
    ['Secret', options.printCredentials ? credentials.accessKeySecret : `in ${ready.credentialsFile}`, ''],
  ];
  if (ready.gatewayTls !== null) rows.splice(1, 0, ['', ready.gatewayTls, 'the same over TLS']);
  return rows;
}

function isolationRemark(tier: string): string {
  return tier === 'none' ? 'functions run with your rights: only run code that you trust' : '';
}

/** What functions can reach. */
function networkRemark(mode: NetworkMode): string {
  switch (mode) {
    case 'open':
      return 'functions reach the internet, not this machine';
    case 'none':
      return 'functions reach nothing but this server’s doorway';
    case 'host':
      return 'functions reach whatever this machine reaches, its own services too';
    default:
      return assertNever(mode);
  }
}

function describeProject(session: ProjectSession, project: Project, printer: Printer, form: CallForm): void {
  printer.line(`Project ${project.folder} (${project.templateName})`);
  printer.line();
  const rows = session.facts.apis.map((api) => [api.method, api.url, api.auth]);
  for (const line of columns(rows)) printer.line(`  ${line}`);
  if (rows.length > 0) printer.line();
  for (const example of exampleLines(session.view, form)) {
    printer.line(`# ${example.title}`);
    printer.line(example.command);
    printer.line();
  }
}

function callForm({ cwd }: CliDeps, { dataDir }: ServerOptions): CallForm {
  return {
    program: existsSync(join(cwd, 'bin', 'yunmen')) ? 'bin/yunmen' : 'yunmen',
    dataDir: dataDir === join(cwd, '.yunmen') ? null : dataDir,
  };
}

/** The first signal stops orderly; with the handlers gone, a second one ends the process at once. */
function onProcessSignal(stop: () => void): () => void {
  const signals = ['SIGTERM', 'SIGINT'] as const;
  const undo = () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
  const onSignal = () => {
    undo();
    stop();
  };
  for (const signal of signals) process.on(signal, onSignal);
  return undo;
}
