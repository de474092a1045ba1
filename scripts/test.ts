// `npm test`: every class of tests with fixed seeds, one total as the last line, exit 1 on any failure.
// Options: --only <class[,class]>, --torture, --part <0 to 1>, --verbose, and parts of paths to run just those files.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { classNames, filesOf, isClassName, type TestClass, testClasses } from './test/classes.ts';
import { type Leftover, runSession } from './test/process-session.ts';
import {
  addTotals,
  countResults,
  formatSkips,
  formatTotals,
  parseResults,
  resultsVariable,
  type TestResult,
  type Totals,
  tortureVariable,
  verboseVariable,
} from './test/results.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const defaultSeed = '20261122';
/** Under torture a test may take this many times longer. */
const tortureFactor = 30;

type Run = {
  /** The part of the full counts, over 0 to 1; 0: the usual ones. */
  readonly torture: number;
  readonly isVerbose: boolean;
  readonly seed: string;
  readonly stop: AbortSignal;
};
type ClassEnd = {
  readonly results: readonly TestResult[];
  readonly totals: Totals;
  readonly faults: readonly string[];
};

/** The Node that runs the tests: the pinned one of this checkout where it is installed. */
function pinnedNode(): string {
  const pinned = `${root}node_modules/.bin/node`;
  return existsSync(pinned) ? pinned : process.execPath;
}

function nodeArguments({ isolation, timeoutMs }: TestClass, files: readonly string[], factor: number): string[] {
  return [
    '--test',
    `--test-isolation=${isolation}`,
    // A file that still holds something open when its tests are over ends all the same; processes it leaves are found below.
    ...(isolation === 'process' ? ['--test-concurrency=2', '--test-force-exit'] : []),
    `--test-timeout=${timeoutMs * factor}`,
    `--test-reporter=${root}scripts/test/reporter.ts`,
    '--test-reporter-destination=stdout',
    `--import=${root}scripts/test/fix-seeds.ts`,
    ...files,
  ];
}

function environment(run: Run, resultsFile: string): NodeJS.ProcessEnv {
  const inherited = { ...process.env };
  delete inherited['NODE_OPTIONS'];
  return {
    ...inherited,
    PATH: `${root}node_modules/.bin:${inherited['PATH'] ?? ''}`,
    NODE_COMPILE_CACHE: inherited['NODE_COMPILE_CACHE'] ?? `${root}.cache/compile`,
    YUNMEN_SEED: run.seed,
    [tortureVariable]: String(run.torture),
    [verboseVariable]: run.isVerbose ? '1' : '0',
    [resultsVariable]: resultsFile,
  };
}

