// The interpreters of this machine that the bootstraps are tested with: those that the server itself would find.
// Used by the bootstraps' contract tests.
import type { Interpreter } from '../../src/functions/choose-interpreter.ts';
import { findInterpreters } from '../../src/functions/interpreters.ts';

export type { Interpreter };

const found = await findInterpreters();

/** One a version, in the order in which they were found. */
export function interpretersOf(language: Interpreter['language']): readonly Interpreter[] {
  const versions = new Map<string, Interpreter>();
  for (const each of found) {
    if (each.language === language && !versions.has(each.version)) versions.set(each.version, each);
  }
  return [...versions.values()];
}
