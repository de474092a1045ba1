// A function under a debugger: how its language opens the port, and whether somebody is attached.
// Called by start-plan.ts and plane.ts.
import { readFileSync } from 'node:fs';
import type { DebugTarget } from '../model/debugging.ts';
import type { FunctionConfig } from '../model/function.ts';
import { type Provision, scalingKey } from '../model/scaling.ts';
import type { StartableLanguage } from './languages.ts';

/** Whether `config` is the function that is debugged. */
export function isDebugged(config: FunctionConfig, target: DebugTarget | null): target is DebugTarget {
  return target !== null && config.functionName === target.functionName && config.serviceName === target.serviceName;
}

/** The bootstrap's command with the debugger's arguments in their place. PHP has no debugger of its own: unchanged. */
export function debugCommand(language: StartableLanguage, command: readonly string[], port: number): readonly string[] {
  const script = command.slice(-1);
  const options = command.slice(0, -1);
  switch (language) {
    case 'node':
      return [...options, `--inspect=127.0.0.1:${port}`, ...script];
    case 'python':
      // Its code must not come from the frozen copies of modules, of which debugpy would warn.
      return [...options, '-m', 'debugpy', '--listen', `127.0.0.1:${port}`, ...script];
    case 'java':
      return [`-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,quiet=y,address=127.0.0.1:${port}`, ...command];
    case 'php':
      return command;
  }
}

/** One instance, always there and never frozen: a debugger finds it before the first request. */
export function debugProvision({ serviceName, functionName }: DebugTarget, now: number): [string, Provision] {
  const functionKey = serviceName === null ? functionName : `${serviceName}/${functionName}`;
  const key = scalingKey({ functionKey, qualifier: 'LATEST' });
  const fixed = { target: 1, schedules: [], tracking: [], keepsCpu: true, allowsOnDemand: false };
  return [key, { functionKey, serviceName, functionName, qualifier: 'LATEST', since: now, ...fixed }];
}

const established = '01';

/** Whether a connection to the port is open, by what the kernel lists. */
export function isAttached(port: number): boolean {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['/proc/net/tcp', '/proc/net/tcp6'].some((path) => {
    const lines = readText(path).split('\n');
    return lines.some((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      return state === established && local.endsWith(wanted);
    });
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // no such list here: nobody is seen
  }
}
