// Looks through the files of a stream. Called by request-log.ts and output-log.ts.
import { readFile } from 'node:fs/promises';
import { nextTurn } from './segment-index.ts';
import type { Segment } from './segments.ts';

/** Lines that a search looks at before others get their turn, and at most. */
const turnLines = 300;
export const scanLimit = 2_000_000;

/** What a search may still use up. */
export type SearchBudget = { lines: number; found: number };

/** A file may go while it is looked at: its lines are gone then. */
export async function ifThere<T>(look: () => Promise<T | null>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** What `select` makes of lines, from the end of the file to its beginning; null: nothing. */
export async function searchIn<T>(
  { path }: Segment,
  select: (line: string) => T | null,
  budget: SearchBudget,
): Promise<T[]> {
  const bytes = await readFile(path);
  const found: T[] = [];
  let end = bytes.length;
  for (let seen = 1; end > 0 && budget.lines > 0 && budget.found > 0; seen++) {
    const start = bytes.lastIndexOf(10, end - 1) + 1;
    const selected = start < end ? select(bytes.toString('utf8', start, end)) : null;
    if (selected !== null) {
      found.push(selected);
      budget.found--;
    }
    budget.lines--;
    end = start - 1;
    if (seen % turnLines === 0) await nextTurn();
  }
  return found;
}
