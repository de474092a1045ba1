// `yunmen logs`: the requests to the gateway and to functions' URLs, newest last; `--follow` goes on with those that come.
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../base/clock.ts';
import { isRecord, type JsonRecord, readNumber, readRecord, readText } from '../client/json.ts';
import { findApiTarget, type TargetFlags } from '../client/local-server.ts';
import { type ApiTarget, callRoa, readAnswer } from '../client/openapi.ts';
import { checkRequestId, coldStartText, fetchRequest } from '../client/requests.ts';
import { wrongUsage } from '../errors.ts';
import { createPrinter, type Printer, printable } from '../output.ts';
import type { CliDeps } from '../server-port.ts';

export type LogsFlags = TargetFlags & {
  readonly json?: boolean;
  readonly api?: string;
  readonly function?: string;
  readonly app?: string;
  readonly status?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: string;
  readonly follow?: boolean;
};

/** How often `--follow` asks, in ms. */
const pollMs = 1_000;
/** Records that one answer may hold. */
const pageLimit = 1_000;
/** How long a record may take to the log after its request; ms. Those seen in this time are remembered. */
const lateMs = 5_000;

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `10m`, `2h`, `1d` before now, or a time like 2026-11-22T20:00:00Z. Epoch ms. Errors: wrong usage. */
export function parseSince(text: string, now: number, flag = '--since'): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && (unit === 's' || unit === 'm' || unit === 'h' || unit === 'd')) {
    return Math.max(0, now - Number(count) * units[unit]);
  }
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw wrongUsage(`${flag} takes 90s, 10m, 2h, 1d or a time, not '${text.slice(0, 80)}'`);
  return at;
}

/** `404` or `4xx`: as the server wants it. Errors: wrong usage. */
export function parseStatus(text: string): string {
  const [, whole, first] = /^(?:([1-5]\d\d)|([1-5])xx)$/i.exec(text) ?? [];
  const digits = whole ?? first ?? '';
  if (digits === '')
    throw wrongUsage(`--status takes a status such as 404 or a class such as 5xx, not '${text.slice(0, 80)}'`);
  return digits;
}

function parseNumber(flag: string, text: string, most: number): string {
  if (/^\d{1,15}$/.test(text) && Number(text) <= most) return text;
  throw wrongUsage(`${flag} takes a whole number up to ${most}, not '${text.slice(0, 80)}'`);
}

function queryOf(flags: LogsFlags, now: number): Record<string, string> {
  return {
    ...(flags.api === undefined ? {} : { api: flags.api }),
    ...(flags.function === undefined ? {} : { function: flags.function }),
    ...(flags.app === undefined ? {} : { app: parseNumber('--app', flags.app, Number.MAX_SAFE_INTEGER) }),
    ...(flags.status === undefined ? {} : { status: parseStatus(flags.status) }),
    ...(flags.since === undefined ? {} : { since: String(parseSince(flags.since, now)) }),
    ...(flags.until === undefined ? {} : { until: String(parseSince(flags.until, now, '--until')) }),
    limit: parseNumber('--limit', flags.limit ?? '100', pageLimit),
  };
}

/** Oldest first. */
async function ask(target: ApiTarget, query: Readonly<Record<string, string>>): Promise<JsonRecord[]> {
  const call = { method: 'GET', path: '/yunmen/requests', action: 'ListRequests', version: 'yunmen', query } as const;
  const { records } = readAnswer(await callRoa(target, call));
  return Array.isArray(records) ? records.filter(isRecord).reverse() : [];
}

/** One request. Exit 1 when nothing is known of it (any more). */
export async function logOfRequest(requestId: string, flags: LogsFlags, deps: CliDeps): Promise<number> {
  checkRequestId(requestId);
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const record = await fetchRequest(target, requestId);
  show(readRecord(record, 'record'), createPrinter(deps, flags.json === true));
  return 0;
}

export async function logs(flags: LogsFlags, deps: CliDeps): Promise<number> {
  const now = systemClock.now();
  const query = queryOf(flags, now);
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const printer = createPrinter(deps, flags.json === true);
  const first = await ask(target, query);
  for (const record of first) show(record, printer);
  if (flags.follow !== true) return 0;
  return follow(target, { ...query, limit: String(pageLimit) }, { printer, seen: first, now });
}

/** Until the process is ended. Errors: exit 3 when the server is gone. */
async function follow(
  target: ApiTarget,
  query: Readonly<Record<string, string>>,
  { printer, seen: first, now }: { printer: Printer; seen: readonly JsonRecord[]; now: number },
): Promise<never> {
  const seen = new Map<string, number>();
  let newest = now;
  const note = (record: JsonRecord): boolean => {
    const id = readText(record, 'requestId') ?? '';
    const at = readNumber(record, 'at') ?? 0;
    if (seen.has(id)) return false;
    seen.set(id, at);
    newest = Math.max(newest, at);
    return true;
  };
  for (const record of first) note(record);
  for (;;) {
    await wait(pollMs);
    const since = newest - lateMs;
    for (const record of await ask(target, { ...query, since: String(Math.max(since, Number(query['since'] ?? 0))) })) {
      if (note(record) && (readNumber(record, 'at') ?? 0) >= now - lateMs) show(record, printer);
    }
    for (const [id, at] of seen) if (at < newest - 2 * lateMs) seen.delete(id);
  }
}

function show(record: JsonRecord, printer: Printer): void {
  printer.json(record);
  if (printer.isJson) return;
  const failure = isRecord(record['failure']) ? readRecord(record, 'failure') : null;
  const at = readNumber(record, 'at') ?? 0;
  const total = Math.round((readNumber(record, 'totalMs') ?? 0) * 10) / 10;
  const backend = readNumber(record, 'backendMs');
  const coldStart = coldStartText(record);
  const parts = [
    new Date(at).toISOString().slice(0, 23).replace('T', ' '),
    String(readNumber(record, 'status') ?? '?'),
    readText(record, 'method') ?? '?',
    `${readText(record, 'host') ?? ''}${readText(record, 'path') ?? '?'}`,
    `${total} ms${backend === null ? '' : ` (backend ${Math.round(backend * 10) / 10})`}`,
    readText(record, 'apiName') ?? readText(record, 'functionName') ?? '-',
    readText(record, 'stage') ?? readText(record, 'qualifier') ?? '-',
    readText(record, 'appName') ?? '-',
    readText(record, 'clientIp') ?? '-',
    readText(record, 'requestId') ?? '',
    ...(coldStart === null ? [] : [`cold start: ${coldStart}`]),
    ...(failure === null ? [] : [`${readText(failure, 'code') ?? ''}: ${readText(failure, 'message') ?? ''}`]),
  ];
  printer.line(printable(parts.join('  ')));
}
