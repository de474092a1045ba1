// A program of the user's without a platform around it: from its start to its first answer. What its cold calls are compared
// with in cold-gateway.ts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { EchoFunction } from './echo-project.ts';

const event = '{"queryParameters":{"n":"1"}}';
const giveUpMs = 10_000;
/** As instances have it. */
const path = '/usr/local/bin:/usr/bin:/bin';
/** Its own port, so that what listens there is it. */
let port = 24_500;

/** Milliseconds, one of each start; before each the machine rests. Errors: rejects when it does not answer. */
export async function startsAlone(
  { files }: EchoFunction,
  { count, restMs }: { readonly count: number; readonly restMs: number },
): Promise<number[]> {
  const directory = mkdtempSync(`${tmpdir()}/yunmen-bench-alone-`);
  try {
    for (const [name, content] of Object.entries(files))
      writeFileSync(`${directory}/${name}`, content, { mode: 0o755 });
    const times: number[] = [];
    for (let start = 0; start <= count; start += 1) {
      await delay(restMs);
      times.push(await startOnce(directory));
    }
    return times.slice(1); // the first reads it from the disk
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function startOnce(directory: string): Promise<number> {
  port += 1;
  const began = performance.now();
  const env = { PATH: path, FC_SERVER_PORT: String(port) };
  const child = spawn(`${directory}/bootstrap`, { cwd: directory, env, stdio: ['ignore', 'ignore', 'inherit'] });
  const exited = once(child, 'exit');
  try {
    while (!(await answers())) {
      if (performance.now() - began > giveUpMs) throw new Error('the program alone does not answer');
      await delay(1);
    }
    return performance.now() - began;
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

function answers(): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ host: '127.0.0.1', port, method: 'POST', path: '/invoke', agent: false }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode === 200));
    });
    call.on('error', () => resolve(false)); // it does not listen yet
    call.end(event);
  });
}
