// The gateway's route table: one trie of path segments for each group and stage. Made by snapshot.ts, asked by match.ts.

export type PatternSegment = { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'parameter' };

/** A path pattern. `/a/[b]/*` is [literal a, parameter] and hasRest. */
export type PathPattern = { readonly segments: readonly PatternSegment[]; readonly hasRest: boolean };

/** What methods lead to at one place, the newest first, as a list that is never changed; `ANY` is a method like the others. */
type Leaf<Value> = { readonly method: string; readonly value: Value; readonly next: Leaf<Value> | null };

/** Segments below a node that lead to one place only; null is a parameter. Never changed. */
type Tail = readonly (string | null)[];

/**
 * A node may be changed only by the edit whose token it carries; all others copy it. Most have one child and one method: those
 * need no Map. Where only one place is left below, its path is kept in one piece: a look-up in a large table spends its time
 * waiting for memory, and this is one wait instead of several.
 *
 *     root ── 'v1' ── 'pets' ── leaf: GET → listPets, POST → addPet
 *                        ├──── [] ── leaf: GET → showPet      rest: ANY → everything below /v1/pets/x
 *                        └── 'by' ── tail: [], 'photos'       leaf: GET → photosOf (of /v1/pets/by/[owner]/photos)
 */
class Node<Value> {
  owner: object | null;
  /** The only literal child, while there is just one. */
  onlyText: string | null = null;
  onlyChild: Node<Value> | null = null;
  /** All literal children, once there are several. */
  literals: Map<string, Node<Value>> | null = null;
  parameter: Node<Value> | null = null;
  leaf: Leaf<Value> | null = null;
  rest: Leaf<Value> | null = null;
  /** Not null: it has no children and no `rest`, and `leaf` is what is at the tail's end. */
  tail: Tail | null = null;

  constructor(owner: object | null) {
    this.owner = owner;
  }

  get isEmpty(): boolean {
    return (
      this.onlyChild === null &&
      this.literals === null &&
      this.parameter === null &&
      this.leaf === null &&
      this.rest === null
    );
  }
}

function literalChild<Value>(node: Node<Value>, text: string): Node<Value> | null {
  if (node.literals !== null) return node.literals.get(text) ?? null;
  return node.onlyText === text ? node.onlyChild : null;
}

function pick<Value>(leaf: Leaf<Value> | null, method: string): Value | null {
  let any: Value | null = null;
  for (let at = leaf; at !== null; at = at.next) {
    if (at.method === method) return at.value;
    if (any === null && at.method === 'ANY') any = at.value;
  }
  return any;
}

function leadsTo(tail: Tail, segments: readonly string[], index: number): boolean {
  if (segments.length !== index + tail.length) return false;
  for (let i = 0; i < tail.length; i++) {
    const wanted = tail[i];
    const segment = segments[index + i];
    if (wanted === null ? segment === '' : segment !== wanted) return false;
  }
  return true;
}

function find<Value>(node: Node<Value>, segments: readonly string[], index: number, method: string): Value | null {
  if (node.tail !== null) return leadsTo(node.tail, segments, index) ? pick(node.leaf, method) : null;
  const segment = segments[index];
  if (segment === undefined) return pick(node.leaf, method) ?? pick(node.rest, method);
  const literal = literalChild(node, segment);
  if (literal !== null) {
    const found = find(literal, segments, index + 1, method);
    if (found !== null) return found;
  }
  if (node.parameter !== null && segment !== '') {
    const found = find(node.parameter, segments, index + 1, method);
    if (found !== null) return found;
  }
  return pick(node.rest, method);
}

function addMethods<Value>(leaf: Leaf<Value> | null, methods: Set<string>): void {
  for (let at = leaf; at !== null; at = at.next) methods.add(at.method);
}

function collect<Value>(node: Node<Value>, segments: readonly string[], index: number, methods: Set<string>): void {
  if (node.tail !== null) {
    if (leadsTo(node.tail, segments, index)) addMethods(node.leaf, methods);
    return;
  }
  addMethods(node.rest, methods);
  const segment = segments[index];
  if (segment === undefined) {
    addMethods(node.leaf, methods);
    return;
  }
  const literal = literalChild(node, segment);
  if (literal !== null) collect(literal, segments, index + 1, methods);
  if (node.parameter !== null && segment !== '') collect(node.parameter, segments, index + 1, methods);
}

/**
 * Immutable. Segment by segment from the left: literal before parameter before match-all, going back where a choice
 * leads nowhere; at one place the exact method before ANY. A parameter is never empty; match-all also matches its own
 * parent (`/a/*` matches `/a`, `/a/` and below).
 * Source: docs.
 */
export class SegmentTrie<Value> {
  readonly #root: Node<Value>;

  constructor(root: Node<Value> = new Node<Value>(null)) {
    this.#root = root;
  }

