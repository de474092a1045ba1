// `yunmen dev --debug <function>`: which function of the project is meant, on which port, and how an editor attaches.
import { realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DebugTarget } from '../../model/debugging.ts';
import { wrongUsage } from '../errors.ts';
import { findSources, handlerFiles, sourcePathOf } from './debug-sources.ts';
import type { FunctionPlan, Plan } from './plan.ts';

/** Where the code is that runs, and where the same files are that one edits. */
export type Mapping = { readonly remoteRoot: string; readonly localRoot: string };

type Attaching = { readonly port: number; readonly mapping: Mapping | null; readonly sourcePath: string | null };

/** The usual port of each language's debugger, and the configuration with which VS Code meets it. */
const debuggers: readonly {
  readonly runtime: RegExp;
  readonly port: number;
  /** True: the editor listens on the port, and the function connects to it. */
  readonly editorListens?: true;
  launch(how: Attaching): Readonly<Record<string, unknown>>;
}[] = [
  {
    runtime: /^nodejs/,
    port: 9229,
    launch: ({ port, mapping }) => ({
      type: 'node',
      request: 'attach',
      address: '127.0.0.1',
      port,
      restart: true,
      skipFiles: ['<node_internals>/**'],
      ...mapping,
    }),
  },
  {
    runtime: /^python/,
    port: 5678,
    launch: ({ port, mapping }) => ({
      type: 'debugpy',
      request: 'attach',
      connect: { host: '127.0.0.1', port },
      justMyCode: true,
      ...(mapping === null ? {} : { pathMappings: [mapping] }),
    }),
  },
  {
    // Classes are found by their names, wherever they lie.
    runtime: /^java/,
    port: 5005,
    launch: ({ port, sourcePath }) => ({
      type: 'java',
      request: 'attach',
      hostName: '127.0.0.1',
      port,
      ...(sourcePath === null ? {} : { sourcePaths: [sourcePath] }),
    }),
  },
  {
    runtime: /^php/,
    port: 9003,
    editorListens: true,
    launch: ({ port, mapping }) => ({
      type: 'php',
      request: 'launch',
      hostname: '127.0.0.1',
      port,
      ...(mapping === null ? {} : { pathMappings: { [mapping.remoteRoot]: mapping.localRoot } }),
    }),
  },
];

/** Runtimes that start a program of the user's: what to do instead. */
const programs: readonly { readonly runtime: RegExp; readonly instead: string }[] = [
  {
    runtime: /^go/,
    instead:
      "run it with --isolation none and attach to its process: `dlv attach <pid>` (give the function a high Timeout: a program's rests for nobody)",
  },
  {
    runtime: /^custom/,
    instead:
      'start its debugger in the bootstrap or command (such as `node --inspect=127.0.0.1:9229 app.js`), give the function a high Timeout, and run `yunmen dev --isolation none`, so that the port is on this machine',
  },
];

export type DebugPlan = {
  readonly target: DebugTarget;
  /** What is unpacked into the target's folder whenever it is deployed; null: the folder is the project's own. */
  readonly archive: string | null;
  /** An entry of `configurations` in launch.json. */
  readonly launch: Readonly<Record<string, unknown>>;
  readonly editorListens: boolean;
  /** The function as planned. */
  readonly plan: FunctionPlan;
  /** What the user should know; null: nothing more. */
  readonly remark: string | null;
};

export type DebugPlace = {
  /** Null: the language's usual port. */
  readonly port: number | null;
  /** Absolute. */
  readonly projectFolder: string;
  /** Absolute. */
  readonly dataDir: string;
};

/** Errors: wrong usage when no function is meant, or its language has no debugger here. */
export function planDebugging(plan: Plan, name: string, { port, projectFolder, dataDir }: DebugPlace): DebugPlan {
  const found = findFunction(plan, name);
  const { serviceName, functionName, runtime, codePath } = found;
  const known = debuggers.find((each) => each.runtime.test(runtime));
  if (known === undefined) throw wrongUsage(`--debug: ${refusalOf(runtime)}`);
  const isFolder = statSync(codePath, { throwIfNoEntry: false })?.isDirectory() ?? false;
  // Interpreters tell real paths.
  const codeDirectory = isFolder ? realpathSync(codePath) : join(dataDir, 'debug', serviceName, functionName);
  const sources = isFolder ? codePath : findSources(found, projectFolder);
  const mapping = sources === codeDirectory ? null : { remoteRoot: codeDirectory, localRoot: sources ?? projectFolder };
  const chosen = port ?? known.port;
  const isGuessed = sources === null && !runtime.startsWith('java');
  return {
    target: { serviceName, functionName, port: chosen, codeDirectory },
    archive: isFolder ? null : codePath,
    launch: {
      name: `yunmen: ${functionName}`,
      ...known.launch({ port: chosen, mapping, sourcePath: sourcePathOf(codePath, projectFolder) }),
    },
    editorListens: known.editorListens ?? false,
    plan: found,
    remark: isGuessed
      ? `No folder of the project has ${handlerFiles(found).join(' or ')}: put the folder of the package's sources in the place of ${projectFolder}.`
      : null,
  };
}

function findFunction(plan: Plan, name: string): FunctionPlan {
  const isMeant = ({ serviceName, functionName }: FunctionPlan) =>
    functionName === name || `${serviceName}/${functionName}` === name;
  const [found, another] = plan.functions.filter(isMeant);
  const names = plan.functions.map(({ serviceName, functionName }) => `${serviceName}/${functionName}`).join(', ');
  if (found === undefined) throw wrongUsage(`--debug: the project has no function '${name}' (it has ${names})`);
  if (another !== undefined) throw wrongUsage(`--debug: '${name}' is in several services (${names})`);
  return found;
}

function refusalOf(runtime: string): string {
  const program = programs.find((each) => each.runtime.test(runtime));
  if (program === undefined) return `there is no debugger for runtime '${runtime}'`;
  return `runtime '${runtime}' starts a program of your own, whose debugger is not known here; ${program.instead}`;
}
