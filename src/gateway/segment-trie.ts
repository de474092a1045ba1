// The gateway's route table: one trie of path segments for each group and stage. Made by snapshot.ts, asked by match.ts.

export type PatternSegment = { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'parameter' };

/** A path pattern. `/a/[b]/*` is [literal a, parameter] and hasRest. */
export type PathPattern = { readonly segments: readonly PatternSegment[]; readonly hasRest: boolean };

/** What methods lead to at one place; `ANY` is a key like the others. */
type Leaf<Value> = ReadonlyMap<string, Value>;

/**
 * A node may be changed only by the edit whose token it carries; all others copy it.
 *
 *     root ── 'v1' ── 'pets' ── leaf: GET → listPets, POST → addPet
 *                        └──── [] ── leaf: GET → showPet      rest: ANY → everything below /v1/pets/x
 */
type Node<Value> = {
  owner: object | null;
  literals: Map<string, Node<Value>> | null;
  parameter: Node<Value> | null;
  leaf: Map<string, Value> | null;
  rest: Map<string, Value> | null;
};

function newNode<Value>(owner: object | null): Node<Value> {
  return { owner, literals: null, parameter: null, leaf: null, rest: null };
}

function pick<Value>(leaf: Leaf<Value> | null, method: string): Value | null {
  return leaf === null ? null : (leaf.get(method) ?? leaf.get('ANY') ?? null);
}

function find<Value>(node: Node<Value>, segments: readonly string[], index: number, method: string): Value | null {
  const segment = segments[index];
  if (segment === undefined) return pick(node.leaf, method) ?? pick(node.rest, method);
  const literal = node.literals?.get(segment);
  if (literal !== undefined) {
    const found = find(literal, segments, index + 1, method);
    if (found !== null) return found;
  }
  if (node.parameter !== null && segment !== '') {
    const found = find(node.parameter, segments, index + 1, method);
    if (found !== null) return found;
  }
  return pick(node.rest, method);
}

function collect<Value>(node: Node<Value>, segments: readonly string[], index: number, methods: Set<string>): void {
  for (const method of node.rest?.keys() ?? []) methods.add(method);
  const segment = segments[index];
  if (segment === undefined) {
    for (const method of node.leaf?.keys() ?? []) methods.add(method);
    return;
  }
  const literal = node.literals?.get(segment);
  if (literal !== undefined) collect(literal, segments, index + 1, methods);
  if (node.parameter !== null && segment !== '') collect(node.parameter, segments, index + 1, methods);
}

/**
 * Immutable. Segment by segment from the left: literal before parameter before match-all, going back where a choice
 * leads nowhere; at one place the exact method before ANY. A parameter is never empty; match-all also matches its own
 * parent (`/a/*` matches `/a`, `/a/` and below).
 * Source: docs (gateway.md 1.3), choices.md.
 */
export class SegmentTrie<Value> {
  readonly #root: Node<Value>;

  constructor(root: Node<Value> = newNode<Value>(null)) {
    this.#root = root;
  }

  get isEmpty(): boolean {
    const { literals, parameter, leaf, rest } = this.#root;
    return literals === null && parameter === null && leaf === null && rest === null;
  }

