// `yunmen why <request-id>`: why the gateway, or a function's URL, answered a request as it did.
import { type JsonRecord, readNumber, readRecord, readText } from '../client/json.ts';
import { findApiTarget, type TargetFlags } from '../client/local-server.ts';
import { checkRequestId, coldStartText, fetchRequest } from '../client/requests.ts';
import { columns, createPrinter, type Printer, printable } from '../output.ts';
import type { CliDeps } from '../server-port.ts';

export type WhyFlags = TargetFlags & { readonly json?: boolean };

/** What --json prints. */
export type Explanation = {
  readonly requestId: string;
  readonly code: string | null;
  readonly side: string | null;
  readonly field: string | null;
  readonly expected: string | null;
  readonly got: string | null;
  readonly message: string;
};

/** Exit 0 when the request is known, 1 when it is not (any more). */
export async function why(requestId: string, flags: WhyFlags, deps: CliDeps): Promise<number> {
  checkRequestId(requestId);
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const members = await fetchRequest(target, requestId);
  const record = readRecord(members, 'record');
  const failure = readText(members, 'code') === null ? null : members;
  const explanation = explain(requestId, record, failure);
  const printer = createPrinter(deps, flags.json === true);
  printer.json(explanation);
  if (!printer.isJson) describe(explanation, record, failure, printer);
  return 0;
}

function explain(requestId: string, record: JsonRecord, failure: JsonRecord | null): Explanation {
  if (failure === null) {
    const message = `nothing went wrong: ${requestLine(record)}`;
    return { requestId, code: null, side: null, field: null, expected: null, got: null, message };
  }
  return {
    requestId,
    code: readText(failure, 'code'),
    side: readText(failure, 'side'),
    field: readText(failure, 'field'),
    expected: readText(failure, 'expected'),
    got: readText(failure, 'got'),
    message: readText(failure, 'message') ?? '',
  };
}

function describe(explanation: Explanation, record: JsonRecord, failure: JsonRecord | null, printer: Printer): void {
  printer.line(printable(explanation.message));
  const coldStart = coldStartText(record);
  if (failure === null) {
    if (coldStart !== null) printer.line(`its function's start: ${coldStart}`);
    return;
  }
  printer.line();
  const rows: (readonly [string, string | null])[] = [
    ['request', requestLine(record)],
    ['code', explanation.code],
    ['side', sideText(explanation.side)],
    ['field', explanation.field],
    ['expected', explanation.expected],
    ['got', explanation.got],
    ['cold start', coldStart],
  ];
  const known = rows.flatMap(([name, value]) =>
    value === null ? [] : [[`  ${name}`, printable(value).replaceAll('\n', '\n            ')]],
  );
  for (const line of columns(known)) printer.line(line);
  const log = readText(failure, 'functionLog');
  if (log === null || log.trim() === '') return;
  printer.line();
  printer.line("the function's output:");
  for (const line of printable(log).trimEnd().split('\n')) printer.line(`  ${line}`);
}

function requestLine(record: JsonRecord): string {
  const request = `${readText(record, 'method') ?? '?'} ${readText(record, 'path') ?? '?'}`;
  const duration = readNumber(record, 'totalMs');
  const took = duration === null ? '' : ` after ${Math.round(duration * 10) / 10} ms`;
  return `${request} was answered ${readNumber(record, 'status') ?? '?'}${took}`;
}

/** Who has to act, in words. */
function sideText(side: string | null): string | null {
  switch (side) {
    case 'client':
      return 'client (whoever made the call)';
    case 'api-owner':
      return 'api-owner (the definition of the API)';
    case 'function':
      return 'function (its code)';
    case 'platform':
      return 'platform (whoever runs this server)';
    default:
      return side;
  }
}
