// Who signed a request: finds the key or the function behind it, and verifies time, signature and nonce. Called by each
// product's endpoint, which turns a problem into its own error (signature-errors.ts).
import type { AccessKeyRow } from '../store/rows.ts';
import { doorwayHeader, isOwnAtDoorway } from '../wire/doorway.ts';
import { chooseScheme, headerText, isOneOf, isSameSecret } from '../wire/openapi-signature.ts';
import type { QueryPair } from '../wire/percent-encoding.ts';
import { temporaryKeyPrefix } from '../wire/security-token.ts';
import type { ControlDeps } from './ports.ts';
import type { Received } from './received.ts';
import { type Claim, readClaim, type SignatureProblem } from './signature-claims.ts';

/** How far a request's time may be off, in ms. Source: docs (15 minutes). */
export const freshnessMs = 15 * 60 * 1000;

/** Who is calling; what each may do is in permissions.ts. */
export type Caller =
  | { readonly kind: 'key'; readonly accessKeyId: string; readonly access: 'admin' | 'read-only' }
  /** Code that signs with the temporary credentials of its function. */
  | { readonly kind: 'function'; readonly accessKeyId: string; readonly functionKey: string };

export type Identity = {
  readonly ok: true;
  readonly caller: Caller;
  /** What the body must hash to (V3), lower-case hex; null when the signature says nothing of it. */
  readonly payloadHash: string | null;
};

export type Authentication = Identity | { readonly ok: false; readonly problem: SignatureProblem };

type Found =
  | { readonly ok: true; readonly caller: Caller; readonly secret: string }
  | { readonly ok: false; readonly problem: SignatureProblem };

function refuse(problem: SignatureProblem): { readonly ok: false; readonly problem: SignatureProblem } {
  return { ok: false, problem };
}

/**
 * Verifies a request. `parameters` are query and form together (RPC v1 signs both); `product` separates nonces.
 *
 * The order decides which code a client sees: key, token, time, signature, nonce. A nonce is used up only by a right
 * signature, so nobody can burn other people's nonces. Source: docs, the nonce's place assumed.
 */
export async function authenticate(
  deps: ControlDeps,
  product: string,
  received: Received,
  parameters: readonly QueryPair[],
): Promise<Authentication> {
  const authorization = headerText(received.headers, 'authorization');
  const scheme = chooseScheme(authorization, (name) => parameters.some(([key]) => key === name));
  const reading = readClaim(received, parameters, scheme);
  if (!reading.ok) return reading;
  const { claim } = reading;
  const found = claim.accessKeyId.startsWith(temporaryKeyPrefix)
    ? findFunction(deps, claim)
    : findKey(claim, await deps.store.read((tx) => tx.rows.accessKeys.get(claim.accessKeyId)));
  if (!found.ok) return found;
  const verified = verify(deps, product, claim, found);
  const functionKey = found.caller.kind === 'function' ? found.caller.functionKey : null;
  const doorway = headerText(received.headers, doorwayHeader);
  if (verified.ok && !isOwnAtDoorway(doorway, { accessKeyId: claim.accessKeyId, functionKey })) {
    return refuse({ kind: 'not-own' });
  }
  if (verified.ok && verified.caller.kind === 'key') await deps.noteKeyUse(claim.accessKeyId);
  return verified;
}

function findKey(claim: Claim, key: AccessKeyRow | null): Found {
  if (key === null) return refuse({ kind: 'unknown-key', accessKeyId: claim.accessKeyId });
  if (!key.isEnabled) return refuse({ kind: 'inactive-key' });
  if (claim.securityToken !== '') return refuse({ kind: 'security-token', why: 'mismatch' });
  const { accessKeyId, access = 'admin' } = key;
  return { ok: true, secret: key.accessKeySecret, caller: { kind: 'key', accessKeyId, access } };
}

/** Everything about temporary credentials is in their token. */
function findFunction({ tokens, account, clock }: ControlDeps, { accessKeyId, securityToken }: Claim): Found {
  if (securityToken === '') return refuse({ kind: 'security-token', why: 'missing' });
  const facts = tokens.open(securityToken);
  if (facts === null) return refuse({ kind: 'security-token', why: 'malformed' });
  if (!isSameSecret(facts.accessKeyId, accessKeyId) || facts.accountId !== account.accountId)
    return refuse({ kind: 'security-token', why: 'mismatch' });
  if (facts.expiresAt <= clock.now()) return refuse({ kind: 'security-token', why: 'expired' });
  const caller = { kind: 'function', accessKeyId, functionKey: facts.functionKey } as const;
  return { ok: true, secret: tokens.secretOf(accessKeyId), caller };
}

function verify(
  deps: ControlDeps,
  product: string,
  claim: Claim,
  { caller, secret }: Extract<Found, { ok: true }>,
): Authentication {
  const { time } = claim;
  const now = deps.clock.now();
  if (time.at === null) return refuse({ kind: 'bad-time', given: time.text });
  const isStale = time.kind === 'end' ? now > time.at : Math.abs(now - time.at) > freshnessMs;
  if (isStale) return refuse({ kind: 'stale', given: time.text });
  const { signatures, stringToSign } = claim.expected(secret);
  if (!isOneOf(claim.signature, signatures)) return refuse({ kind: 'mismatch', stringToSign });
  if (claim.nonce !== null) {
    const nonce = `${product}/${claim.accessKeyId}/${claim.nonce}`;
    const state = deps.nonces.claim(nonce, time.at + freshnessMs + 1);
    if (state === 'used') return refuse({ kind: 'replayed' });
    if (state === 'full') return refuse({ kind: 'overloaded' });
  }
  return { ok: true, caller, payloadHash: claim.payloadHash };
}
