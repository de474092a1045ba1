// Signs the backend request of an API that a signature key is bound to. Called by each kind of backend that sends a request on,
// once it knows the method and path that the backend will see.
import { createHash } from 'node:crypto';
import type { PublishedSignatureKey } from '../../model/published.ts';
import { signBackendRequest } from '../../wire/backend-signature.ts';
import { noParameters, type Parameters, parseParameters } from '../../wire/query.ts';
import type { Mapped } from '../context.ts';
import { toMapped } from '../states.ts';
import { signatureKeyOf } from './policies-of-api.ts';

/** The method and path (without query) of the request as it is sent. */
type SentLine = { readonly method: string; readonly path: string };

/**
 * The request with the headers of its signature; the same one where no key is bound. A promise only where the body has to be read.
 * Errors: those of the body.
 */
export function signOutgoing(mapped: Mapped, line: SentLine): Mapped | Promise<Mapped> {
  const key = signatureKeyOf(mapped);
  return key === null ? mapped : sign(mapped, line, key);
}

const writtenHere = /^(content-md5|x-ca-proxy-signature(-headers|-secret-key)?)$/i;

async function sign(mapped: Mapped, line: SentLine, key: PublishedSignatureKey): Promise<Mapped> {
  const { outgoing } = mapped;
  const headers = new Map(outgoing.headers);
  const contentMd5 = await contentMd5Of(mapped);
  if (contentMd5 !== '') setHeader(headers, 'Content-MD5', contentMd5);
  const parameters = new Map(outgoing.query);
  for (const [name, value] of await formOf(mapped)) if (!parameters.has(name)) parameters.set(name, value);
  // What the API's definition sends in headers: its parameters, constants and system parameters. Source: docs.
  const signed = [...headers].filter(([name]) => mapped.plan.headerTargets.has(name.toLowerCase()));
  for (const [name, value] of signBackendRequest({ ...line, contentMd5, headers: signed, parameters }, key)) {
    setHeader(headers, name, value);
  }
  // A client cannot bring a second line of what was written here.
  const moreHeaders = outgoing.moreHeaders.filter(([name]) => !writtenHere.test(name));
  return toMapped(mapped, mapped.plan, { ...outgoing, headers, moreHeaders });
}

/** A client cannot bring a header of the same name in another spelling. */
function setHeader(headers: Map<string, string>, name: string, value: string): void {
  for (const other of headers.keys()) if (other.toLowerCase() === name.toLowerCase()) headers.delete(other);
  headers.set(name, value);
}

async function formOf({ outgoing, body }: Mapped): Promise<Parameters> {
  if (outgoing.body.kind === 'text') return parseParameters(outgoing.body.text) ?? noParameters;
  return body.isForm && body.isPresent ? body.form() : noParameters;
}

/**
 * The client's Content-MD5 while its bytes are sent as they came; of another body that is no form, ours.
 * Source: docs and sdk disagree; chosen so that both kinds of verifiers agree.
 */
async function contentMd5Of({ outgoing, body, headers }: Mapped): Promise<string> {
  if (outgoing.body.kind === 'text' || !body.isPresent) return '';
  const sent = headers.get('content-md5') ?? '';
  if (sent !== '' || body.isForm) return sent;
  return createHash('md5')
    .update(await body.bytes())
    .digest('base64');
}
