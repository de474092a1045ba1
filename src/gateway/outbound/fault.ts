// What can go wrong between the gateway and a backend, as a value; backends/backend-errors.ts words it for the caller.

export type FaultKind =
  /** The name leads nowhere. */
  | 'resolve'
  /** The guard refuses the address. `detail` is the address. */
  | 'illegal'
  | 'connect'
  | 'tls'
  /** The connection ended before the first byte of an answer. */
  | 'closed'
  /** What came is no HTTP, or ended in the middle. */
  | 'response'
  /** No room for another connection. */
  | 'busy';

/** `message` may name the backend's address: it goes to the caller as the cloud's does, and never into a record. */
export class BackendFault extends Error {
  override readonly name = 'BackendFault';
  readonly kind: FaultKind;
  readonly detail: string;

  constructor(kind: FaultKind, message: string, detail = '') {
    super(message);
    this.kind = kind;
    this.detail = detail;
  }
}
