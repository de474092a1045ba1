// The http listener: function URLs, and what control passes on from the APIs' listener. Used by data-plane.ts.
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, RequestListener } from 'node:http';
import { InternalTimeout } from './base/internal-timeout.ts';
import type { HttpDoor } from './functions/index.ts';

/** `<token> <client address>`: control says so that it was its listener, and who called. See http-forward.ts. */
export const forwardedHeader = 'x-yunmen-forwarded';

/** `mayServe`: null when a request may begin now; else resolves when one may, and rejects when none may. */
export function serveHttp(door: HttpDoor, token: string, mayServe: () => Promise<void> | null): RequestListener {
  const secret = Buffer.from(token);
  return (request, response) => {
    const serve = (unready: InternalTimeout | null) => door(request, response, originOf(request, secret), unready);
    const waiting = mayServe();
    if (waiting === null) serve(null);
    else {
      waiting.then(
        () => serve(null),
        (error: unknown) => {
          if (error instanceof InternalTimeout) serve(error);
          else response.destroy(); // control has gone, and we go with it
        },
      );
    }
  };
}

function originOf(request: IncomingMessage, secret: Buffer): Parameters<HttpDoor>[2] {
  const peer = (request.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  const given = request.headers[forwardedHeader];
  if (typeof given === 'string') {
    const [token = '', clientIp = peer] = given.split(' ');
    const bytes = Buffer.from(token);
    if (bytes.length === secret.length && timingSafeEqual(bytes, secret)) return { clientIp, isApiListener: true };
  }
  return { clientIp: peer, isApiListener: false };
}
