// The road to an instance with one of our bootstraps: frames over its own unix socket. Opened by open-road.ts.
import { removeFrom } from '../../base/roster.ts';
import type { InstanceFrame } from '../../wire/frames.ts';
import { Endpoint } from './endpoint.ts';
import { type Answer, Exchange, type Question } from './exchange.ts';
import type { Asking, Road, RoadEvents, SentAhead } from './road.ts';

type Open = { readonly stream: number; readonly exchange: Exchange; readonly onAnswer: (answer: Answer) => void };

const closing: ReadonlySet<InstanceFrame['type']> = new Set(['end', 'error', 'recalled'] as const);

export class FrameRoad implements Road {
  readonly environment = {};
  readonly #events: RoadEvents;
  readonly #resultLimitBytes: number;
  /** Bounded by the requests that an instance takes at once. */
  readonly #open: Open[] = [];
  /** Streams that nobody waits for any more and that have not ended. Bounded likewise: such an instance ends soon. */
  readonly #forsaken = new Set<number>();
  #endpoint: Endpoint | null = null;
  #nextStream = 1;
  ahead: SentAhead | null = null;

  private constructor(events: RoadEvents, resultLimitBytes: number) {
    this.#events = events;
    this.#resultLimitBytes = resultLimitBytes;
  }

  /** Errors: as Endpoint.open(). */
  static async open(
    { socketDirectory, token }: { readonly socketDirectory: string; readonly token: string },
    resultLimitBytes: number,
    events: RoadEvents,
  ): Promise<FrameRoad> {
    const road = new FrameRoad(events, resultLimitBytes);
    road.#endpoint = await Endpoint.open(socketDirectory, token, {
      onHello: ({ ahead = 0 }) => {
        road.ahead = ahead === 0 ? null : { limit: ahead, recall: () => road.#recall() };
        events.onReady();
      },
      onFrame: (frame) => road.#receive(frame),
      onDisconnect: (violation) => events.onLost(violation),
      onOutput: (chunk) => events.onOutput(chunk),
      onOutputEnd: () => events.onOutputEnd(),
      onSuspicion: (text) => events.onSuspicion(text),
    });
    return road;
  }

  async adopt(): Promise<void> {} // the function comes with its load frame

  started(): void {} // its hello tells that it is there

  trust(): boolean {
    return this.#endpoint?.trust() === true;
  }

  ask(question: Question, onAnswer: (answer: Answer) => void): Asking {
    const stream = this.#nextStream;
    this.#nextStream += 1;
    const isAhead = question.type === 'invoke' && question.head.ahead === true;
    if (isAhead) this.#endpoint?.openRecalls();
    const exchange = new Exchange(stream, question, this.#resultLimitBytes);
    const open = { stream, exchange, onAnswer };
    this.#open.push(open);
    // The instance is busy: it looks at what is sent ahead when it is done.
    if (isAhead) this.#endpoint?.writeSoon(exchange.open());
    else this.#endpoint?.writeAll(exchange.open());
    return {
      cancel: () => {
        if (removeFrom(this.#open, open)) this.#forsaken.add(stream);
      },
    };
  }

  rest(): void {}

  close(): void {
    this.#open.length = 0;
    this.#endpoint?.close();
  }

  #recall(): void {
    this.#endpoint?.recall(this.#nextStream - 1);
  }

  #receive(frame: InstanceFrame): void {
    const open = this.#open.find(({ stream }) => stream === frame.stream);
    if (open === undefined) {
      if (this.#forsaken.has(frame.stream)) {
        if (closing.has(frame.type)) this.#forsaken.delete(frame.stream);
        return;
      }
      // Credits of a stream that has ended may still come; everything else off an open stream is a violation.
      if (frame.type !== 'credit' && frame.type !== 'ping') {
        this.#events.onLost(`a ${frame.type} frame on stream ${frame.stream} that is not open`);
      }
      return;
    }
    const { write, answer } = open.exchange.receive(frame);
    if (write.length > 0) this.#endpoint?.writeAll(write);
    if (answer === null) return;
    removeFrom(this.#open, open);
    if (answer.kind === 'too-large' && !answer.isWhole) this.#forsaken.add(frame.stream);
    open.onAnswer(answer);
  }
}
