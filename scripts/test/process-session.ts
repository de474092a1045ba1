// Runs one command as a session of its own, so that everything it started can be found and ended. Used by scripts/test.ts.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A process that outlived the command. */
export type Leftover = { readonly pid: number; readonly command: string };

export type SessionEnd = {
  /** Exit code, or the signal's name. */
  readonly status: number | NodeJS.Signals;
  readonly leftBehind: readonly Leftover[];
  /** What was running when the time was up; null when it ended in time. */
  readonly late: readonly Leftover[] | null;
};

/** How long processes may take to end by themselves once the command has ended. */
const graceMs = 3000;

/** Living processes of a session (zombies left out). Linux only: elsewhere none are seen. */
function membersOf(session: number): Leftover[] {
  const members: Leftover[] = [];
  for (const entry of process.platform === 'linux' ? readdirSync('/proc') : []) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      // pid (name) state ppid pgrp session …; the name may hold spaces and parentheses.
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(fields[3]) !== session || fields[0] === 'Z') continue;
      const command = readFileSync(`/proc/${entry}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      members.push({ pid: Number(entry), command });
    } catch {
      // It ended while we read.
    }
  }
  return members;
}

/** Sends a signal to a process or (negative) group that may have gone. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has gone already.
  }
}

async function waitUntilEmpty(session: number): Promise<readonly Leftover[]> {
  const deadline = performance.now() + graceMs;
  for (;;) {
    const members = membersOf(session);
    if (members.length === 0 || performance.now() > deadline) return members;
    await delay(50);
  }
}

/**
 * Runs `command` to its end; what it leaves behind for more than three seconds is named and killed.
 * Aborting `stop`, or the end of its time, sends SIGTERM to all of it, and SIGKILL to what stays.
 */
export async function runSession(
  command: readonly [string, ...string[]],
  options: {
    readonly cwd: string;
    readonly env: NodeJS.ProcessEnv;
    readonly stop: AbortSignal;
    readonly limitMs: number;
  },
): Promise<SessionEnd> {
  const [file, ...args] = command;
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, name) => resolve(code ?? name ?? 1));
  });
  const { pid } = child;
  if (pid === undefined) return { status: await ended, leftBehind: [], late: null };
  const onStop = () => {
    for (const member of membersOf(pid)) signal(member.pid, 'SIGTERM');
    signal(-pid, 'SIGTERM');
    setTimeout(() => signal(-pid, 'SIGKILL'), graceMs).unref();
  };
  if (options.stop.aborted) onStop();
  else options.stop.addEventListener('abort', onStop, { once: true });
  let late: readonly Leftover[] | null = null;
  const timer = setTimeout(() => {
    late = membersOf(pid);
    onStop();
  }, options.limitMs);
  const status = await ended;
  clearTimeout(timer);
  const leftBehind = await waitUntilEmpty(pid);
  for (const member of leftBehind) signal(member.pid, 'SIGKILL');
  options.stop.removeEventListener('abort', onStop);
  return { status, leftBehind, late };
}
