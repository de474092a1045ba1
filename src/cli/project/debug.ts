// `yunmen dev --debug <function>`: which function of the project is meant, on which port, and how an editor attaches.
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DebugTarget } from '../../model/debugging.ts';
import { wrongUsage } from '../errors.ts';
import type { FunctionPlan, Plan } from './plan.ts';

/** The usual port of each language's debugger, and the configuration with which VS Code attaches. */
const debuggers: readonly {
  readonly runtime: RegExp;
  readonly port: number;
  readonly needs: string | null;
  launch(port: number): Readonly<Record<string, unknown>>;
}[] = [
  {
    runtime: /^nodejs/,
    port: 9229,
    needs: null,
    launch: (port) => ({ type: 'node', address: '127.0.0.1', port, restart: true, skipFiles: ['<node_internals>/**'] }),
  },
  {
    runtime: /^python/,
    port: 5678,
    needs: 'debugpy in the Python that runs it (python -m pip install debugpy)',
    launch: (port) => ({ type: 'debugpy', connect: { host: '127.0.0.1', port }, justMyCode: true }),
  },
  { runtime: /^java/, port: 5005, needs: null, launch: (port) => ({ type: 'java', hostName: '127.0.0.1', port }) },
];

export type DebugPlan = {
  readonly target: DebugTarget;
  /** An entry of `configurations` in launch.json. */
  readonly launch: Readonly<Record<string, unknown>>;
  /** What has to be there for it; null: nothing else. */
  readonly needs: string | null;
};

/** Errors: wrong usage when no function is meant, or its language has no debugger here. */
export function planDebugging(plan: Plan, name: string, port: number | null): DebugPlan {
  const isMeant = ({ serviceName, functionName }: FunctionPlan) =>
    functionName === name || `${serviceName}/${functionName}` === name;
  const [found, another] = plan.functions.filter(isMeant);
  const names = plan.functions.map(({ serviceName, functionName }) => `${serviceName}/${functionName}`).join(', ');
  if (found === undefined) throw wrongUsage(`--debug: the project has no function '${name}' (it has ${names})`);
  if (another !== undefined) throw wrongUsage(`--debug: '${name}' is in several services (${names})`);
  const { serviceName, functionName, runtime, codePath } = found;
  const known = debuggers.find((each) => each.runtime.test(runtime));
  if (known === undefined) throw wrongUsage(`--debug: there is no debugger for runtime '${runtime}'`);
  const chosen = port ?? known.port;
  // A zip or jar runs as it is deployed.
  const codeDirectory = statSync(codePath).isDirectory() ? codePath : dirname(codePath);
  return {
    target: { serviceName, functionName, port: chosen, codeDirectory },
    launch: { name: `yunmen: ${functionName}`, request: 'attach', ...known.launch(chosen) },
    needs: known.needs,
  };
}