  /** `from` is the index of the first segment that counts. */
  find(segments: readonly string[], from: number, method: string): Value | null {
    return find(this.#root, segments, from, method);
  }

  /** Every method for which some pattern matches, in no particular order. */
  methodsAt(segments: readonly string[], from: number): ReadonlySet<string> {
    const methods = new Set<string>();
    collect(this.#root, segments, from, methods);
    return methods;
  }

  edit(): TrieEditor<Value> {
    return new TrieEditor(this.#root);
  }
}

/** A batch of changes to a SegmentTrie; copies only the nodes on the changed paths, once. */
export class TrieEditor<Value> {
  readonly #token = {};
  #root: Node<Value>;

  constructor(root: Node<Value>) {
    this.#root = this.#own(root);
  }

  /** Puts `value` where the pattern leads; a former value of the same method is replaced. */
  insert(pattern: PathPattern, method: string, value: Value): void {
    let node = this.#root;
    for (const segment of pattern.segments) node = this.#child(node, segment);
    if (pattern.hasRest) node.rest = new Map(node.rest).set(method, value);
    else node.leaf = new Map(node.leaf).set(method, value);
  }

  /** Takes `value` away if it is still what the pattern leads to. */
  remove(pattern: PathPattern, method: string, value: Value): void {
    this.#root = this.#without(this.#root, pattern, { method, value }, 0) ?? newNode<Value>(this.#token);
  }

  done(): SegmentTrie<Value> {
    return new SegmentTrie(this.#root);
  }

  #own(node: Node<Value>): Node<Value> {
    if (node.owner === this.#token) return node;
    const { literals, parameter, leaf, rest } = node;
    return { owner: this.#token, literals: literals === null ? null : new Map(literals), parameter, leaf, rest };
  }

  #child(node: Node<Value>, segment: PatternSegment): Node<Value> {
    if (segment.kind === 'parameter') {
      node.parameter = node.parameter === null ? newNode<Value>(this.#token) : this.#own(node.parameter);
      return node.parameter;
    }
    node.literals ??= new Map();
    const former = node.literals.get(segment.text);
    const child = former === undefined ? newNode<Value>(this.#token) : this.#own(former);
    if (child !== former) node.literals.set(segment.text, child);
    return child;
  }

  /** The node without the value; null when nothing is left of it. */
  #without(
    node: Node<Value>,
    pattern: PathPattern,
    gone: { method: string; value: Value },
    depth: number,
  ): Node<Value> | null {
    const segment = pattern.segments[depth];
    const own = this.#own(node);
    if (segment === undefined) {
      if (pattern.hasRest) own.rest = withoutMethod(own.rest, gone);
      else own.leaf = withoutMethod(own.leaf, gone);
    } else if (segment.kind === 'parameter') {
      if (own.parameter !== null) own.parameter = this.#without(own.parameter, pattern, gone, depth + 1);
    } else {
      const child = own.literals?.get(segment.text);
      if (child !== undefined) {
        const kept = this.#without(child, pattern, gone, depth + 1);
        if (kept === null) own.literals?.delete(segment.text);
        else own.literals?.set(segment.text, kept);
        if (own.literals?.size === 0) own.literals = null;
      }
    }
    const isEmpty = own.literals === null && own.parameter === null && own.leaf === null && own.rest === null;
    return isEmpty ? null : own;
  }
}

function withoutMethod<Value>(
  leaf: Map<string, Value> | null,
  gone: { method: string; value: Value },
): Map<string, Value> | null {
  if (leaf === null || leaf.get(gone.method) !== gone.value) return leaf;
  if (leaf.size === 1) return null;
  const rest = new Map(leaf);
  rest.delete(gone.method);
  return rest;
}

/** Splits a path at `/`; the text before the leading `/` is left out. `/a/` is ['a', '']. */
export function splitPath(path: string): string[] {
  return path.slice(1).split('/');
}

/** Reads the path of an API: `[name]` is a parameter, a last segment `*` matches the rest. */
export function parsePattern(path: string): {
  pattern: PathPattern;
  parameterNames: { name: string; index: number }[];
} {
  const parts = splitPath(path.startsWith('/') ? path : `/${path}`);
  const hasRest = parts.at(-1) === '*';
  if (hasRest) parts.pop();
  const parameterNames: { name: string; index: number }[] = [];
  const segments = parts.map((text, index): PatternSegment => {
    if (text.length <= 2 || !text.startsWith('[') || !text.endsWith(']')) return { kind: 'literal', text };
    parameterNames.push({ name: text.slice(1, -1), index });
    return { kind: 'parameter' };
  });
  return { pattern: { segments, hasRest }, parameterNames };
}
