// Tells a few listeners, once, that something is called off. What an AbortController does at a tenth of its cost, for what
// is made with every request. Used by the gateway.

/** What may be called off says it by this. An AbortSignal is one. */
export type CallOffSignal = {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
};

/** Listeners are called once each, in their order; those that come after abort() are not called, as with AbortSignal. */
export class CallOff implements CallOffSignal {
  #isAborted = false;
  /** Most have one listener at a time. */
  #only: (() => void) | null = null;
  #more: (() => void)[] | null = null;

  get aborted(): boolean {
    return this.#isAborted;
  }

  abort(): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    const listeners = [...(this.#only === null ? [] : [this.#only]), ...(this.#more ?? [])];
    this.#only = null;
    this.#more = null;
    for (const listener of listeners) listener();
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    if (this.#isAborted) return;
    if (this.#only === null && this.#more === null) this.#only = listener;
    else if (this.#more === null) this.#more = [listener];
    else this.#more.push(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    if (this.#only === listener) this.#only = null;
    else if (this.#more !== null) {
      this.#more = this.#more.filter((other) => other !== listener);
      if (this.#more.length === 0) this.#more = null;
    }
  }
}
