// A function under a debugger: how its language opens the port, and whether somebody is attached.
// Called by start-plan.ts and plane.ts.
import { readFileSync } from 'node:fs';
import type { DebugTarget } from '../model/debugging.ts';
import type { FunctionConfig } from '../model/function.ts';
import { type Provision, scalingKey } from '../model/scaling.ts';
import type { StartableLanguage } from './languages.ts';

type Named = Pick<FunctionConfig, 'serviceName' | 'functionName'>;

/** Whether it is the function that is debugged, whatever its version. */
export function isDebugged(named: Named, target: DebugTarget | null): target is DebugTarget {
  return target !== null && named.functionName === target.functionName && named.serviceName === target.serviceName;
}

/** The bootstrap's command with the debugger's arguments in their place. */
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
    case 'php': {
      // Not at its start, when nobody may listen yet: the bootstrap connects before it loads and before each request.
      const settings = {
        mode: 'debug',
        start_with_request: 'trigger',
        client_host: '127.0.0.1',
        client_port: port,
        log_level: 0, // that nobody listens is no news
      };
      const given = Object.entries(settings).flatMap(([name, value]) => ['-d', `xdebug.${name}=${value}`]);
      return [...options, ...given, ...script];
    }
  }
}

/**
 * Lets the instances of the debugged function live one after the other: their debuggers have the same port, and one that
 * stands at a breakpoint outlives the reload that replaces it.
 */
export class DebugTurns {
  /** Resolves when all that came have gone. */
  #allGone: Promise<unknown> = Promise.resolve();
  readonly #present = new Map<string, () => void>();
  readonly #waiting = new Set<string>();

  /** Resolves when the instances that came before it have gone. */
  async take(instanceId: string): Promise<void> {
    const before = this.#allGone;
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    this.#present.set(instanceId, resolve);
    this.#allGone = Promise.all([before, gone]);
    this.#waiting.add(instanceId);
    await before;
    this.#waiting.delete(instanceId);
  }

  /** Whether it has not begun, because others have to go first. */
  isWaiting(instanceId: string): boolean {
    return this.#waiting.has(instanceId);
  }

  gone(instanceId: string): void {
    this.#present.get(instanceId)?.();
    this.#present.delete(instanceId);
  }
}

/** One instance, always there and never frozen: a debugger finds it before the first request. */
export function debugProvision({ serviceName, functionName }: DebugTarget, now: number): [string, Provision] {
  const functionKey = serviceName === null ? functionName : `${serviceName}/${functionName}`;
  const key = scalingKey({ functionKey, qualifier: 'LATEST' });
  const fixed = { target: 1, schedules: [], tracking: [], keepsCpu: true, allowsOnDemand: false };
  return [key, { functionKey, serviceName, functionName, qualifier: 'LATEST', since: now, ...fixed }];
}

/** Whether the clock stands still by a debugger at `port`; null: there is none. */
export function pauseBy(port: number | null): (() => boolean) | null {
  return port === null ? null : () => isAttached(port);
}

const established = '01';

/** Whether a connection to the port is open, by what the kernel lists. */
function isAttached(port: number): boolean {
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
