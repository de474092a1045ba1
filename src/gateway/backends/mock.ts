// The mock backend: a fixed answer, no call. Called by call-backend.ts.
import type { Backend } from '../../model/api.ts';
import type { BackendAnswer } from '../context.ts';
import { writeHeaderText } from '../header-text.ts';

const headerValueLimit = 8192;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const heldBack: ReadonlySet<string> = new Set(['connection', 'content-length', 'transfer-encoding', 'x-ca-request-id']);

/** Source: docs (gateway.md 4.7); the content type without MockHeaders is assumed. Names that are no header names are left out. */
export function answerMock(backend: Extract<Backend, { kind: 'mock' }>): BackendAnswer {
  const headers: string[] = [];
  let hasType = false;
  for (const { name, value } of backend.headers) {
    if (!token.test(name) || heldBack.has(name.toLowerCase())) continue;
    if (name.toLowerCase() === 'content-type') hasType = true;
    headers.push(name, writeHeaderText(value, headerValueLimit));
  }
  if (!hasType) headers.push('Content-Type', 'application/json');
  return { status: backend.status, headers, body: backend.body };
}
