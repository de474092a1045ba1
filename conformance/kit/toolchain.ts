// SDKs of other languages: runs their tools, and keeps what they install under .cache/ until its description changes.
import { type ExecFileException, execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../tests/harness/server.ts';

export type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a program; a missing one gives code 127. `limitMs` ends it. */
export function run(
  program: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly limitMs?: number; readonly cwd?: string } = {},
): Promise<Run> {
  const { env = {}, limitMs = 60_000, cwd = root } = options;
  return new Promise((resolve) => {
    const settings = { cwd, env: { ...process.env, ...env }, timeout: limitMs, maxBuffer: 16 * 1024 * 1024 };
    execFile(program, args, settings, (error: ExecFileException | null, stdout, stderr) => {
      const code = error === null ? 0 : error.code === 'ENOENT' ? 127 : Number(error.code ?? 1) || 1;
      resolve({ code, stdout, stderr: error === null ? stderr : `${stderr}\n${error.message}` });
    });
  });
}

export type Installed = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly why: string };

/**
 * The folder that `install` fills, made once for each `description` (versions, requirements). A half-filled one is never left under its
 * final name.
 *
 * Errors: none; `why` has the end of what the tool said.
 */
export async function installOnce(
  name: string,
  description: string,
  install: (folder: string) => Promise<Run>,
): Promise<Installed> {
  const hash = createHash('sha256').update(description).digest('hex').slice(0, 12);
  const path = join(root, '.cache/conformance', `${name}-${hash}`);
  if (existsSync(join(path, 'complete'))) return { ok: true, path };
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  const { code, stderr, stdout } = await install(path);
  if (code !== 0) {
    rmSync(path, { recursive: true, force: true });
    return { ok: false, why: `${stdout}\n${stderr}`.trim().slice(-1_000) };
  }
  mkdirSync(join(path, 'making'));
  renameSync(join(path, 'making'), join(path, 'complete'));
  return { ok: true, path };
}
