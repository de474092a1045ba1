// The body of an HTTP call of a function, whole and within its limit. Called by http-door.ts.
import type { IncomingMessage } from 'node:http';
import { httpError } from './errors.ts';

/** Errors: EntityTooLarge; the rest of a body that is too long is read and thrown away by the caller. */
export function readHttpBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = () =>
      reject(httpError('EntityTooLarge', `payload size exceeds maximum allowed size (${limitBytes} bytes)`));
    if (Number(request.headers['content-length'] ?? 0) > limitBytes) {
      tooLarge();
      return;
    }
    const parts: Buffer[] = [];
    let received = 0;
    request.on('data', (part: Buffer) => {
      received += part.length;
      if (received > limitBytes) {
        parts.length = 0;
        tooLarge();
      } else parts.push(part);
    });
    request.on('end', () => resolve(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)));
    request.on('error', reject);
    request.on('close', () => reject(httpError('ClientClosedRequest', 'the caller has gone')));
  });
}
