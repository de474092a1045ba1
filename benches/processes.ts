// The processes of a bench: the yardstick, the load generator, a Yunmen server. Each is ended by its owner, by id.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LoadJob, LoadResult } from './load-job.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const readyTimeoutMs = 60_000;

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

function endedEarly(name: string, child: ChildProcess): Promise<never> {
  return new Promise((_resolve, reject) => {
    child.once('exit', (code, signal) => reject(new Error(`the ${name} ended (${code ?? signal})`)));
    child.once('error', reject);
  });
}

export type HelloServer = { readonly pid: number; readonly origin: string; close(): Promise<void> };

export async function startHello(): Promise<HelloServer> {
  const child = fork(`${root}benches/hello-server.ts`);
  const [message] = (await Promise.race([once(child, 'message'), endedEarly('hello server', child)])) as [
    { port: number },
  ];
  return { pid: child.pid ?? 0, origin: `http://127.0.0.1:${message.port}`, close: () => end(child, 'SIGTERM') };
}

export type LoadGenerator = { run(job: LoadJob): Promise<LoadResult>; close(): Promise<void> };

export function startLoadGenerator(): LoadGenerator {
  const child = fork(`${root}benches/load-generator.ts`);
  const gone = endedEarly('load generator', child);
  gone.catch(() => {}); // heard by run(); at close() nobody waits for it
  return {
    async run(job) {
      const answer = once(child, 'message');
      child.send(job);
      const [result] = (await Promise.race([answer, gone])) as [LoadResult];
      return result;
    },
    close: () => end(child, 'SIGTERM'),
  };
}

export type Credentials = {
  readonly accountId: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
};

export type Yunmen = {
  readonly gateway: string;
  readonly api: string;
  readonly region: string;
  readonly isolation: string;
  readonly credentials: Credentials;
  readonly pids: { readonly control: number; readonly data: number; readonly launcher: number };
  /** From the start of the launcher script to the ready line, milliseconds. */
  readonly readyMs: number;
  close(): Promise<void>;
};

export type StartOptions = {
  /** `yunmen dev` serves this folder; who hears the events it prints after the ready line. */
  readonly project?: { readonly folder: string; onEvent(event: Readonly<Record<string, unknown>>): void };
  /** One that is there, and stays; else a new one, which goes with close(). */
  readonly dataDir?: string;
  /** Lines of its log that are left out: what the bench provokes. */
  readonly expects?: RegExp;
};

/** Starts `bin/yunmen start`, or `dev` with a project, on free ports. `flags`: further ones. */
export async function startYunmen(
  flags: readonly string[] = [],
  { project, dataDir: kept, expects }: StartOptions = {},
): Promise<Yunmen> {
  const dataDir = kept ?? mkdtempSync(`${tmpdir()}/yunmen-bench-`);
  const ports = ['--gateway-port', '0', '--http-port', '0', '--api-port', '0'];
  const command = project === undefined ? ['start'] : ['dev', project.folder];
  const began = performance.now();
  const child = spawn(
    `${root}bin/yunmen`,
    [...command, '--json', '--runtime-fallback', '--data-dir', dataDir, ...ports, ...flags],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (expects?.test(line) !== true) console.error(line);
  });
  const close = async () => {
    await end(child, 'SIGTERM');
    if (kept === undefined) rmSync(dataDir, { recursive: true, force: true });
  };
  const timeout = setTimeout(() => child.kill('SIGKILL'), readyTimeoutMs);
  try {
    const lines = createInterface({ input: child.stdout });
    const [line] = (await Promise.race([once(lines, 'line'), endedEarly('server', child)])) as [string];
    const readyMs = performance.now() - began;
    if (project !== undefined) lines.on('line', (text) => project.onEvent(JSON.parse(text) as Record<string, unknown>));
    const ready = JSON.parse(line) as Omit<Yunmen, 'credentials' | 'pids'> & { event: string; credentialsFile: string };
    if (ready.event !== 'ready') throw new Error(`the server's first line is not the ready line: ${line}`);
    const facts = JSON.parse(readFileSync(`${dataDir}/server.json`, 'utf8')) as Pick<Yunmen, 'pids'>;
    const credentials = JSON.parse(readFileSync(ready.credentialsFile, 'utf8')) as Credentials;
    const { gateway, api, region, isolation } = ready;
    return { gateway, api, region, isolation, credentials, pids: facts.pids, readyMs, close };
  } catch (error) {
    await close();
    throw error;
  } finally {
    clearTimeout(timeout);
  }
}
