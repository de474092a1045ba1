// The http listener (function URLs and custom domains). None can be created yet, so every host is unknown.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Answers as the service does for a host that no function is bound to. Source: docs (function-invocation.md 2). */
export function serveUnknownDomain(request: IncomingMessage, response: ServerResponse): void {
  const requestId = randomUUID();
  const host = (request.headers.host ?? '').replace(/:\d+$/, '').slice(0, 255);
  const message = `domain name '${host}' does not exist`;
  const body = JSON.stringify({
    RequestId: requestId,
    Code: 'DomainNameNotFound',
    Message: message,
    ErrorCode: 'DomainNameNotFound',
    ErrorMessage: message,
  });
  request.resume();
  response.writeHead(404, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'X-Fc-Request-Id': requestId,
  });
  response.end(body);
}
