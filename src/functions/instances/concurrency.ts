// How many requests one instance gets at once: what its function asks for, as far as what runs it can. Used by pool.ts and start-plan.ts.
import type { FunctionConfig } from '../../model/function.ts';
import type { InterpreterChoice } from '../choose-interpreter.ts';
import { concurrentLanguages } from '../runtimes.ts';
import type { ShareLimits } from './shares.ts';

type Runnable = Extract<InterpreterChoice, { ok: true }>;

/**
 * FC 2: whatever runs it. FC 3: only a server of the user's own; built-in runtimes serve one request at a time.
 * Source: docs.
 */
export function concurrencyOf(config: FunctionConfig, choice: Runnable): number {
  const { serviceName, instanceConcurrency } = config;
  if (instanceConcurrency <= 1) return 1;
  if (choice.interpreter === null) {
    return choice.program === 'server' || serviceName !== null ? instanceConcurrency : 1;
  }
  return serviceName !== null && concurrentLanguages.has(choice.interpreter.language) ? instanceConcurrency : 1;
}

/** Null: one at a time. A soft limit says when a further instance is started. */
export function shareLimitsOf(config: FunctionConfig, choice: Runnable): ShareLimits | null {
  const most = concurrencyOf(config, choice);
  if (most === 1) return null;
  return { most, enough: Math.min(most, config.softConcurrency ?? most) };
}
