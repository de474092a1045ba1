// A node:test reporter: prints failures at once and a line per isolated file, and hands each result to scripts/test.ts.
import { appendFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';
import { resultsVariable, type TestResult, tortureVariable, verboseVariable } from './results.ts';

/** Lines of one file's own output that are kept to be shown if it fails. */
const outputLimit = 200;
/** Under torture a test that took longer is named with its time. */
const longMs = 10_000;

type Leaf = Extract<TestEvent, { type: 'test:pass' | 'test:fail' }>;

function pathOf(file: string | undefined): string {
  return file === undefined ? '(no file)' : relative(process.cwd(), file).replaceAll('\\', '/');
}

/** Why a test was left out, or null when it ran. An unfinished (`todo`) test counts as left out. */
function skipReason({ data }: Leaf): string | null {
  if (data.skip !== undefined && data.skip !== false)
    return typeof data.skip === 'string' ? data.skip : 'no reason given';
  if (data.todo !== undefined && data.todo !== false)
    return `todo: ${typeof data.todo === 'string' ? data.todo : 'unfinished'}`;
  return null;
}

/** The result of a finished test; null for suites and for tests that failed only because a part of them did. */
function resultOf(event: Leaf, name: string): TestResult | null {
  const { data } = event;
  const file = pathOf(data.file);
  const reason = skipReason(event);
  if (data.details.type === 'suite' && reason === null && event.type === 'test:pass') return null;
  if (reason !== null) return { kind: 'skipped', file, name, reason };
  if (event.type === 'test:pass') {
    // An isolated file without tests is reported as one passing test that bears the file's name.
    return data.nesting === 0 && file.endsWith(data.name) && data.name.endsWith('.test.ts')
      ? { kind: 'failed', file, name: 'holds no tests' }
      : { kind: 'passed', file, name };
  }
  if (failureType(event) === 'subtestsFailed') return null;
  return { kind: 'failed', file, name };
}

function failureType(event: Leaf): string | null {
  const error: unknown = event.type === 'test:fail' ? event.data.details.error : null;
  return error instanceof Error && 'failureType' in error ? String(error.failureType) : null;
}

function describeFailure(event: Leaf): string {
  if (event.type !== 'test:fail') return '  it must hold at least one test';
  const { error } = event.data.details;
  const text = inspect(error.cause ?? error, { depth: 6, colors: false, maxStringLength: 4000 });
  const lines = text
    .split('\n')
    .filter((line) => !line.includes('(node:internal/') && !line.includes('at node:internal/'));
  return lines.map((line) => `    ${line}`).join('\n');
}

/** What a failed file printed itself, indented; nothing when it printed nothing. */
function describeOutput(path: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `    output of ${path}:\n${lines.join('').trimEnd().replace(/^/gm, '      ')}\n`;
}

// biome-ignore lint/style/noDefaultExport: node:test takes a reporter from the default export
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const target = process.env[resultsVariable];
  const verbose = process.env[verboseVariable] === '1';
  const isTorture = Number(process.env[tortureVariable] ?? '0') > 0;
  const put = (result: TestResult) => {
    if (target !== undefined) appendFileSync(target, `${JSON.stringify(result)}\n`);
  };
  const open = new Map<string, string[]>();
  const output = new Map<string, string[]>();
  for await (const event of events) {
    switch (event.type) {
      case 'test:start': {
        const names = open.get(event.data.file ?? '') ?? [];
        open.set(event.data.file ?? '', [...names.slice(0, event.data.nesting), event.data.name]);
        break;
      }
      case 'test:stdout':
      case 'test:stderr': {
        const path = pathOf(resolve(event.data.file));
        const lines = output.get(path) ?? [];
        output.set(path, lines);
        if (verbose) yield event.data.message;
        else if (lines.push(event.data.message) > outputLimit) lines.shift();
        break;
      }
      case 'test:pass':
      case 'test:fail': {
        const names = (open.get(event.data.file ?? '') ?? []).slice(0, event.data.nesting);
        const ms = event.data.details.duration_ms;
        const result = resultOf(event, [...names, event.data.name].join(' › '));
        if (result === null) break;
        put(result);
        if (result.kind === 'failed') yield `\n  FAILED ${result.file}: ${result.name}\n${describeFailure(event)}\n`;
        // A file that died has no summary: this is the place to show its last words.
        if (result.kind === 'failed' && result.name === result.file) {
          yield describeOutput(result.file, output.get(result.file) ?? []);
        } else if (result.kind !== 'finished' && (verbose || (isTorture && ms >= longMs))) {
          yield `  ${result.kind} ${result.name} (${(ms / 1000).toFixed(1)} s)\n`;
        }
        break;
      }
      case 'test:diagnostic': {
        // What a test says of itself; the runner's own sums belong to no file.
        if ((verbose || isTorture) && event.data.file !== undefined) yield `    ${event.data.message}\n`;
        break;
      }
      case 'test:summary': {
        const { file, counts, duration_ms: ms, success } = event.data;
        if (file === undefined) put({ kind: 'finished' });
        else {
          const path = pathOf(file);
          yield `  ${success ? 'ok    ' : 'FAILED'} ${path} (${counts.tests} tests, ${(ms / 1000).toFixed(1)} s)\n`;
          if (!success) yield describeOutput(path, output.get(path) ?? []);
        }
        break;
      }
      default:
    }
  }
}
