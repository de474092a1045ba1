// The size of a terminal as callers say it. Read by instance-exec.ts (in the query) and exec-session.ts (in a message).
import type { TerminalSize } from '../../model/exec.ts';

const limit = 1000;

/** Null when the two are no size. */
export function terminalSize(rows: unknown, columns: unknown): TerminalSize | null {
  const isSize = (value: unknown): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= limit;
  return isSize(rows) && isSize(columns) ? { rows, columns } : null;
}

/** `{"Width":80,"Height":24}`, as Kubernetes has it, in any case. Null: it is none. Source: assumed. */
export function readTerminalSize(bytes: Buffer): TerminalSize | null {
  if (bytes.length > 200) return null;
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (typeof value !== 'object' || value === null) return null;
    const members = new Map(Object.entries(value).map(([name, member]) => [name.toLowerCase(), member]));
    return terminalSize(members.get('height'), members.get('width'));
  } catch {
    return null; // it is no JSON
  }
}
