// Makes broken variants of good inputs, the same for the same seed: what the fuzz tests of this folder send.
export class Mutator {
  #state: number;
  readonly #words: readonly string[];

  /** `words` are texts that the target gives a meaning to. */
  constructor(seed: number, words: readonly string[]) {
    this.#state = seed >>> 0 || 1;
    this.#words = words;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    // xorshift32
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state % limit;
  }

  pick<T>(from: readonly T[], fallback: T): T {
    return from[this.below(Math.max(1, from.length))] ?? fallback;
  }

  /** One to four changes of one of `corpus`. Characters stand for bytes (latin1). */
  mutate(corpus: readonly string[]): string {
    let text = this.pick(corpus, '');
    for (let changes = 1 + this.below(4); changes > 0; changes--) text = this.#change(text, corpus);
    return text;
  }

  /** The text in one to four pieces. */
  pieces(text: string): string[] {
    const pieces: string[] = [];
    let rest = text;
    for (let cuts = this.below(4); cuts > 0 && rest.length > 1; cuts--) {
      const at = 1 + this.below(rest.length - 1);
      pieces.push(rest.slice(0, at));
      rest = rest.slice(at);
    }
    return [...pieces, rest];
  }

  /** One of `corpus`, which are JSON, and still JSON: one to three of its members are broken, gone, or another's. */
  mutateJson(corpus: readonly string[]): string {
    const whole = { value: JSON.parse(this.pick(corpus, '{}')) as unknown };
    for (let changes = 1 + this.below(3); changes > 0; changes--) {
      const places = placesOf(whole);
      const { holder, key } = this.pick(places, { holder: whole, key: 'value' });
      const other = this.pick(places, { holder: whole, key: 'value' });
      const way = this.below(6);
      if (way === 0) delete holder[key];
      else if (way === 1) holder[key] = structuredClone(other.holder[other.key]);
      else if (way === 2) holder[key] = this.pick<unknown>([0, -1, 0.5, 2 ** 31, 1e300, true, null, [], {}, ''], 0);
      else if (way === 3) holder[key] = this.pick(this.#words, '');
      else holder[key] = this.mutate([textOf(holder[key]), textOf(holder[key]), textOf(other.holder[other.key])]);
    }
    return JSON.stringify(whole.value) ?? 'null';
  }

  #change(text: string, corpus: readonly string[]): string {
    const at = this.below(text.length + 1);
    const length = 1 + this.below(12);
    switch (this.below(8)) {
      case 0:
        return `${text.slice(0, at)}${String.fromCharCode(this.below(256))}${text.slice(at + 1)}`;
      case 1:
        return text.slice(0, at) + text.slice(at + length);
      case 2:
        return text.slice(0, at) + text.slice(at, at + length).repeat(2) + text.slice(at + length);
      case 3:
        return text.slice(0, at);
      case 4:
        return text.slice(0, at) + this.pick(corpus, '').slice(this.below(40));
      case 5:
        return text.slice(0, at) + this.pick(this.#words, '') + text.slice(at + (this.below(2) === 0 ? length : 0));
      case 6:
        return text.slice(0, at) + text.charAt(at).repeat(1 + this.below(300)) + text.slice(at + 1);
      default:
        return `${text.slice(0, at)}${text.slice(at, at + 1) === text.slice(at, at + 1).toUpperCase() ? text.slice(at, at + length).toLowerCase() : text.slice(at, at + length).toUpperCase()}${text.slice(at + length)}`;
    }
  }
}

type Members = Record<string, unknown>;

/** Every member at any depth below `holder`; items of lists are members. */
function placesOf(holder: Members): { readonly holder: Members; readonly key: string }[] {
  return Object.keys(holder).flatMap((key) => {
    const value = holder[key];
    const below = typeof value === 'object' && value !== null ? placesOf(value as Members) : [];
    return [{ holder, key }, ...below];
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
