// The mock backend: a fixed answer, no call. Called by reply.ts.
import type { Backend } from '../../model/api.ts';
import { headerName } from '../../wire/header-grammar.ts';
import type { BackendAnswer, Mapped } from '../context.ts';
import { writeHeaderText } from '../header-text.ts';
import { fillVariables } from './stage-variables.ts';

const headerValueLimit = 8192;
/** Belong to the connection or are the gateway's own. */
const heldBack: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'server',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-ca-debug-info',
  'x-ca-error-code',
  'x-ca-error-message',
  'x-ca-request-id',
]);

/**
 * The configured status, headers and text, with stage variables filled in.
 *
 * Errors: I404SR. Source: docs; the content type without MockHeaders is assumed. Names that are no header names are left out.
 */
export function answerMock(mapped: Mapped, backend: Extract<Backend, { kind: 'mock' }>): BackendAnswer {
  const headers: string[] = [];
  let hasType = false;
  for (const { name, value } of backend.headers) {
    const lowerName = name.toLowerCase();
    if (!headerName.test(name) || heldBack.has(lowerName)) continue;
    if (lowerName === 'content-type') hasType = true;
    headers.push(name, writeHeaderText(fillVariables(value, mapped), headerValueLimit));
  }
  if (!hasType) headers.push('Content-Type', 'application/json');
  return { status: backend.status, headers, body: fillVariables(backend.body, mapped) };
}
