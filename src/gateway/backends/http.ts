// The HTTP backend: makes the request that the backend gets and relays its answer. VPC backends come here by their place.
// Called by reply.ts.
import type { Backend } from '../../model/api.ts';
import type { BackendAnswer, Mapped } from '../context.ts';
import { refuse } from '../errors.ts';
import type { OutgoingRequest } from '../outbound/connection.ts';
import { signOutgoing } from '../policies/backend-signature.ts';
import type { BackendAddress } from './backend-state.ts';
import { HttpExchange } from './http-exchange.ts';
import { backendHeaders, backendHost, backendMethod, backendPath, backendQuery } from './http-request.ts';
import { fillVariables } from './stage-variables.ts';

type HttpBackend = Extract<Backend, { kind: 'http' }>;
type Call = Pick<HttpBackend, 'path' | 'method' | 'timeoutMs'>;

/** A body that is announced to be this long or shorter is sent at once, when it is there: so it can be sent again. */
const wholeBodyLimit = 64 * 1024;

/** Errors: D504RE, D504IL, D504CO, D504CS, D504TO, N502RE, X503BZ, I404SR, X500AM, ClientGone, those of the body. */
export function callHttp(mapped: Mapped, backend: HttpBackend): Promise<BackendAnswer> {
  const text = fillVariables(backend.address, mapped);
  const address = mapped.deps.backends.addressOf(text, backend.hostHeader, false);
  if (address === null) throw badAddress(mapped, 'ServiceAddress');
  return callAddress(mapped, backend, address);
}

export function badAddress(mapped: Mapped, field: string): Error {
  return refuse(
    'D504CO',
    { Reason: 'the address of the backend is no http or https address' },
    {
      side: 'api-owner',
      field,
      expected: 'http://host:port or https://host:port',
      message: `The backend address of the API ${mapped.api.apiName} is no http or https address (look at its stage variables too).`,
    },
  );
}

/** Calls the place that was found. */
export async function callAddress(given: Mapped, call: Call, address: BackendAddress): Promise<BackendAnswer> {
  const method = backendMethod(call.method, given);
  if (method === 'CONNECT') throw noTunnel(given);
  const path = backendPath(call.path, address.basePath, given) || '/';
  const signed = signOutgoing(given, { method, path });
  const mapped = signed instanceof Promise ? await signed : signed;
  const { outgoing } = mapped;
  const host = backendHost(mapped, address);
  const head = `${method} ${path}${backendQuery(mapped)} HTTP/1.1\r\nHost: ${host}\r\n${backendHeaders(mapped)}`;
  const { body } = mapped;
  const isStreamed =
    outgoing.body.kind === 'raw' &&
    body.isPresent &&
    !body.wasRead &&
    (body.announcedBytes ?? Infinity) > wholeBodyLimit;
  if (!isStreamed) {
    const bytes =
      outgoing.body.kind === 'text' ? Buffer.from(outgoing.body.text) : body.isPresent ? await body.bytes() : null;
    return exchange(mapped, call, address, () => whole(head, method, bytes));
  }
  return exchange(mapped, call, address, (running) => {
    const isChunked = body.announcedBytes === null;
    const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.announcedBytes}`;
    return {
      head: `${head}${framing}\r\n\r\n`,
      ...kindOf(method),
      body: { kind: 'stream', chunks: upload(body.chunks(), running), isChunked },
    };
  });
}

function noTunnel(mapped: Mapped): Error {
  return refuse(
    'D504CO',
    { Reason: 'CONNECT is not served' },
    {
      side: 'api-owner',
      field: 'ServiceHttpMethod',
      expected: 'a method other than CONNECT',
      message: `The API ${mapped.api.apiName} calls its backend with CONNECT, which gateways do not relay.`,
    },
  );
}

/** Methods whose requests need no length when they have no body. Source: docs (RFC 9110 8.6). */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

/** Source: docs (RFC 9110 9.2.2). */
const idempotent: ReadonlySet<string> = new Set([...bodiless, 'PUT']);

function kindOf(method: string): Pick<OutgoingRequest, 'isHead' | 'isIdempotent'> {
  return { isHead: method === 'HEAD', isIdempotent: idempotent.has(method) };
}

function whole(head: string, method: string, bytes: Buffer | null): OutgoingRequest {
  const length = bytes?.length ?? 0;
  const framing = length === 0 && bodiless.has(method) ? '' : `Content-Length: ${length}\r\n`;
  return { head: `${head}${framing}\r\n`, ...kindOf(method), body: { kind: 'whole', bytes } };
}

function exchange(
  mapped: Mapped,
  call: Call,
  address: BackendAddress,
  make: (running: HttpExchange) => OutgoingRequest,
): Promise<BackendAnswer> {
  return new Promise((resolve, reject) => {
    const running = new HttpExchange(mapped, address.origin, call.timeoutMs, { resolve, reject });
    running.start(make(running));
  });
}

/** The client's body chunk by chunk; time spent waiting for the client does not count as the backend's. */
async function* upload(chunks: AsyncIterable<Buffer>, running: HttpExchange): AsyncGenerator<Buffer, void, undefined> {
  const source = chunks[Symbol.asyncIterator]();
  try {
    while (true) {
      running.hold();
      const next = await source.next();
      running.run();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await source.return?.();
  }
}
