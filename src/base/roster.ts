// Lists of what comes and goes with each request, for which Map and Set are the wrong thing: they make a new table after every few
// deletions, and the old one, once it is in the old generation, keeps all its followers and what they held alive until the
// next full collection, so that every request is copied twice (docs/decisions/0040).

/** `place` belongs to the roster; nowhere at first. One object is in one roster at most. */
export type Placed = { place: number };
export const nowhere = -1;

/** Members in the order of their coming, removed in constant time. Bounded by its users. */
export class Roster<T extends Placed> {
  /** Null: it has gone. At least half of them are there, or there are few. */
  readonly #slots: (T | null)[] = [];
  /** Before this all have gone. */
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | null {
    while (this.#head < this.#slots.length) {
      const member = this.#slots[this.#head];
      if (member != null) return member;
      this.#head += 1;
    }
    return null;
  }

  has(member: T): boolean {
    const { place } = member;
    return place >= 0 && place < this.#slots.length && this.#slots[place] === member;
  }

  /** One that is here already keeps its place. */
  add(member: T): void {
    if (this.has(member)) return;
    member.place = this.#slots.push(member) - 1;
    this.#size += 1;
  }

  /** False: it is not here. */
  delete(member: T): boolean {
    if (!this.has(member)) return false;
    this.#slots[member.place] = null;
    member.place = nowhere;
    this.#size -= 1;
    while (this.#slots.length > 0 && this.#slots.at(-1) === null) this.#slots.pop();
    if (this.#head > this.#slots.length) this.#head = this.#slots.length;
    if (this.#slots.length > 16 && this.#slots.length > 2 * this.#size) this.#close();
    return true;
  }

  /** All of them, which are gone from here. */
  takeAll(): T[] {
    const all = this.all();
    for (const member of all) this.delete(member);
    return all;
  }

  all(): T[] {
    return this.#slots.filter((member) => member !== null);
  }

  /** Closes the gaps. */
  #close(): void {
    let filled = 0;
    for (let at = this.#head; at < this.#slots.length; at += 1) {
      const member = this.#slots[at];
      if (member == null) continue;
      this.#slots[filled] = member;
      member.place = filled;
      filled += 1;
    }
    this.#slots.length = filled;
    this.#head = 0;
  }
}

/** Of a short list. False: it is not in it. */
export function removeFrom<T>(list: T[], member: T): boolean {
  const at = list.indexOf(member);
  if (at < 0) return false;
  if (at === list.length - 1) list.pop();
  else list.splice(at, 1);
  return true;
}
