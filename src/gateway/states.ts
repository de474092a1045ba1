// Makes the states of context.ts. All states of a request are one object, which has all its fields from the beginning: so it
// keeps one shape, whatever the steps learn, and their code stays quick. Called by the steps.
import { coldStartOf } from '../model/record.ts';
import type {
  Admitted,
  Begun,
  Claims,
  Identified,
  Mapped,
  Matched,
  Preflight,
  Received,
  Redirect,
  Replied,
} from './context.ts';

type Changing<T> = { -readonly [K in keyof T]: T[K] };
/** What a step adds to the state before it. */
type Learned<To, From> = Omit<To, keyof From>;

/** Every field that some state has. */
type Blank = Record<Exclude<keyof Replied | keyof Redirect | keyof Preflight, keyof Begun>, undefined>;

export function toBegun(known: Begun): Begun {
  const { requestId, at, startedAt, request, snapshot, deps, method, clientIp } = known;
  const begun: Begun & Blank = {
    requestId,
    at,
    startedAt,
    request,
    snapshot,
    deps,
    method,
    clientIp,
    kind: undefined,
    headers: undefined,
    hostHeader: undefined,
    host: undefined,
    rawPath: undefined,
    path: undefined,
    segments: undefined,
    rawQuery: undefined,
    query: undefined,
    body: undefined,
    group: undefined,
    stage: undefined,
    api: undefined,
    hostParameters: undefined,
    isOwnDomain: undefined,
    isIntranetDomain: undefined,
    baseLength: undefined,
    location: undefined,
    caller: undefined,
    claims: undefined,
    grant: undefined,
    plan: undefined,
    outgoing: undefined,
    answer: undefined,
    backendMs: undefined,
    coldStart: undefined,
  };
  return begun;
}

export function toReceived(begun: Begun, learned: Learned<Received, Begun>): Received {
  const received = begun as Changing<Received>;
  received.headers = learned.headers;
  received.hostHeader = learned.hostHeader;
  received.host = learned.host;
  received.rawPath = learned.rawPath;
  received.path = learned.path;
  received.segments = learned.segments;
  received.rawQuery = learned.rawQuery;
  received.query = learned.query;
  received.body = learned.body;
  return received;
}

/** Where a request that is then refused would have gone; for its record. */
export function placeOf(received: Received, { group, stage }: Pick<Matched, 'group' | 'stage'>): void {
  const placed = received as Changing<Matched>;
  placed.group = group;
  placed.stage = stage;
}

export function toMatched(received: Received, learned: Omit<Learned<Matched, Received>, 'kind'>): Matched {
  const matched = received as Changing<Matched>;
  matched.kind = 'matched';
  matched.group = learned.group;
  matched.stage = learned.stage;
  matched.api = learned.api;
  matched.hostParameters = learned.hostParameters;
  matched.isOwnDomain = learned.isOwnDomain;
  matched.isIntranetDomain = learned.isIntranetDomain;
  matched.baseLength = learned.baseLength;
  return matched;
}

export function toRedirect(received: Received, { group, location }: Pick<Redirect, 'group' | 'location'>): Redirect {
  const redirect = received as Changing<Redirect>;
  redirect.kind = 'redirect';
  redirect.group = group;
  redirect.location = location;
  return redirect;
}

export function toPreflight(received: Received, group: Preflight['group']): Preflight {
  const preflight = received as Changing<Preflight>;
  preflight.kind = 'preflight';
  preflight.group = group;
  return preflight;
}

export function toIdentified(matched: Matched, caller: Identified['caller']): Identified {
  const identified = matched as Changing<Identified>;
  identified.caller = caller;
  return identified;
}

export function toAdmitted(identified: Identified, grant: Admitted['grant']): Admitted {
  const admitted = identified as Changing<Admitted>;
  admitted.grant = grant;
  return admitted;
}

export function toMapped(admitted: Admitted, plan: Mapped['plan'], outgoing: Mapped['outgoing']): Mapped {
  const mapped = admitted as Changing<Mapped>;
  mapped.plan = plan;
  mapped.outgoing = outgoing;
  return mapped;
}

/** What a token said that is accepted. */
export function noteClaims(matched: Matched, claims: Claims): void {
  (matched as Changing<Matched> & { claims?: Claims }).claims = claims;
}

/** How long the backend took, also of a call that failed. */
export function noteBackendMs(mapped: Mapped, backendMs: number): void {
  (mapped as Changing<Replied>).backendMs = backendMs;
}

/** What a function that was called told of its start. */
export function noteInvocation(mapped: Mapped, facts: Parameters<typeof coldStartOf>[0]): void {
  const coldStart = coldStartOf(facts);
  if (coldStart !== null) (mapped as Changing<Replied>).coldStart = coldStart;
}

export function toReplied(mapped: Mapped, answer: Replied['answer'], backendMs: number): Replied {
  const replied = mapped as Changing<Replied>;
  replied.answer = answer;
  replied.backendMs = backendMs;
  return replied;
}
