// Regular expressions that other people wrote, matched in time linear in the text. Used by gateway/ (values) and control/
// (refusing at definition what could not be matched). The engine is loaded when the first pattern needs it.

export type Pattern = {
  /** The whole text matches. */
  matchesAll(text: string): boolean;
  /** Some part of the text matches. */
  matchesPart(text: string): boolean;
};

/** A pattern outside the syntax of RE2 (no look-around, no back-references, counts to 1,000), or too long. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

export type CompilePattern = (source: string) => Pattern;

/** Longest pattern, in characters. A pattern's program grows with its counts: this bounds it together with `stepLimit`. */
const sourceLimit = 2_000;
/** Longest product of nested counts, e.g. 10,000 of `(a{100}){100}`. */
const stepLimit = 20_000;

/** The size that counted repetitions can blow a pattern up to. */
function countSteps(source: string): number {
  let steps = 1;
  for (const [, low = '1', high = ''] of source.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    steps *= Math.max(1, Number(low), Number(high));
    if (steps > stepLimit) break;
  }
  return steps;
}

/** Loads the engine. The function it gives throws PatternError. */
export async function loadPatterns(): Promise<CompilePattern> {
  const { RE2JS } = await import('re2js');
  return (source) => {
    if (source.length > sourceLimit) throw new PatternError(`it is longer than ${sourceLimit} characters`);
    if (countSteps(source) > stepLimit) throw new PatternError('its counts multiply to more than can be matched');
    let compiled: ReturnType<typeof RE2JS.compile>;
    try {
      compiled = RE2JS.compile(source);
    } catch (cause) {
      throw new PatternError(cause instanceof Error ? cause.message : String(cause), { cause });
    }
    return {
      matchesAll: (text) => compiled.matches(text),
      matchesPart: (text) => compiled.matcher(text).find(),
    };
  };
}
