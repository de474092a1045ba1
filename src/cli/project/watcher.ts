// Tells `dev` that files of the project changed: one call for a burst of changes. Knows nothing of what a reload does.
import { watch } from 'node:fs';
import { relative, sep } from 'node:path';
import type { Clock } from '../../base/clock.ts';

export type WatcherOptions = {
  readonly folder: string;
  /** Absolute paths that are not watched, besides every `.yunmen` and `.git`. */
  readonly exclude: readonly string[];
  readonly clock: Clock;
  readonly onChange: () => void;
  /** Watching has ended, e.g. because the system's limit of watched folders is reached. */
  readonly onError: (error: Error) => void;
};

/** How long a burst has to be quiet, and how long it may last before it is reported anyway; milliseconds. */
const ownFiles = { quietMs: 40, longestMs: 400 };
/** An installer writes thousands of files below node_modules; they are reported when it has calmed down. */
const dependencies = { quietMs: 1_000, longestMs: 10_000 };

/** Collects bursts: `touch` for each change, one `report` per burst. Its one timer is cleared by `close`. */
export class BurstTimer {
  readonly #clock: Clock;
  readonly #report: () => void;
  #cancel: (() => void) | null = null;
  #dueAt = 0;
  #latestAt = 0;

  constructor(clock: Clock, report: () => void) {
    this.#clock = clock;
    this.#report = report;
  }

  touch(isDependency: boolean): void {
    const { quietMs, longestMs } = isDependency ? dependencies : ownFiles;
    const now = this.#clock.monotonic();
    const isWaiting = this.#cancel !== null;
    const latestAt = isWaiting ? Math.min(this.#latestAt, now + longestMs) : now + longestMs;
    // A change of an own file never waits for an installer that is still at work.
    const wanted = Math.min(now + quietMs, latestAt);
    const dueAt = isWaiting && isDependency ? Math.max(wanted, Math.min(this.#dueAt, latestAt)) : wanted;
    this.#latestAt = latestAt;
    this.#dueAt = dueAt;
    this.#cancel?.();
    this.#cancel = this.#clock.after(Math.max(0, dueAt - now), () => {
      this.#cancel = null;
      this.#report();
    });
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}

/** Begins to watch a folder and all below it. The result ends it; nothing is called afterwards. */
export function watchProject(options: WatcherOptions): { close(): void } {
  const timer = new BurstTimer(options.clock, options.onChange);
  const excluded = options.exclude.map((path) => relative(options.folder, path));
  const isIgnored = (path: string) => isIgnoredPath(path, excluded);
  const watcher = watch(options.folder, { recursive: true, ignore: isIgnored }, (_event, path) => {
    // A null path means that the system does not say what changed.
    if (path !== null && isIgnored(path)) return;
    timer.touch(path?.split(sep).includes('node_modules') ?? false);
  });
  watcher.on('error', (error) => {
    timer.close();
    watcher.close();
    options.onError(error instanceof Error ? error : new Error(String(error)));
  });
  return {
    close: () => {
      timer.close();
      watcher.close();
    },
  };
}

/** `path` and `excluded` are relative to the watched folder. */
export function isIgnoredPath(path: string, excluded: readonly string[]): boolean {
  const parts = path.split(sep);
  if (parts.includes('.git') || parts.includes('.yunmen')) return true;
  return excluded.some((each) => each !== '' && (path === each || path.startsWith(each + sep)));
}