  get isEmpty(): boolean {
    return this.#root.isEmpty;
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
  /** The tails that this edit made, by their text: those that are alike are one, and stay in the processor's cache. */
  readonly #tails = new Map<string, Tail>();
  #root: Node<Value>;

  constructor(root: Node<Value>) {
    this.#root = this.#own(root);
  }

  /**
   * Puts `value` where the pattern leads, before what is there for the same method: two APIs may be live at one place, where the path of
   * one was changed and not deployed since, or has other names for its parameters. The older one is served again when the newer goes.
   */
  insert(pattern: PathPattern, method: string, value: Value): void {
    let node = this.#root;
    for (let depth = 0; !isPlace(node, pattern, depth); depth++) {
      if (node.tail !== null) this.#spread(node, node.tail);
      const segment = pattern.segments[depth];
      if (segment === undefined) break;
      node = this.#child(node, segment);
      if (node.isEmpty && !pattern.hasRest && depth + 1 < pattern.segments.length)
        node.tail = this.#tailOf(pattern, depth + 1);
    }
    if (pattern.hasRest) node.rest = { method, value, next: node.rest };
    else node.leaf = { method, value, next: node.leaf };
  }

  /** Takes `value` away if it is where the pattern leads. */
  remove(pattern: PathPattern, method: string, value: Value): void {
    this.#root = this.#without(this.#root, pattern, { method, value }, 0) ?? new Node<Value>(this.#token);
  }

  done(): SegmentTrie<Value> {
    return new SegmentTrie(this.#root);
  }

  #own(node: Node<Value>): Node<Value> {
    if (node.owner === this.#token) return node;
    const own = new Node<Value>(this.#token);
    own.onlyText = node.onlyText;
    own.onlyChild = node.onlyChild;
    own.literals = node.literals === null ? null : new Map(node.literals);
    own.parameter = node.parameter;
    own.leaf = node.leaf;
    own.rest = node.rest;
    own.tail = node.tail;
    return own;
  }

  #child(node: Node<Value>, segment: PatternSegment): Node<Value> {
    if (segment.kind === 'parameter') {
      node.parameter = node.parameter === null ? new Node<Value>(this.#token) : this.#own(node.parameter);
      return node.parameter;
    }
    const former = literalChild(node, segment.text);
    const child = former === null ? new Node<Value>(this.#token) : this.#own(former);
    if (child !== former) setLiteral(node, segment.text, child);
    return child;
  }

  #tailOf(pattern: PathPattern, from: number): Tail {
    const made = tailOf(pattern, from);
    const text = made.map((segment) => segment ?? '[]').join('/');
    const known = this.#tails.get(text);
    if (known?.every((segment, index) => segment === made[index])) return known;
    this.#tails.set(text, made);
    return made;
  }

  /** Makes the first segment of its tail a child, so that others fit beside it. */
  #spread(node: Node<Value>, tail: Tail): void {
    const child = new Node<Value>(this.#token);
    child.leaf = node.leaf;
    if (tail.length > 1) child.tail = tail.slice(1);
    node.leaf = null;
    node.tail = null;
    const [first = null] = tail;
    if (first === null) node.parameter = child;
    else setLiteral(node, first, child);
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
    if (own.tail !== null) {
      if (isPlace(own, pattern, depth)) own.leaf = withoutValue(own.leaf, gone);
      if (own.leaf === null) own.tail = null;
    } else if (segment === undefined) {
      if (pattern.hasRest) own.rest = withoutValue(own.rest, gone);
      else own.leaf = withoutValue(own.leaf, gone);
    } else if (segment.kind === 'parameter') {
      if (own.parameter !== null) own.parameter = this.#without(own.parameter, pattern, gone, depth + 1);
    } else {
      const child = literalChild(own, segment.text);
      if (child !== null) setLiteral(own, segment.text, this.#without(child, pattern, gone, depth + 1));
    }
    return own.isEmpty ? null : own;
  }
}

function tailOf({ segments }: PathPattern, from: number): Tail {
  return segments.slice(from).map((segment) => (segment.kind === 'literal' ? segment.text : null));
}

/** Whether the pattern's segments from `depth` on are the node's tail. */
function isPlace<Value>(node: Node<Value>, pattern: PathPattern, depth: number): boolean {
  if (node.tail === null || pattern.hasRest) return false;
  const tail = tailOf(pattern, depth);
  return tail.length === node.tail.length && tail.every((segment, index) => segment === node.tail?.[index]);
}

/** Puts, replaces or (null) takes away a literal child of a node that may be changed. */
function setLiteral<Value>(node: Node<Value>, text: string, child: Node<Value> | null): void {
  if (node.literals === null && (node.onlyText === null || node.onlyText === text)) {
    node.onlyText = child === null ? null : text;
    node.onlyChild = child;
    return;
  }
  if (node.literals === null) {
    node.literals = new Map();
    if (node.onlyText !== null && node.onlyChild !== null) node.literals.set(node.onlyText, node.onlyChild);
    node.onlyText = null;
    node.onlyChild = null;
  }
  if (child === null) node.literals.delete(text);
  else node.literals.set(text, child);
  if (node.literals.size === 0) node.literals = null;
}

function withoutValue<Value>(leaf: Leaf<Value> | null, gone: { method: string; value: Value }): Leaf<Value> | null {
  if (leaf === null) return null;
  const { method, value, next } = leaf;
  return method === gone.method && value === gone.value ? next : { method, value, next: withoutValue(next, gone) };
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
