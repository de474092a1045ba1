// Step 2, Matched: from host to group, stage and API. Called by pipeline.ts.
import { type StageName, stageNames } from '../model/api.ts';
import { hostParameters, httpsUrl, wildcardOf } from './bound-domain.ts';
import type { Matched, Preflight, Received, Redirect } from './context.ts';
import { refuse } from './errors.ts';
import { loggedBodyBytes } from './logged-parts.ts';
import { isMachineHost } from './receive.ts';
import { explainMiss } from './route-miss.ts';
import type { HostEntry, Routes, Snapshot } from './snapshot.ts';
import { placeOf, toMatched, toPreflight, toRedirect } from './states.ts';

/** Errors: I404DO, I400SG, I404NF, I403PT. */
export function match(received: Received): Matched | Preflight | Redirect {
  const entry = findGroup(received);
  if (entry.domain?.redirectsToHttps === true && !received.request.isTls) return redirect(received, entry);
  if (entry.group.options?.log?.requestBody === true) received.body.keepExcerpt(loggedBodyBytes);
  const stage = entry.stage ?? readStage(received);
  const routes = received.snapshot.routes.get(entry.group.groupId);
  const found = matchesBase(entry, received.segments)
    ? (routes?.[stage].find(received.segments, entry.baseSegments.length, received.method) ?? null)
    : null;
  if (found === null) return missed(received, entry, stage, routes);
  const api = received.snapshot.opened.open(found);
  const isServed = received.request.isTls ? api.servesHttps : api.servesHttp;
  if (!isServed) {
    const protocol = received.request.isTls ? 'HTTPS' : 'HTTP';
    throw refuse(
      'I403PT',
      { Protocol: protocol },
      {
        side: 'client',
        field: 'protocol',
        expected: received.request.isTls ? 'HTTP' : 'HTTPS',
        got: protocol,
        message: `The API ${api.apiName} does not serve ${protocol}: its RequestProtocol names other protocols only.`,
      },
    );
  }
  return toMatched(received, {
    group: entry.group,
    stage,
    api,
    hostParameters: hostParameters(entry.patterns, received.host),
    isOwnDomain: entry.domain === null && received.host === entry.group.subDomain.toLowerCase(),
    isIntranetDomain: entry.domain?.isIntranet === true,
    baseLength: entry.baseSegments.length,
  });
}

function redirect(received: Received, entry: HostEntry): Redirect {
  const { hostHeader, rawPath, rawQuery, deps } = received;
  const target = rawQuery === '' ? rawPath : `${rawPath}?${rawQuery}`;
  const location = httpsUrl(hostHeader, target, deps.settings.tlsPort);
  return toRedirect(received, { group: entry.group, location });
}

function defaultGroupOf(snapshot: Snapshot, named: string | null): HostEntry | null {
  if (named !== null) {
    const entry = snapshot.groups.get(named);
    return entry === undefined ? null : { ...entry, stage: null, domain: null, patterns: [] };
  }
  if (snapshot.groups.size !== 1) return null;
  for (const entry of snapshot.groups.values()) return { ...entry, stage: null, domain: null, patterns: [] };
  return null;
}

/** A whole name beats a wildcard, which stands for one label. Source: assumed. */
function findWildcard(snapshot: Snapshot, host: string): HostEntry | undefined {
  const wildcard = wildcardOf(host);
  return wildcard === null ? undefined : snapshot.hosts.get(wildcard);
}

function findGroup(received: Received): HostEntry {
  const { host, snapshot, deps } = received;
  const bound = snapshot.hosts.get(host) ?? findWildcard(snapshot, host);
  if (bound !== undefined) return bound;
  const isMachine = isMachineHost(host);
  const fallback = isMachine ? defaultGroupOf(snapshot, deps.settings.defaultGroup) : null;
  if (fallback !== null) return fallback;
  const shown = host.slice(0, 255);
  throw refuse(
    'I404DO',
    { DomainName: shown },
    {
      side: 'client',
      field: 'Host',
      expected: isMachine ? 'a default group' : 'the default or a bound domain of a group',
      got: shown,
      message: isMachine
        ? `The host "${shown}" leads to the default group, and there is none: ${whyNoDefault(received)}.`
        : whyNobodys(received, shown),
    },
  );
}

const ownDomain = /^([0-9a-f]{32})-.*\.alicloudapi\.com$/;

function whyNobodys({ host, snapshot }: Received, shown: string): string {
  const groupId = ownDomain.exec(host)?.[1];
  const isClosed = groupId !== undefined && snapshot.groups.get(groupId) !== undefined;
  return isClosed
    ? `The group ${groupId} is not served at its own domain "${shown}": ModifyApiGroupNetworkPolicy closed it, or it names another region.`
    : `The host "${shown}" is not the domain of any group. Use {groupId}.localhost or bind the domain to a group.`;
}

function whyNoDefault({ snapshot, deps }: Received): string {
  if (deps.settings.defaultGroup !== null) return `the group ${deps.settings.defaultGroup} does not exist`;
  const { size } = snapshot.groups;
  return size === 0 ? 'no group exists yet' : `${size} groups exist, so name one with --default-group or in the Host`;
}

const knownStages: ReadonlyMap<string, StageName> = new Map(stageNames.map((stage) => [stage, stage]));

/** Source: docs; case does not matter. */
function readStage(received: Received): StageName {
  const value = received.headers.get('x-ca-stage');
  if (value === undefined) return 'RELEASE';
  const stage = knownStages.get(value) ?? knownStages.get(value.trim().toUpperCase());
  if (stage !== undefined) return stage;
  const shown = value.slice(0, 200);
  throw refuse(
    'I400SG',
    {},
    {
      side: 'client',
      field: 'X-Ca-Stage',
      expected: stageNames.join(', '),
      got: shown,
      message: `The header X-Ca-Stage is "${shown}", which is no stage.`,
    },
  );
}

function matchesBase(entry: HostEntry, segments: readonly string[]): boolean {
  const { baseSegments } = entry;
  for (let i = 0; i < baseSegments.length; i++) if (segments[i] !== baseSegments[i]) return false;
  return true;
}

function isPreflight({ method, headers }: Received): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method');
}

function missed(received: Received, entry: HostEntry, stage: StageName, routes: Routes | undefined): Preflight {
  if (isPreflight(received)) return toPreflight(received, entry.group);
  placeOf(received, { group: entry.group, stage });
  // Classic instances tell an API that is not there from a wrong path, method or stage. Source: docs; where the line is, is assumed.
  const classic = routes === undefined ? 'API Not Found' : undefined;
  throw refuse('I404NF', { Reason: '' }, explainMiss(received, entry, stage, routes), classic);
}
