// Reads a YAML (or JSON) file member by member and keeps, for every problem, the line it is on. Used by template.ts.
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';

/** `line` counts from 1. */
export type Problem = { readonly file: string; readonly line: number; readonly message: string };

type Path = readonly (string | number)[];

/** `template.yml:12: Runtime is missing`. */
export function formatProblem(problem: Problem): string {
  return `${problem.file}:${problem.line}: ${problem.message}`;
}

/**
 * A value of the file with its place. Reading a member of the wrong type records an error and gives the fallback,
 * so that one run reports everything; what nobody read is reported by `warnUnread`.
 */
export class YamlReader {
  readonly value: unknown;
  readonly #file: YamlFile;
  readonly #path: Path;
  readonly #read = new Set<string>();

  constructor(file: YamlFile, path: Path, value: unknown) {
    this.#file = file;
    this.#path = path;
    this.value = value;
  }

  /** Names of the members; none when it is no map. */
  get names(): readonly string[] {
    return isPlainMap(this.value) ? Object.keys(this.value) : [];
  }

  has(name: string): boolean {
    return this.#find(name) !== null;
  }

  /** The member as a reader; its value is undefined when absent. Letter case of the name does not matter. */
  at(name: string): YamlReader {
    const found = this.#find(name) ?? name;
    this.#read.add(found);
    return new YamlReader(this.#file, [...this.#path, found], isPlainMap(this.value) ? this.value[found] : undefined);
  }

  /** Elements of a list; an absent one is empty. Records an error for anything else. */
  list(name: string): readonly YamlReader[] {
    const member = this.at(name);
    if (member.value === undefined || member.value === null) return [];
    if (!Array.isArray(member.value)) {
      member.error(`${name} must be a list`);
      return [];
    }
    return member.value.map((value, i) => new YamlReader(this.#file, [...member.#path, i], value));
  }

  /** Text; numbers and booleans are taken as written. null when absent. */
  text(name: string): string | null {
    const { value } = this.at(name);
    if (value === undefined || value === null) return null;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
    this.at(name).error(`${name} must be text`);
    return null;
  }

  /** Text that has to be there. */
  requiredText(name: string): string {
    const text = this.text(name);
    if (text === null || text === '') this.error(`${name} is missing`);
    return text ?? '';
  }

  /** A whole number in a range, both ends included. null when absent. */
  integer(name: string, least: number, most: number): number | null {
    const text = this.text(name);
    if (text === null) return null;
    const number = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    this.at(name).error(`${name} must be a whole number from ${least} to ${most}, not ${text}`);
    return null;
  }

  /** `true` or `false`, also as text. null when absent. */
  boolean(name: string): boolean | null {
    const text = this.text(name)?.toLowerCase() ?? null;
    if (text === null) return null;
    if (text === 'true') return true;
    if (text === 'false') return false;
    this.at(name).error(`${name} must be true or false`);
    return null;
  }

  /** Records an error unless the value is a map; says which. */
  isMap(): boolean {
    return isPlainMap(this.value);
  }

  error(message: string): void {
    this.#file.errors.push(this.#problem(this.#path, message));
  }

  warn(message: string): void {
    this.#file.warnings.push(this.#problem(this.#path, message));
  }

  /** Warns of each member that nobody read. `owner` names the thing in the message; `silent` members are no news. */
  warnUnread(owner: string, silent: ReadonlySet<string> = new Set()): void {
    for (const name of this.names) {
      if (this.#read.has(name) || silent.has(name)) continue;
      const problem = this.#problem([...this.#path, name], `${name} of ${owner} is not known here and has no effect`);
      this.#file.warnings.push(problem);
    }
  }

  #find(name: string): string | null {
    if (!isPlainMap(this.value)) return null;
    if (Object.hasOwn(this.value, name)) return name;
    const lower = name.toLowerCase();
    return this.names.find((candidate) => candidate.toLowerCase() === lower) ?? null;
  }

  #problem(path: Path, message: string): Problem {
    return { file: this.#file.name, line: this.#file.lineOf(path), message };
  }
}

/** One parsed file and what was found wrong in it. */
export class YamlFile {
  readonly name: string;
  readonly errors: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();

  constructor(name: string, text: string) {
    this.name = name;
    this.#document = parseDocument(text, { lineCounter: this.#lines, merge: true, prettyErrors: false });
    for (const error of this.#document.errors) {
      this.errors.push({ file: name, line: this.#lineAt(error.pos[0]), message: error.message });
    }
    for (const warning of this.#document.warnings) {
      this.warnings.push({ file: name, line: this.#lineAt(warning.pos[0]), message: warning.message });
    }
  }

  /** The whole content. Empty when the text is no YAML (then `errors` says why). */
  root(): YamlReader {
    if (this.errors.length > 0) return new YamlReader(this, [], {});
    try {
      return new YamlReader(this, [], this.#document.toJS({ maxAliasCount: 100 }));
    } catch (error) {
      this.errors.push({ file: this.name, line: 1, message: error instanceof Error ? error.message : String(error) });
      return new YamlReader(this, [], {});
    }
  }

  /** The line of the key (or list element) at a path; of its nearest ancestor when it is not written out. */
  lineOf(path: Path): number {
    let node: unknown = this.#document.contents;
    let offset = 0;
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(this.#document);
      const next = isMap(node)
        ? node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(step))
        : isCollection(node) && typeof step === 'number'
          ? node.items[step]
          : undefined;
      if (next === undefined) break;
      const named = isPair(next) ? next.key : next;
      offset = offsetOf(named) ?? offset;
      node = isPair(next) ? next.value : next;
    }
    return this.#lineAt(offset);
  }

  #lineAt(offset: number): number {
    return Math.max(1, this.#lines.linePos(offset).line);
  }
}

function offsetOf(node: unknown): number | null {
  return isNodeWithRange(node) ? (node.range?.[0] ?? null) : null;
}

function isNodeWithRange(node: unknown): node is Node {
  return typeof node === 'object' && node !== null && 'range' in node;
}

function isPlainMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
