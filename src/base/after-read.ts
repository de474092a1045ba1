// "When all that has come by now has been read." Used where a timer may be early only because this process was late.

/**
 * Runs after two turns of the event loop: in between, all sockets have been polled once, and what they held when this was called
 * has been handed to its readers (as far as they do not pause it).
 */
export function afterRead(run: () => void): void {
  setImmediate(() => setImmediate(run));
}
