// What one of our own processes throws when another of them did not answer in time. Made by data-process.ts.

/** The message says who was asked for what, for the operator. */
export class InternalTimeout extends Error {
  override readonly name = 'InternalTimeout';
}
