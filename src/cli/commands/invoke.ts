// `yunmen invoke`: runs a function alone and prints what it returned.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { formatName, type InvocationAnswer, invokeFunction } from '../client/functions.ts';
import { findApiTarget, type TargetFlags } from '../client/local-server.ts';
import { failed, messageOf, wrongUsage } from '../errors.ts';
import { printable } from '../output.ts';
import type { CliDeps } from '../server-port.ts';
import { parseName } from './function.ts';
import { readStdin } from './stdin.ts';

export type InvokeFlags = TargetFlags & {
  readonly json?: boolean;
  readonly service?: string;
  readonly event?: string;
  readonly eventFile?: string;
  readonly log?: boolean;
  readonly qualifier?: string;
};

/** Exit 0 when the function returned, 1 when it failed. The result goes to stdout as it is, the log to stderr. */
export async function invoke(
  nameText: string,
  source: string | undefined,
  flags: InvokeFlags,
  deps: CliDeps,
): Promise<number> {
  const name = parseName(nameText, flags.service);
  const event = await readEvent(source, flags, deps);
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const wantsLog = flags.log === true || flags.json === true;
  const qualifier = flags.qualifier === undefined ? {} : { qualifier: flags.qualifier };
  const answer = await invokeFunction(target, name, event, { ...qualifier, wantsLog });
  if (flags.json === true) {
    deps.stdout.write(`${JSON.stringify(jsonOf(answer))}\n`);
    return answer.errorType === null ? 0 : 1;
  }
  if (flags.log === true) {
    if (answer.log !== null) deps.stderr.write(ended(printable(answer.log)));
    const coldStart = coldStartOf(answer) ?? {};
    const parts = Object.entries(coldStart).map(([name, ms]) => `${name} ${ms}`);
    const how = 'code' in coldStart ? 'Cold start with a waiting process' : 'Cold start';
    if (parts.length > 0) deps.stderr.write(`${how}, ms: ${parts.join(', ')}\n`);
  }
  deps.stdout.write(answer.body);
  if (answer.body.length > 0 && answer.body.at(-1) !== 0x0a) deps.stdout.write('\n');
  if (answer.errorType === null) return 0;
  const hint = flags.log === true ? '' : '; --log shows its output';
  deps.stderr.write(`${formatName(name)} failed: ${answer.errorType} (request ${answer.requestId ?? '?'})${hint}\n`);
  return 1;
}

async function readEvent(source: string | undefined, flags: InvokeFlags, deps: CliDeps): Promise<Buffer> {
  const given = [source, flags.event, flags.eventFile].filter((each) => each !== undefined);
  if (given.length > 1) throw wrongUsage('give the event once: --event, --event-file or -');
  if (source !== undefined && source !== '-')
    throw wrongUsage(`the event goes after --event; only - (standard input) stands alone, not '${source}'`);
  if (source === '-' || flags.eventFile === '-') return await readStdin(deps);
  if (flags.eventFile === undefined) return Buffer.from(flags.event ?? '');
  try {
    return await readFile(resolve(deps.cwd, flags.eventFile));
  } catch (error) {
    throw failed(`${flags.eventFile} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function jsonOf(answer: InvocationAnswer) {
  const text = answer.body.toString('utf8');
  const isText = Buffer.from(text).equals(answer.body);
  return {
    requestId: answer.requestId,
    errorType: answer.errorType,
    body: isText ? text : answer.body.toString('base64'),
    isBase64Encoded: !isText,
    durationMs: answer.durationMs === null ? null : Number(answer.durationMs),
    maxMemoryMb: answer.maxMemoryMb === null ? null : Number(answer.maxMemoryMb),
    coldStart: coldStartOf(answer),
    log: answer.log,
  };
}

/** `{wait: 0.1, start: 21, …}` in milliseconds; null for a warm call. */
function coldStartOf({ coldStart }: InvocationAnswer): Readonly<Record<string, number>> | null {
  if (coldStart === null) return null;
  const parts = coldStart.matchAll(/(\w+);dur=([\d.]+)/g);
  return Object.fromEntries([...parts].map(([, name = '', ms]) => [name, Number(ms)]));
}

function ended(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
