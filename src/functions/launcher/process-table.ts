// Which processes belong to which instance, read from /proc: by the mark in their environment and by their ancestors.
// Used by the launcher to end whole trees, and by whoever has to end what a killed launcher left.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The variable that marks every process of an instance, daemons included. */
export const markName = 'FC_INSTANCE_ID';

export type ProcessRow = {
  readonly pid: number;
  readonly parent: number;
  /** Instance named in its environment; null when none, and in another namespace of processes, which it leaves only by its end. */
  readonly instanceId: string | null;
  /** Stopped by a signal: nothing of it runs. */
  readonly isStopped: boolean;
  /** Waits in the kernel for what no signal but its end can break off: the child of a vfork() that has not run its program yet, or a disk. */
  readonly isHeld: boolean;
};

/** All processes that have not ended. Synchronous: a few milliseconds for hundreds of processes. */
export function readProcessTable(): readonly ProcessRow[] {
  const rows: ProcessRow[] = [];
  const own = namespaceOf('self');
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const row = readRow(pid, own);
    if (row !== null) rows.push(row);
  }
  return rows;
}

/**
 * The processes of instances.
 *
 * `roots` are first processes whose descendants belong too (the root included). Never holds the calling process.
 */
export function findMembers(
  table: readonly ProcessRow[],
  instanceIds: ReadonlySet<string>,
  roots: ReadonlySet<number>,
): readonly ProcessRow[] {
  const members = new Set<number>(roots);
  // A parent may stand after its child in the table: look until nothing is added.
  for (let size = -1; size !== members.size; ) {
    size = members.size;
    for (const row of table) {
      const isMarked = row.instanceId !== null && instanceIds.has(row.instanceId);
      if (isMarked || members.has(row.parent)) members.add(row.pid);
    }
  }
  return table.filter((row) => members.has(row.pid) && row.pid !== process.pid);
}

/**
 * Who reads an environment waits for the lock of that process's memory, and so for as long as who holds it waits for a processor:
 * an instance of another server that forks in its background, 12 s (measured beside six programs that compute). Those have
 * namespaces of their own; what has one of ours hangs below a first process, or ended with it.
 */
function readRow(pid: number, own: string | null): ProcessRow | null {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const facts = parseStat(stat.toString('latin1'));
  if (facts === null) return null;
  const mayBeMarked = own === null || namespaceOf(pid) === own;
  return { pid, ...facts, instanceId: mayBeMarked ? findMark(read(`/proc/${pid}/environ`)) : null };
}

/** Null when it has ended, or is another user's, whose environment cannot be read either. */
function namespaceOf(pid: number | 'self'): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return null;
  }
}

/**
 * `pid (name) state parent …`; the name may hold anything, so count from its last parenthesis. Null when it has ended.
 * A process whose first thread has ended shows as a zombie while others of its threads run on.
 */
export function parseStat(text: string): Pick<ProcessRow, 'parent' | 'isStopped' | 'isHeld'> | null {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ', 18);
  const [state, parent] = fields;
  const threads = Number(fields[17]);
  if (state === 'X' || (state === 'Z' && threads <= 1)) return null;
  return { parent: Number(parent), isStopped: state === 'T', isHeld: state === 'D' };
}

/** The value of the mark in an environment as bytes: `NAME=value\0NAME=value\0`. */
export function findMark(environ: Buffer | null): string | null {
  if (environ === null) return null;
  const start = `${markName}=`;
  for (let at = environ.indexOf(start); at >= 0; at = environ.indexOf(start, at + 1)) {
    if (at > 0 && environ[at - 1] !== 0) continue;
    const end = environ.indexOf(0, at);
    return environ.toString('latin1', at + start.length, end < 0 ? environ.length : end);
  }
  return null;
}

function read(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null; // it ended meanwhile, or is another user's
  }
}
