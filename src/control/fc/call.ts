// One call of a Function Compute operation, parsed, and what an action answers.
import type { Duplex } from 'node:stream';
import type { FcVersion } from '../catalogue.ts';
import type { ControlDeps } from '../ports.ts';
import type { Received } from '../received.ts';
import type { ZipFile } from './body-work.ts';
import type { ExecSessionOptions } from './exec-session.ts';
import type { FcRecord } from './types.ts';

export type FcCall = {
  readonly deps: ControlDeps;
  readonly version: FcVersion;
  readonly received: Received;
  /** Members of the path, decoded; absent ones are ``. */
  readonly path: Readonly<Record<string, string>>;
  /** From the path's dot suffix or the query; `LATEST` when neither says one. */
  readonly qualifier: string;
  /** The JSON body by its schema, with canonical names; empty for operations without one. */
  readonly body: FcRecord;
  /** The zip that was in the body's `code.zipFile`; null when there was none. */
  readonly zipFile: ZipFile | null;
  /** The body as it came, of operations whose body is no JSON. */
  readonly raw: Buffer;
  /** Signs URLs for downloads of code packages. */
  readonly signCodeUrl: (packageSha256: string) => string;
};

/** `json` is shaped by the catalogue; `bytes` go out as they are. */
export type FcAnswer =
  | {
      readonly kind: 'json';
      readonly value: unknown;
      readonly etag?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'empty' }
  /** Of a WebSocket. */
  | { readonly kind: 'session'; readonly stream: Duplex; readonly options: ExecSessionOptions }
  | { readonly kind: 'bytes'; readonly body: Buffer; readonly headers: Readonly<Record<string, string>> };
