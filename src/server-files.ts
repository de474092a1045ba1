// The two files by which client commands find a server: `server.json` (addresses, pids; while it runs) and
// `credentials.json` (the account's key; kept). Both written whole or not at all.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerCredentials, ServerFile } from './cli/index.ts';

/** ServerFile, and what an operator or a test wants to know of the processes. */
export type ServerFacts = ServerFile & {
  readonly pids: { readonly control: number; readonly data: number; readonly launcher: number };
  /** Where the running server's sockets are. */
  readonly runDir: string;
  /** Each data process with its own launcher; the first is in `pids` and `runDir` too. */
  readonly dataProcesses: readonly { readonly data: number; readonly launcher: number; readonly runDir: string }[];
};

export function credentialsPath(dataDir: string): string {
  return join(dataDir, 'credentials.json');
}

export function writeCredentials(dataDir: string, credentials: ServerCredentials): void {
  writeWhole(credentialsPath(dataDir), credentials);
}

export function writeServerFile(dataDir: string, facts: ServerFacts): void {
  writeWhole(join(dataDir, 'server.json'), facts);
}

/** The run directories of the server that wrote server.json last; none when it ended in order. */
export function runDirectoriesOf(dataDir: string): readonly string[] {
  try {
    const { dataProcesses } = JSON.parse(readFileSync(join(dataDir, 'server.json'), 'utf8')) as Partial<ServerFacts>;
    return (dataProcesses ?? []).map(({ runDir }) => String(runDir));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

export function removeServerFile(dataDir: string): void {
  rmSync(join(dataDir, 'server.json'), { force: true });
}

/** Mode 0600: one of the two holds a secret, and neither is anyone else's business. */
function writeWhole(path: string, value: object): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}
