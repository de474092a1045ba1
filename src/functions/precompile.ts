// Byte code of the Python bootstrap's modules, made once for each Python that is here: instances may not write any, and
// would compile them at each start. Called by who looks for interpreters. (A compile cache for Node's bootstrap was
// measured too: it gains nothing.)
import { execFile } from 'node:child_process';
import { open, readdir, stat } from 'node:fs/promises';
import type { Interpreter } from './choose-interpreter.ts';
import { defaultRuntimesDirectory } from './runtimes-directory.ts';

const compileTimeoutMs = 30_000;
/** Recorded in byte code: after magic number and flags (4 bytes each) the source's time in seconds and its size. */
const headerBytes = 16;

/**
 * Makes what is missing or older than its source, one Python after the other; gives how many Pythons it was made for.
 * Never rejects: where nothing can be written (another user's package) instances go on compiling.
 */
export async function precompilePython(
  interpreters: readonly Interpreter[],
  directory = `${defaultRuntimesDirectory()}/python/agent`,
): Promise<number> {
  let made = 0;
  for (const { language, version, path } of interpreters) {
    const [major, minor] = version.split('.');
    if (language !== 'python' || major !== '3') continue;
    if (await isCompiled(directory, `cpython-${major}${minor}`)) continue;
    if (await compile(path, directory)) made += 1;
  }
  return made;
}

async function isCompiled(directory: string, tag: string): Promise<boolean> {
  try {
    const names = (await readdir(directory)).filter((name) => name.endsWith('.py'));
    const checks = names.map((name) => {
      const compiled = `${directory}/__pycache__/${name.slice(0, -'.py'.length)}.${tag}.pyc`;
      return isOf(compiled, `${directory}/${name}`);
    });
    return (await Promise.all(checks)).every((isCurrent) => isCurrent);
  } catch {
    return false; // some file is missing
  }
}

async function isOf(compiled: string, source: string): Promise<boolean> {
  const { mtimeMs, size } = await stat(source);
  const file = await open(compiled);
  try {
    const header = Buffer.alloc(headerBytes);
    await file.read(header, 0, headerBytes, 0);
    return header.readUInt32LE(8) === Math.floor(mtimeMs / 1000) >>> 0 && header.readUInt32LE(12) === size;
  } finally {
    await file.close();
  }
}

function compile(python: string, directory: string): Promise<boolean> {
  // -f: compileall by itself looks at the source's second only and keeps what was made earlier in that second.
  const args = ['-s', '-E', '-m', 'compileall', '-f', '-q', '-l', directory];
  const options = { timeout: compileTimeoutMs, killSignal: 'SIGKILL', env: {}, cwd: '/' } as const;
  return new Promise((resolve) => {
    execFile(python, args, options, (error) => resolve(error === null));
  });
}
