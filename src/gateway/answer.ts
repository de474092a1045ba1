// Makes the HTTP answer: the gateway's own headers around a backend's answer, an error or a preflight. Called by pipeline.ts.
import type { GatewayReply, Preflight, Progress, Redirect, Replied } from './context.ts';
import { type Refusal, wordError } from './errors.ts';
import { writeHeaderText } from './header-text.ts';
import { whyHeader } from './why-header.ts';

/** Error text on the wire, in bytes. */
const messageLimitBytes = 8192;

/** Sent with every answer, unless the backend sets its own. Source: live. */
const openCors: readonly string[] = [
  'Access-Control-Allow-Origin',
  '*',
  'Access-Control-Allow-Methods',
  'GET,POST,PUT,DELETE,HEAD,OPTIONS,PATCH',
  'Access-Control-Allow-Headers',
  'X-Requested-With,X-Sequence,X-Ca-Key,X-Ca-Secret,X-Ca-Version,X-Ca-Timestamp,X-Ca-Nonce,X-Ca-API-Key,X-Ca-Stage,X-Ca-Client-DeviceId,X-Ca-Client-AppId,X-Ca-Signature,X-Ca-Signature-Headers,X-Ca-Signature-Method,X-Forwarded-For,X-Ca-Date,X-Ca-Request-Mode,Authorization,Content-Type,Accept,Accept-Ranges,Cache-Control,Range,Content-MD5',
  'Access-Control-Max-Age',
  '172800',
];

/** Source: assumed (the product names itself). */
const serverName = 'Yunmen';

/** The first of an answer's headers. */
function serverHeader({ group }: Progress): string[] {
  return group?.options?.hidesServer === true ? [] : ['Server', serverName];
}

function isDebug(progress: Progress): boolean {
  return progress.headers?.get('x-ca-request-mode') === 'debug';
}

function addDebugInfo(headers: string[], progress: Progress): void {
  if (!isDebug(progress)) return;
  const total = Math.round(progress.deps.clock.monotonic() - progress.startedAt);
  const service = Math.round(progress.backendMs ?? 0);
  headers.push('X-Ca-Debug-Info', `{"ServiceLatency":${service},"TotalLatency":${total}}`);
}

/** An unread body up to this size is let through and dropped, so that the connection can be used again. In bytes. */
const droppedBodyLimit = 64 * 1024;

/** Whether so much of a body that nobody read is still on its way that the connection is better closed. */
function closes(progress: Progress): boolean {
  if (progress.request.fault || progress.body?.isLate === true) return true;
  const source = progress.request.body;
  if (!source.isPresent || progress.body?.wasRead === true) return false;
  return source.announcedBytes === null || source.announcedBytes > droppedBodyLimit;
}

function isCorsHeader(name: string): boolean {
  return name.length > 15 && name.slice(0, 15).toLowerCase() === 'access-control-';
}

function addCors(headers: string[], backendHeaders: readonly string[]): void {
  let own: Set<string> | null = null;
  for (let i = 0; i < backendHeaders.length; i += 2) {
    const name = backendHeaders[i] ?? '';
    if (!isCorsHeader(name)) continue;
    own ??= new Set();
    own.add(name.toLowerCase());
  }
  for (let i = 0; i + 1 < openCors.length; i += 2) {
    const name = openCors[i] ?? '';
    if (own === null || !own.has(name.toLowerCase())) headers.push(name, openCors[i + 1] ?? '');
  }
}

/** A browser that opens a page or a frame asks for HTML. Source: assumed; docs say "browsers". */
function isDownload({ headers, deps }: Replied): boolean {
  return deps.settings.ownDomainDownloads && headers.get('accept')?.includes('text/html') === true;
}

/** The backend's headers with a Content-Disposition that browsers save by. Source: docs, the header's form assumed. */
function addAsDownload(headers: string[], backendHeaders: readonly string[]): void {
  let own = 'attachment';
  for (let i = 0; i + 1 < backendHeaders.length; i += 2) {
    const name = backendHeaders[i] ?? '';
    const value = backendHeaders[i + 1] ?? '';
    if (name.toLowerCase() !== 'content-disposition') headers.push(name, value);
    else if (/^attachment\b/i.test(value)) own = value;
  }
  headers.push('Content-Disposition', own);
}

/** The backend's status, headers and body with the gateway's headers. Source: live. */
export function answerBackend(replied: Replied, reasonPhrase: (status: number) => string): GatewayReply {
  const { answer, group, requestId } = replied;
  const headers = serverHeader(replied);
  addCors(headers, answer.headers);
  headers.push('X-Ca-Request-Id', requestId);
  // Classic instances name a backend's failure as well. Source: live.
  if (group.isClassic && (answer.status < 200 || answer.status > 299)) {
    headers.push('X-Ca-Error-Message', reasonPhrase(answer.status));
  }
  addDebugInfo(headers, replied);
  if (replied.isOwnDomain && isDownload(replied)) addAsDownload(headers, answer.headers);
  else for (const item of answer.headers) headers.push(item);
  return {
    status: answer.status,
    headers,
    body: answer.body,
    announcedBytes: answer.announcedBytes ?? null,
    closes: closes(replied),
  };
}

/** An error of the gateway: text in headers, empty body. Source: docs. */
export function answerError(progress: Progress, refusal: Refusal): GatewayReply {
  const worded = wordError(refusal.code, refusal.slots, progress.group?.isClassic ?? false, refusal.classic);
  const headers: string[] = [...serverHeader(progress), ...openCors, 'X-Ca-Request-Id', progress.requestId];
  if (worded.code !== null) headers.push('X-Ca-Error-Code', worded.code);
  headers.push('X-Ca-Error-Message', writeHeaderText(worded.message, messageLimitBytes));
  addDebugInfo(headers, progress);
  const why = whyHeader(progress, refusal.failure);
  if (why !== null) headers.push('X-Yunmen-Why', why);
  return { status: worded.status, headers, body: '', closes: closes(progress) };
}

/** Source: docs; the status is assumed. */
export function answerPreflight(preflight: Preflight): GatewayReply {
  const headers: string[] = [...serverHeader(preflight), ...openCors, 'X-Ca-Request-Id', preflight.requestId];
  addDebugInfo(headers, preflight);
  return { status: 200, headers, body: '', closes: closes(preflight) };
}

/** 301 for methods that browsers repeat anyway, 308 for those that must keep method and body. Source: assumed. */
export function answerRedirect(redirect: Redirect): GatewayReply {
  const status = redirect.method === 'GET' || redirect.method === 'HEAD' ? 301 : 308;
  const location = writeHeaderText(redirect.location, messageLimitBytes);
  const headers = [...serverHeader(redirect), ...openCors, 'X-Ca-Request-Id', redirect.requestId];
  addDebugInfo(headers, redirect);
  headers.push('Location', location);
  return { status, headers, body: '', closes: closes(redirect) };
}
