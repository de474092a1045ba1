// One stream of frames with an instance: what is asked (load, hook or invoke) and the body that comes back.
// Made by instance.ts for each of them; knows nothing of sockets.
import type { HttpHandlerCall, HttpHandlerHead } from '../../model/http-handler.ts';
import type { ResponseSink } from '../../model/invocation.ts';
import {
  BodyFrames,
  creditBytes,
  encodeCredit,
  encodeFrame,
  type FrameHeads,
  type InstanceFrame,
  ReceiveWindow,
} from '../../wire/frames.ts';
import { type HttpAnswerParams, readHttpHead, writeHttpParams } from '../../wire/http-params.ts';

/** How a stream ended. `rssKb` is the peak memory of the process. */
export type Answer =
  | {
      readonly kind: 'end';
      readonly rssKb: number;
      readonly body: Buffer;
      /** Of an HTTP call. */
      readonly http: HttpHandlerHead | null;
    }
  | {
      readonly kind: 'error';
      readonly type: FrameHeads['error']['type'];
      readonly rssKb: number;
      readonly willExit: boolean;
      readonly body: Buffer;
    }
  /** `isWhole`: all of it has been sent. */
  | { readonly kind: 'too-large'; readonly isWhole: boolean }
  /** The head of the answer to an HTTP call cannot be sent. */
  | { readonly kind: 'bad-response'; readonly reason: string }
  /** It was sent ahead, and not begun. */
  | { readonly kind: 'recalled' }
  /** The connection broke. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'violation'; readonly reason: string };

export type Question =
  | { readonly type: 'load'; readonly head: FrameHeads['load'] }
  | { readonly type: 'hook'; readonly head: FrameHeads['hook'] }
  | {
      readonly type: 'invoke';
      readonly head: Omit<FrameHeads['invoke'], 'http'>;
      readonly event: Buffer;
      readonly http: HttpHandlerCall | null;
      readonly sink: ResponseSink | null;
    };

/**
 * The two directions of one stream, each with its window.
 * Holds at most `resultLimitBytes` (and one frame) of what comes back.
 */
export class Exchange {
  readonly stream: number;
  readonly #resultLimitBytes: number;
  readonly #question: Question;
  readonly #sending: BodyFrames | null;
  readonly #window = new ReceiveWindow();
  #parts: Buffer[] = [];
  #received = 0;
  #http: HttpAnswerParams | null = null;

  constructor(stream: number, question: Question, resultLimitBytes: number) {
    this.stream = stream;
    this.#question = question;
    this.#resultLimitBytes = resultLimitBytes;
    this.#sending = question.type === 'invoke' ? bodyOf(stream, question) : null;
  }

  /** Frames to write first. */
  open(): Buffer[] {
    if (this.#sending !== null) return this.#pump(this.#sending);
    const { stream } = this;
    const question = this.#question;
    if (question.type === 'load') return [encodeFrame({ type: 'load', stream, head: question.head })];
    if (question.type === 'hook') return [encodeFrame({ type: 'hook', stream, head: question.head })];
    return [];
  }

  /** Takes one frame of this stream; gives what to write back and, when the stream has ended, the answer. */
  receive(frame: InstanceFrame): { readonly write: readonly Buffer[]; readonly answer: Answer | null } {
    switch (frame.type) {
      case 'credit':
        if (this.#sending === null) return { write: [], answer: null };
        if (!this.#sending.grant(creditBytes(frame))) return violation('a window over 4 GiB');
        return { write: this.#pump(this.#sending), answer: null };
      case 'response-head':
        this.#http = frame.head.http ?? null;
        return { write: [], answer: null };
      case 'chunk':
        return this.#take(frame.payload);
      case 'end': {
        const http = frame.head.http ?? this.#http;
        if ((http !== null) !== this.#isHttp) return violation(`an answer ${http ? 'with' : 'without'} an HTTP head`);
        const body = this.#finish(frame.payload);
        if (body === null) return { write: [], answer: { kind: 'too-large', isWhole: true } };
        if (http === null) return { write: [], answer: { kind: 'end', rssKb: frame.head.rss, body, http } };
        const read = readHttpHead(http);
        if (!read.ok) return { write: [], answer: { kind: 'bad-response', reason: read.reason } };
        return { write: [], answer: { kind: 'end', rssKb: frame.head.rss, body, http: read.head } };
      }
      case 'error': {
        const body = this.#finish(frame.payload);
        if (body === null) return { write: [], answer: { kind: 'too-large', isWhole: true } };
        const { type, rss: rssKb, exit: willExit } = frame.head;
        return { write: [], answer: { kind: 'error', type, rssKb, willExit, body } };
      }
      case 'recalled':
        if (!this.#isAhead) return violation('a recalled frame for a request that was not sent ahead');
        return { write: [], answer: { kind: 'recalled' } };
      case 'hello':
      case 'ping':
        return violation(`a ${frame.type} frame on a stream`);
    }
  }

  get #isHttp(): boolean {
    return this.#question.type === 'invoke' && this.#question.http !== null;
  }

  get #isAhead(): boolean {
    return this.#question.type === 'invoke' && this.#question.head.ahead === true;
  }

  #pump(sending: BodyFrames): Buffer[] {
    const frames: Buffer[] = [];
    for (let next = sending.next(); next !== null; next = sending.next()) frames.push(next);
    return frames;
  }

  #take(payload: Buffer): { readonly write: readonly Buffer[]; readonly answer: Answer | null } {
    const grant = this.#window.receive(payload.length);
    if (grant === null) return violation('more bytes than the window allows');
    this.#received += payload.length;
    if (this.#received > this.#resultLimitBytes) return { write: [], answer: { kind: 'too-large', isWhole: false } };
    this.#parts.push(payload);
    return { write: grant > 0 ? [encodeCredit(this.stream, grant)] : [], answer: null };
  }

  #finish(last: Buffer): Buffer | null {
    if (this.#received + last.length > this.#resultLimitBytes) return null;
    if (this.#parts.length === 0) return last;
    this.#parts.push(last);
    const body = Buffer.concat(this.#parts);
    this.#parts = [];
    return body;
  }
}

function bodyOf(stream: number, { head, event, http }: Extract<Question, { type: 'invoke' }>): BodyFrames {
  const whole = http === null ? head : { ...head, http: writeHttpParams(http) };
  return new BodyFrames({ type: 'invoke', stream, head: whole }, event);
}

function violation(reason: string): { readonly write: readonly Buffer[]; readonly answer: Answer } {
  return { write: [], answer: { kind: 'violation', reason } };
}