/** Files that gave no result of their own, although their text calls no shared suite that would give it in their place. */
function silentFiles(files: readonly string[], results: readonly TestResult[]): string[] {
  const heard = new Set(results.map((result) => (result.kind === 'finished' ? '' : result.file)));
  return files.filter((file) => !heard.has(file) && !/\w*[sS]uite\w*\(/.test(readFileSync(root + file, 'utf8')));
}

/** A process by what tells it from others: the end of its command line, where node:test puts the file. */
function describeProcess({ pid, command }: Leftover): string {
  return `${pid} ${command.length > 150 ? `… ${command.slice(-150)}` : command}`;
}

async function runClass(testClass: TestClass, files: readonly string[], run: Run): Promise<ClassEnd> {
  const folder = mkdtempSync(`${tmpdir()}/yunmen-test-`);
  const resultsFile = `${folder}/results.ndjson`;
  writeFileSync(resultsFile, '');
  try {
    const factor = run.torture > 0 ? tortureFactor : 1;
    const limitMs = testClass.limitMs * factor;
    const { status, leftBehind, late } = await runSession([pinnedNode(), ...nodeArguments(testClass, files, factor)], {
      cwd: root,
      env: environment(run, resultsFile),
      stop: run.stop,
      limitMs,
    });
    const results = parseResults(readFileSync(resultsFile, 'utf8'));
    const totals = countResults(results);
    const isFinished = results.some((result) => result.kind === 'finished');
    const faults = [
      ...(late === null
        ? []
        : [`stopped after ${limitMs / 1000} s; then ran:\n${late.map(describeProcess).join('\n')}`]),
      ...(isFinished || late !== null ? [] : [`the test process ended early (${status})`]),
      ...(isFinished && status !== 0 && totals.failed === 0 ? [`the test process ended with ${status}`] : []),
      ...(isFinished ? silentFiles(files, results).map((file) => `${file} gave no result`) : []),
      ...leftBehind.map((leftover) => `left a process behind: ${describeProcess(leftover)}`),
    ];
    return { results, totals: addTotals(totals, { passed: 0, failed: faults.length, skipped: 0 }), faults };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function usage(message: string): never {
  console.error(
    `${message}\nusage: npm test -- [--only ${classNames.join('|')}] [--torture [--part 0.01]] [--verbose] [part-of-a-path …]`,
  );
  process.exit(2);
}

function parseCommandLine() {
  try {
    const { values, positionals } = parseArgs({
      options: {
        only: { type: 'string' },
        torture: { type: 'boolean', default: false },
        part: { type: 'string', default: '1' },
        verbose: { type: 'boolean', default: false },
      },
      allowPositionals: true,
    });
    const only = values.only?.split(',') ?? [];
    const unknown = only.find((name) => !isClassName(name));
    if (unknown !== undefined) usage(`no such class of tests: ${unknown}`);
    const part = Number(values.part);
    if (!(part > 0 && part <= 1)) usage(`a part of the full counts is over 0 and 1 at most, not ${values.part}`);
    return { ...values, only, parts: positionals, torture: values.torture ? part : 0 };
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<void> {
  const options = parseCommandLine();
  const stopper = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stopper.abort());
  const run: Run = {
    torture: options.torture,
    isVerbose: options.verbose,
    seed: process.env['YUNMEN_SEED'] ?? defaultSeed,
    stop: stopper.signal,
  };
  const counts = run.torture === 0 ? '' : run.torture === 1 ? ', full counts' : `, full counts times ${run.torture}`;
  console.log(`node ${process.version}, seed ${run.seed}${counts}`);
  let totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  const all: TestResult[] = [];
  for (const testClass of testClasses) {
    if (run.stop.aborted || (options.only.length > 0 && !options.only.includes(testClass.name))) continue;
    const files = filesOf(testClass, root).filter(
      (file) => options.parts.length === 0 || options.parts.some((part) => file.includes(part)),
    );
    if (files.length === 0) {
      if (options.parts.length > 0) continue;
      const isFault = testClass.isExpected || options.only.length > 0;
      console.log(`\n${testClass.name}: ${isFault ? 'FAILED: ' : ''}no test files (${testClass.patterns.join(', ')})`);
      if (isFault) totals = addTotals(totals, { passed: 0, failed: 1, skipped: 0 });
      continue;
    }
    console.log(`\n${testClass.name}: ${files.length} files`);
    const began = performance.now();
    const end = await runClass(testClass, files, run);
    for (const fault of end.faults) console.log(`  FAILED ${testClass.name}: ${fault}`);
    console.log(
      `${testClass.name}: ${formatTotals(end.totals)} in ${((performance.now() - began) / 1000).toFixed(1)} s`,
    );
    all.push(...end.results);
    totals = addTotals(totals, end.totals);
  }
  report(all, totals, run.stop.aborted);
}

/** Prints what was skipped and why, then the total; decides the exit code. */
function report(all: readonly TestResult[], totals: Totals, isInterrupted: boolean): void {
  if (totals.skipped > 0) console.log(`\nskipped:\n${formatSkips(all).join('\n')}`);
  const refusesSkips = process.env['CI'] === 'true' && totals.skipped > 0;
  if (refusesSkips) console.log('\nnothing may be skipped when CI=true');
  if (isInterrupted) console.log('\ninterrupted');
  const isGreen = totals.failed === 0 && totals.passed > 0 && !refusesSkips && !isInterrupted;
  process.exitCode = isInterrupted ? 130 : isGreen ? 0 : 1;
  console.log(`\n${formatTotals(totals)}`);
}

await main();
