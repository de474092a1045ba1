// When a pool looks again at who waits, should nothing happen until then. Kept by pool.ts.
import { nowhere } from '../../base/roster.ts';
import type { Deadline, Deadlines } from './deadlines.ts';

/** One time, the earliest that was asked for. */
export class Recheck {
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline;
  #isDue = false;

  /** `look` is told for when it was planned (monotonic ms). */
  constructor(deadlines: Deadlines, look: (planned: number) => void) {
    this.#deadlines = deadlines;
    this.#deadline = {
      place: nowhere,
      at: 0,
      expire: () => {
        this.#isDue = false;
        look(this.#deadline.at);
      },
    };
  }

  /** At `at` (monotonic ms), or when it was planned already, if that is earlier. */
  plan(at: number): void {
    if (this.#isDue && this.#deadline.at <= at) return;
    this.#isDue = true;
    this.#deadline.at = at;
    this.#deadlines.add(this.#deadline);
  }

  close(): void {
    this.#deadlines.remove(this.#deadline);
  }
}
