// The Java bootstrap's jar: in a checkout it is built from runtimes/java by the first JDK that is found, when it is missing or
// older than its sources; the published package brings it. What else a waiting process needs is made by any C compiler. Called by who looks for interpreters.
import { execFile } from 'node:child_process';
import { access, readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Interpreter } from './choose-interpreter.ts';
import { defaultRuntimesDirectory } from './runtimes-directory.ts';

const buildTimeoutMs = 120_000;

/** One build at a time: who asks meanwhile waits for the same. */
const building = new Map<string, Promise<string | null>>();

/**
 * What was found, without the Javas when there is no bootstrap for them: `report` is told why.
 * Waits for the build, some seconds once in a checkout.
 */
export async function withJavaBootstrap(
  found: readonly Interpreter[],
  report: (text: string) => void,
  directory?: string,
): Promise<readonly Interpreter[]> {
  const failure = await buildJavaBootstrap(found, report, directory);
  return failure === null ? found : found.filter(({ language }) => language !== 'java');
}

/** The builds of a process that answers who looks for interpreters: begun when some were found, waited for by who needs them. */
export class BuiltBootstraps {
  readonly #report: (text: string) => void;
  #build: Promise<string | null> = Promise.resolve(null);

  constructor(report: (text: string) => void) {
    this.#report = report;
  }

  begin(found: readonly Interpreter[]): void {
    this.#build = buildJavaBootstrap(found, this.#report).catch((error: unknown) => String(error));
  }

  /** Null when they are there; else why not. Never rejects. */
  wait(): Promise<string | null> {
    return this.#build;
  }
}

/** Null when there is a bootstrap for the Javas among `found`, or none of them; else why there is none, which `report` is told, too. */
async function buildJavaBootstrap(
  found: readonly Interpreter[],
  report: (text: string) => void,
  directory = `${defaultRuntimesDirectory()}/java`,
): Promise<string | null> {
  const javas = found.filter(({ language }) => language === 'java');
  if (javas.length === 0) return null;
  const running =
    building.get(directory) ?? buildWhereStale(directory, javas).finally(() => building.delete(directory));
  building.set(directory, running);
  const failure = await running;
  if (failure !== null) {
    report(`Java functions cannot run: ${failure}`);
    return failure;
  }
  const why = await buildSpareWhereStale(directory);
  if (why !== null) report(`Java functions start without a process that waited: ${why}`);
  return null;
}

/** Null when the jar is there; else why not. */
async function buildWhereStale(directory: string, javas: readonly Interpreter[]): Promise<string | null> {
  const built = await timeOf(`${directory}/build/bootstrap.jar`);
  if (built !== null && built >= (await newestSource(directory))) return null;
  for (const { path } of javas) {
    const javac = `${dirname(path)}/javac`;
    if (await exists(javac)) return await build(directory, javac);
  }
  // An older jar than its sources still speaks the protocol of its time; without any there is nothing to start.
  return built === null ? 'their bootstrap must be built once, by a JDK (Debian: default-jdk-headless)' : null;
}

/** Null when the library of waiting processes is there; else why not: the server then goes without. */
async function buildSpareWhereStale(directory: string): Promise<string | null> {
  const built = await timeOf(`${directory}/build/spare.so`);
  if (built !== null && built >= ((await timeOf(`${directory}/native/spare.c`)) ?? 0)) return null;
  const options = { timeout: buildTimeoutMs, killSignal: 'SIGKILL', env: { PATH: '/usr/bin:/bin' } } as const;
  return new Promise((resolve) => {
    execFile(`${directory}/build-spare.sh`, options, (error, stdout, stderr) => {
      resolve(error === null ? null : stdout.trim() || stderr.trim().split('\n')[0] || error.message);
    });
  });
}

function build(directory: string, javac: string): Promise<string | null> {
  const options = { timeout: buildTimeoutMs, killSignal: 'SIGKILL', env: { PATH: '/usr/bin:/bin' } } as const;
  return new Promise((resolve) => {
    execFile(`${directory}/build.sh`, [javac], options, (error, _stdout, stderr) => {
      resolve(error === null ? null : `building their bootstrap failed: ${stderr.trim() || error.message}`);
    });
  });
}

async function newestSource(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true });
  const times = names.filter((name) => name.endsWith('.java')).map((name) => timeOf(`${directory}/${name}`));
  return Math.max(0, ...(await Promise.all(times)).map((time) => time ?? 0));
}

async function timeOf(path: string): Promise<number | null> {
  return await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => null,
  );
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
