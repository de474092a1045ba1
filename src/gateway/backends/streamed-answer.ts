// The answer of a function on its way to the caller while the function still makes it. Made by function-http.ts for one call.
import type { HttpHandlerHead } from '../../model/http-handler.ts';
import type { ResponseSink } from '../../model/invocation.ts';
import { RelayedBody } from './relayed-body.ts';

const nothing = () => {};

/** Takes what a function sends in chunks. The caller's pace reaches the function: it is asked for no more while the caller takes nothing. */
export class StreamedAnswer implements ResponseSink {
  /** Null: the function sends its answer whole, or has not begun. */
  body: RelayedBody | null = null;
  readonly #begin: (head: HttpHandlerHead, body: RelayedBody) => void;
  #isPaused = false;
  #wake = nothing;

  /** `begin` is told the head, once, with the body that follows. */
  constructor(begin: (head: HttpHandlerHead, body: RelayedBody) => void) {
    this.#begin = begin;
  }

  head(head: HttpHandlerHead): void {
    const origin = {
      pause: () => {
        this.#isPaused = true;
      },
      resume: () => this.#goOn(),
      // Whoever called the function hears of the caller's leaving too, and ends the call.
      cancel: () => this.#goOn(),
    };
    this.body = new RelayedBody(origin, null);
    this.#begin(head, this.body);
  }

  write(chunk: Buffer): boolean {
    this.body?.push(chunk);
    return !this.#isPaused;
  }

  drained(): Promise<void> {
    if (!this.#isPaused) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #goOn(): void {
    this.#isPaused = false;
    this.#wake();
    this.#wake = nothing;
  }
}
