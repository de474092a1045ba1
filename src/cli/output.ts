// What commands print: answers on stdout, remarks on stderr; with --json one JSON object a line on stdout.
import { replaceControls } from '../base/control-characters.ts';
import type { CliDeps } from './server-port.ts';

export type Printer = {
  readonly isJson: boolean;
  /** A line of the human answer; nothing with --json. */
  line(text?: string): void;
  /** The answer for machines; nothing without --json. */
  json(value: unknown): void;
  /** A remark or warning: stderr in both forms. */
  note(text: string): void;
};

export function createPrinter(deps: Pick<CliDeps, 'stdout' | 'stderr'>, isJson: boolean): Printer {
  return {
    isJson,
    line: (text = '') => {
      if (!isJson) deps.stdout.write(`${text}\n`);
    },
    json: (value) => {
      if (isJson) deps.stdout.write(`${JSON.stringify(value)}\n`);
    },
    note: (text) => {
      deps.stderr.write(`${text}\n`);
    },
  };
}

/** Text from elsewhere made safe for a terminal: control characters but tab and line feed become `?`. */
export function printable(text: string): string {
  return replaceControls(text, () => '?');
}

/** Rows as aligned columns, two blanks apart. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
