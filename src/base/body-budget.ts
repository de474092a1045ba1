// Bounds the memory that the bodies of all requests under way take together. One per gateway, and one per HTTP door.

/** What is over the budget is refused. */
export class NoRoomForBody extends Error {
  override readonly name = 'NoRoomForBody';
}

/** The part of each body that is not counted: so most requests pay nothing, and connections bound what these take. In bytes. */
export const uncountedBytes = 16 * 1024;

export class BodyBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** False: there is no room, and nothing was taken. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}
