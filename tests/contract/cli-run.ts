// Runs the command line in this process with everything it needs from outside replaced. For the cli contract tests.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CliDeps, runCli } from '../../src/cli/index.ts';
import { FakeServer, fakeKey } from './cli-fake-server.ts';

export type Ran = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

/** A fake server and a folder whose `.yunmen` names it. */
export type Place = {
  readonly fake: FakeServer;
  readonly folder: string;
  readonly dataDir: string;
  run(argv: readonly string[], more?: Partial<CliDeps>): Promise<Ran>;
};

export async function withPlace(use: (place: Place) => Promise<void>): Promise<void> {
  const fake = await FakeServer.open();
  const folder = await mkdtemp(join(tmpdir(), 'yunmen-cli-'));
  const dataDir = join(folder, '.yunmen');
  try {
    await mkdir(dataDir);
    const server = { pid: process.pid, gateway: fake.url, gatewayTls: null, http: fake.url, api: fake.url };
    await writeFile(join(dataDir, 'server.json'), JSON.stringify(server));
    await writeFile(join(dataDir, 'credentials.json'), JSON.stringify({ accountId: '1', ...fakeKey }));
    await use({ fake, folder, dataDir, run: (argv, more = {}) => runIn(folder, argv, more) });
  } finally {
    await fake.close();
    await rm(folder, { recursive: true });
  }
}

export async function runIn(folder: string, argv: readonly string[], more: Partial<CliDeps> = {}): Promise<Ran> {
  const written: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const sink = (name: 'stdout' | 'stderr') => ({
    write: (chunk: string | Uint8Array) => written[name].push(Buffer.from(chunk)),
  });
  const exitCode = await runCli(argv, {
    startServer: () => Promise.reject(new Error('no server here')),
    discoverPython: () => Promise.resolve(true),
    version: '0.0.0',
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: {},
    cwd: folder,
    ...more,
  });
  return {
    exitCode,
    stdout: Buffer.concat(written.stdout).toString(),
    stderr: Buffer.concat(written.stderr).toString(),
  };
}
