// `yunmen logs`: the requests to the gateway and to functions' URLs and what functions print, newest last; `--follow` goes on with what comes.
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
/** How long after its request a record, and after it was printed a line, may take to the log; ms. Those seen in this time are remembered. */
const lateMs = { records: 5_000, lines: 1_000 } as const;

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

/** A request, or a line that a function printed. */
type Entry = {
  readonly kind: 'records' | 'lines';
  readonly at: number;
  readonly id: string;
  readonly members: JsonRecord;
};

type Query = Readonly<Record<string, string>>;

const calls = {
  records: { path: '/yunmen/requests', action: 'ListRequests' },
  lines: { path: '/yunmen/output', action: 'ListOutput' },
} as const;

/** Oldest first. */
async function ask(target: ApiTarget, kind: Entry['kind'], query: Query): Promise<Entry[]> {
  const answer = readAnswer(await callRoa(target, { method: 'GET', ...calls[kind], version: 'yunmen', query }))[kind];
  const found = Array.isArray(answer) ? answer.filter(isRecord).reverse() : [];
  /** Lines have no id: those that are the same in the same millisecond are told apart by their order. */
  const same = new Map<string, number>();
  return found.map((members) => {
    const at = readNumber(members, 'at') ?? 0;
    const text = kind === 'records' ? (readText(members, 'requestId') ?? '') : JSON.stringify(members);
    const before = same.get(text) ?? 0;
    same.set(text, before + 1);
    return { kind, at, id: `${before} ${text}`, members };
  });
}

/** What functions print is of no API, app or status. */
function kindsOf(flags: LogsFlags): readonly Entry['kind'][] {
  const isOfRequests = flags.api !== undefined || flags.app !== undefined || flags.status !== undefined;
  return isOfRequests ? ['records'] : ['records', 'lines'];
}

/** In order of time. */
async function askAll(target: ApiTarget, queries: readonly (readonly [Entry['kind'], Query])[]): Promise<Entry[]> {
  const found = await Promise.all(queries.map(([kind, query]) => ask(target, kind, query)));
  return found.flat().sort((left, right) => left.at - right.at);
}

/** One request, and what was printed in it. Exit 1 when nothing is known of it (any more). */
export async function logOfRequest(requestId: string, flags: LogsFlags, deps: CliDeps): Promise<number> {
  checkRequestId(requestId);
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const printer = createPrinter(deps, flags.json === true);
  const lines = await ask(target, 'lines', { request: requestId, limit: String(pageLimit) });
  try {
    const record = await fetchRequest(target, requestId);
    show(readRecord(record, 'record'), printer);
  } catch (error) {
    // An invocation by the API is in no log of requests.
    if (lines.length === 0) throw error;
  }
  for (const { members } of lines) showLine(members, printer);
  return 0;
}

export async function logs(flags: LogsFlags, deps: CliDeps): Promise<number> {
  const now = systemClock.now();
  const query = queryOf(flags, now);
  const kinds = kindsOf(flags);
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const printer = createPrinter(deps, flags.json === true);
  const found = await askAll(
    target,
    kinds.map((kind) => [kind, query]),
  );
  const first = found.slice(-Number(query['limit']));
  for (const entry of first) showEntry(entry, printer);
  if (flags.follow !== true) return 0;
  return follow(target, { ...query, limit: String(pageLimit) }, { kinds, printer, seen: first, now });
}

type Following = {
  readonly kinds: readonly Entry['kind'][];
  readonly printer: Printer;
  readonly seen: readonly Entry[];
  readonly now: number;
};

/** Until the process is ended. Errors: exit 3 when the server is gone. */
async function follow(
  target: ApiTarget,
  query: Query,
  { kinds, printer, seen: first, now }: Following,
): Promise<never> {
  const seen = new Map<string, number>();
  const newest = { records: now, lines: now };
  const isNew = ({ kind, id, at }: Entry): boolean => {
    if (seen.has(id)) return false;
    seen.set(id, at);
    newest[kind] = Math.max(newest[kind], at);
    return true;
  };
  for (const entry of first) isNew(entry);
  for (;;) {
    await wait(pollMs);
    const found = await askAll(
      target,
      kinds.map((kind) => {
        const since = Math.max(newest[kind] - lateMs[kind], Number(query['since'] ?? 0));
        return [kind, { ...query, since: String(since) }];
      }),
    );
    for (const entry of found) if (isNew(entry) && entry.at >= now - lateMs[entry.kind]) showEntry(entry, printer);
    if (found.filter(({ kind }) => kind === 'lines').length >= pageLimit) {
      printer.note(`more than ${pageLimit} lines are printed in a second or two: some are not shown`);
    }
    const oldest = Math.min(newest.records, newest.lines) - 2 * lateMs.records;
    for (const [id, at] of seen) if (at < oldest) seen.delete(id);
  }
}

function showEntry({ kind, members }: Entry, printer: Printer): void {
  if (kind === 'records') show(members, printer);
  else showLine(members, printer);
}

function timeText(at: number): string {
  return new Date(at).toISOString().slice(0, 23).replace('T', ' ');
}

/** What a function printed. */
function showLine(line: JsonRecord, printer: Printer): void {
  printer.json(line);
  const parts = [
    timeText(readNumber(line, 'at') ?? 0),
    'print',
    readText(line, 'functionName') ?? '?',
    readText(line, 'requestId') ?? '-',
    readText(line, 'text') ?? '',
  ];
  printer.line(printable(parts.join('  ')));
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
    timeText(at),
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
