// What a probe of this machine found out about keeping functions apart. Made by the composition, printed by the command
// line.

/** One thing that was tried. */
export type IsolationTrial = {
  /** The tier that it is for; null when it is for all. */
  readonly tier: string | null;
  /** What was tried, in words. */
  readonly tried: string;
  /** What was seen, in words. */
  readonly effect: string;
  readonly isHeld: boolean;
};

export type IsolationReport = {
  readonly trials: readonly IsolationTrial[];
  /** What `yunmen start` would choose; null: it would refuse to start without `--isolation none`. */
  readonly tier: string | null;
  readonly launcher: 'sandd' | 'node';
  /** The one line that would raise the tier; null when there is no stronger one. */
  readonly raise: string | null;
  /** The one line that would let functions reach what is beyond this machine; null when nothing keeps them from it. */
  readonly forward: string | null;
};
