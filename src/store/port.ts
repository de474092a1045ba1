// What the store promises. Types only: neighbours import this file (as types) and nothing else of the room.
import type { Change, ChangeBatch, PublishedKind, PublishedValues } from '../model/published.ts';
import type { Tables } from './rows.ts';

/**
 * A page of a listing, ascending by key. `startKey` is inclusive; `limit` is a count. `prefix` is a beginning of the key
 * (of `appId/…` the whole number with its slash). `where` keeps only rows whose index column has that value.
 */
export type Page<Index extends string = never> = {
  readonly prefix?: string;
  readonly startKey?: string;
  readonly limit: number;
  readonly where?: { readonly index: Index; readonly value: string | number };
  /** The largest key first, from `startKey` downwards. */
  readonly isDescending?: boolean;
};

/** One table of documents, as a reading transaction sees it. Keys have the shape that rows.ts tells beside each row. */
export type ReadCollection<Row, Index extends string> = {
  get(key: string): Promise<Row | null>;
  list(page: Page<Index>): Promise<Row[]>;
  /** Rows whose index column equals `value`, ascending by key; at most `limit`. */
  find(index: Index, value: string | number, limit: number): Promise<Row[]>;
  count(index: Index, value: string | number): Promise<number>;
};

/**
 * One table of documents, as a writing transaction sees it.
 *
 * Errors: insert and update throw DuplicateRowError when a key or unique index is taken; the transaction can go on.
 */
export type Collection<Row, Index extends string> = ReadCollection<Row, Index> & {
  insert(row: Row): Promise<void>;
  /** Replaces the row of the same key; false when there is none. */
  update(row: Row): Promise<boolean>;
  delete(key: string): Promise<boolean>;
};

/** What a taken key or unique index throws; told apart by `code`, since rooms share no classes. */
export type DuplicateRowError = Error & {
  readonly code: 'DuplicateRow';
  readonly table: string;
  readonly key: string;
};

export type Collections = {
  readonly [T in keyof Tables]: Collection<Tables[T]['row'], Tables[T]['index']>;
};
export type ReadCollections = {
  readonly [T in keyof Tables]: ReadCollection<Tables[T]['row'], Tables[T]['index']>;
};

/**
 * What `read` and `write` hand out; there is no other way to the rows.
 * Inside a transaction await nothing but its own methods (on SQLite everyone else waits); each must be awaited before it ends.
 */
export type ReadTransaction = { readonly rows: ReadCollections };
export type WriteTransaction = {
  readonly rows: Collections;
  /** Makes a fact visible to the data processes when the transaction commits; a null value withdraws it. */
  publish<K extends PublishedKind>(kind: K, key: string, value: PublishedValues[K] | null): Promise<void>;
};

/** A code package, written whole or not at all. Sizes in bytes. */
export type CodePackage = {
  /** Lower-case hex; the name of the package in the store. */
  readonly sha256: string;
  /** CRC-64/XZ of the zip, unsigned decimal. */
  readonly checksum: string;
  readonly sizeBytes: number;
};

/** Why a zip was refused; `message` names the entry. */
export type PackageRefusal = {
  readonly ok: false;
  readonly reason: 'not-a-zip' | 'unsafe-entry' | 'too-large';
  readonly message: string;
};

export type PackageStore = {
  /** Absolute path. A package lies unpacked in `<directory>/<sha256>`: files 0444 or 0555, directories 0755. */
  readonly directory: string;
  /** Checks, stores and unpacks a zip; durable when it resolves. The same bytes again are no new package. */
  add(zip: Buffer): Promise<({ readonly ok: true } & CodePackage) | PackageRefusal>;
  /** The bytes as uploaded; null when unknown. */
  read(sha256: string): Promise<Buffer | null>;
  /**
   * Makes one directory of some packages, each over those before it, named by mergedName(); durable when it resolves.
   * Made once however often it is asked for.
   */
  merge(sha256s: readonly string[]): Promise<{ readonly ok: true } | PackageRefusal>;
  /** Removes packages (and directories made of several) that no row names; keeps those named in `inUse` and those added less than `graceMs` ago. */
  sweep(inUse: ReadonlySet<string>, graceMs: number): Promise<number>;
};

/** Why an object was not taken. */
export type UploadRefusal = { readonly ok: false; readonly reason: 'too-large' | 'wrong-digest' | 'no-room' };

/** Objects that were uploaded to become code: few, bounded, and forgotten after a while. */
export type UploadStore = {
  /**
   * Writes an object whole or not at all, over one of the same name; durable when it resolves. `md5` is the digest that the
   * content must have (base64), null for any; `limitBytes` bounds it. Errors: whatever `content` throws.
   */
  put(
    name: string,
    content: AsyncIterable<Uint8Array>,
    rules: { readonly md5: string | null; readonly limitBytes: number },
  ): Promise<{ readonly ok: true; readonly md5: string; readonly sizeBytes: number } | UploadRefusal>;
  /** The object; null when it was never put or is too old. */
  read(name: string): Promise<Buffer | null>;
  /** Removes what is too old; gives how many. */
  sweep(): Promise<number>;
};

/**
 * A part of the feed, in order of version. Changes of one version are never on two pages (a version of more than `limit` changes is one longer page).
 * Only the newest value of a key is kept, at its newest version, so a state between two pages may never have existed:
 * a follower that has to be exact applies pages to a copy and shows it after the one with `isLast`.
 */
export type ChangePage = ChangeBatch & { readonly isLast: boolean };

export type Store = {
  read<T>(work: (tx: ReadTransaction) => Promise<T>): Promise<T>;
  /** Durable when it resolves. `version` is the published state that includes this write. Throwing rolls everything back. */
  write<T>(work: (tx: WriteTransaction) => Promise<T>): Promise<{ readonly result: T; readonly version: number }>;
  /** Everything published after `version`, about `limit` changes at a time, and the version reached; 0 asks for the whole state. */
  changesSince(version: number, limit: number): Promise<ChangePage>;
  /** Called after each commit that published something. Returns its own undo. */
  onPublished(listener: (batch: ChangeBatch) => void): () => void;
  readonly packages: PackageStore;
  readonly uploads: UploadStore;
  /** 32 bytes for one purpose, the same as long as the secret key is; nothing of the key or of another purpose's follows from them. */
  deriveKey(purpose: string): Buffer;
  close(): Promise<void>;
};

export type { Change, ChangeBatch };
