// Plain GETs over one kept connection, one after the other. For benches that watch when an answer changes.
import { Agent, get } from 'node:http';

export type PlainAnswer = { readonly status: number; readonly text: string };

export class OneConnection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Errors: when the connection breaks. */
  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<PlainAnswer> {
    return new Promise((resolve, reject) => {
      get(`${this.#origin}${path}`, { agent: this.#agent, headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      }).on('error', reject);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
