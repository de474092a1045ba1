// `yunmen start` and `yunmen dev [dir]`: run a server in the foreground until a signal, or until it ends by itself.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { assertNever } from '../../base/assert-never.ts';
import { systemClock } from '../../base/clock.ts';
import type { OutputLine } from '../../model/output.ts';
import { failed, messageOf } from '../errors.ts';
import { columns, createPrinter, type Printer, printable } from '../output.ts';
import { type CallForm, exampleLines } from '../project/examples.ts';
import { findProject, type Project } from '../project/load.ts';
import { ProjectSession } from '../project/session.ts';
import { parseServerOptions, type ServerFlagName } from '../server-flags.ts';
import type { CliDeps, NetworkMode, RunningServer, ServerOptions } from '../server-port.ts';
import { type Debugging, openDebugging } from './dev-debug.ts';

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
  const printer = createPrinter(deps, flags.json === true);
  const options: ServerOptions = {
    ...parseServerOptions('dev', flags, deps.env, deps.cwd),
    onOutput: (line) => showOutput(line, printer),
  };
  const project = await findProject(dir, deps.cwd, deps.discoverPython);
  if (flags.debug === undefined) return await serve(options, { project }, printer, deps);
  const asked = { debug: flags.debug, debugPort: flags.debugPort };
  const debugging = await openDebugging(options, project, asked, deps);
  return await serve(debugging.options, { project, debugging }, printer, deps);
}

/** What a function prints, as it comes. */
function showOutput(line: OutputLine, printer: Printer): void {
  printer.json({ event: 'output', ...line });
  const time = new Date(line.at).toISOString().slice(11, 23);
  printer.line(printable(`${time} ${line.functionName} ${line.requestId ?? '-'}: ${line.text}`));
}

type Served = { readonly project: Project | null; readonly debugging?: Debugging };

type End = { readonly kind: 'stopped' } | { readonly kind: 'ended'; readonly reason: string };

async function serve(
  options: ServerOptions,
  { project, debugging }: Served,
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
      const opening = project === null ? null : openProject({ project, debugging }, server, options, printer);
      const first = await Promise.race([opening ?? Promise.resolve(null), end]);
      if (first === null || first instanceof ProjectSession) {
        session = first;
        announce(server, session, options, { printer, deps, project, startedAt });
        debugging?.describe(printer);
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
  { project, debugging }: { readonly project: Project; readonly debugging: Debugging | undefined },
  server: RunningServer,
  options: ServerOptions,
  printer: Printer,
): Promise<ProjectSession> {
  const { dataDir } = options;
  const beforeCode = debugging?.beforeCode;
  const open = async () => {
    const session = await ProjectSession.open({ project, server, dataDir, printer, clock: systemClock, beforeCode });
    await debugging?.check();
    return session;
  };
  const opening = open();
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
    ['Isolation', ready.isolation, isolationRemark(ready)],
    ['Network', ready.network ?? 'host', networkRemark(ready.network ?? 'host', ready.carrier ?? null)],
    ['Data', options.dataDir, ''],
    ['Key', ready.accessKeyId, `account ${ready.accountId}, region ${ready.region}`],
    ['Secret', options.printCredentials ? credentials.accessKeySecret : `in ${ready.credentialsFile}`, ''],
  ];
  if (ready.gatewayTls !== null) rows.splice(1, 0, ['', ready.gatewayTls, 'the same over TLS']);
  return rows;
}

function isolationRemark({ isolation, launcher }: RunningServer['ready']): string {
  const remarks = [
    ...(isolation === 'none' ? ['functions run with your rights: only run code that you trust'] : []),
    ...(launcher === 'node' ? ["by the slower launcher: 'yunmen doctor' tells why"] : []),
  ];
  return remarks.join('; ');
}

/** What functions can reach. */
function networkRemark(mode: NetworkMode, carrier: string | null): string {
  const by = carrier === null || carrier === 'kernel' ? '' : `, by ${carrier}`;
  switch (mode) {
    case 'open':
      return `functions reach the internet, not this machine${by}`;
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
