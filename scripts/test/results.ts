// What one test came to, as the reporter (in the test process) hands it to scripts/test.ts: one JSON object a line.

/** `file` is from the root of the checkout; `name` joins suites and test with ` › `. */
export type TestResult =
  | { readonly kind: 'passed'; readonly file: string; readonly name: string }
  | { readonly kind: 'failed'; readonly file: string; readonly name: string }
  | { readonly kind: 'skipped'; readonly file: string; readonly name: string; readonly reason: string }
  /** The runner came to its end; without it the process died on the way. */
  | { readonly kind: 'finished' };

export type Totals = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** Environment names by which scripts/test.ts tells the reporter where to write and what to print, and tests how much to repeat. */
export const resultsVariable = 'YUNMEN_TEST_RESULTS';
export const verboseVariable = 'YUNMEN_TEST_VERBOSE';
export const tortureVariable = 'YUNMEN_TORTURE';

/** Reads the reporter's lines; a last line cut off by a dying process is left out. */
export function parseResults(text: string): TestResult[] {
  const lines = text.split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line) as TestResult);
}

export function countResults(results: readonly TestResult[]): Totals {
  const count = (kind: TestResult['kind']) => results.filter((result) => result.kind === kind).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

export function addTotals(a: Totals, b: Totals): Totals {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/** The last line of `npm test`: `N passed, N failed, N skipped`. */
export function formatTotals({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** Skipped tests by reason, each reason once: `  <reason> (n)` and the tests below it. */
export function formatSkips(results: readonly TestResult[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const result of results) {
    if (result.kind !== 'skipped') continue;
    const tests = byReason.get(result.reason) ?? [];
    tests.push(`    ${result.file}: ${result.name}`);
    byReason.set(result.reason, tests);
  }
  return [...byReason].flatMap(([reason, tests]) => [`  ${reason} (${tests.length})`, ...tests]);
}
