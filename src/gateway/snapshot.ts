// Everything published that a request needs, immutable. snapshot-follower.ts swaps one for the next; a request keeps its own.
import { ShardedMap } from '../base/sharded-map.ts';
import { type OpenIdConfig, type StageName, type StageVariable, stageNames } from '../model/api.ts';
import { httpsPolicies } from '../model/https-policy.ts';
import type {
  Change,
  PublishedApi,
  PublishedApp,
  PublishedBackend,
  PublishedCertificate,
  PublishedDomain,
  PublishedGrant,
  PublishedGroup,
  PublishedVpcAccess,
} from '../model/published.ts';
import { compileHostPattern, type HostPattern } from './bound-domain.ts';
import { codeDigest } from './code-digest.ts';
import { ApiEntry, OpenedApis } from './compile-api.ts';
import { changePolicies, editPolicies, noPolicies, type Policies } from './policies/policies.ts';
import { parsePattern, SegmentTrie, splitPath, type TrieEditor } from './segment-trie.ts';

/** A group and its base path's segments. */
export type GroupEntry = { readonly group: PublishedGroup; readonly baseSegments: readonly string[] };

/** Where a Host leads. `stage` null: the request's header chooses. `domain` null: the group's own, by the gateway's name or `.localhost`. */
export type HostEntry = GroupEntry & {
  readonly stage: StageName | null;
  readonly domain: PublishedDomain | null;
  /** Of a wildcard domain. */
  readonly patterns: readonly HostPattern[];
};

export type Routes = { readonly [Stage in StageName]: SegmentTrie<ApiEntry> };

/** An app as its key finds it. */
export type AppKey = {
  readonly appId: number;
  readonly appName: string;
  readonly key: string;
  readonly secret: string;
};

/** An API whose tokens are accepted. */
export type TokenIssuer = { readonly apiKey: string; readonly publicKey: string };

export type Snapshot = {
  readonly version: number;
  /** By group id. */
  readonly groups: ShardedMap<GroupEntry>;
  /** By lower-case host without port; wildcard domains as `*.example.com`. */
  readonly hosts: ShardedMap<HostEntry>;
  /** By lower-case host; of wildcard domains `*.example.com`. */
  readonly certificates: ShardedMap<PublishedCertificate>;
  /** By group id: those to which clients may come with TLS 1.0. */
  readonly oldTlsGroups: ShardedMap<true>;
  /** By group id; there even before its group is. */
  readonly routes: ShardedMap<Routes>;
  /** By `apiId/stage`. */
  readonly apis: ShardedMap<ApiEntry>;
  /** Shared by all snapshots. */
  readonly opened: OpenedApis;
  /** By app id. */
  readonly apps: ShardedMap<PublishedApp>;
  readonly appKeys: ShardedMap<AppKey>;
  /** By codeDigest(). */
  readonly appCodes: ShardedMap<AppKey>;
  /** By PublicKeyId: the IDTOKEN APIs that issue tokens with it, oldest first. */
  readonly openIdKeys: ShardedMap<readonly TokenIssuer[]>;
  /** By grantKey(). */
  readonly grants: ShardedMap<PublishedGrant>;
  /** By stageKey(); the variables of a stage by name. */
  readonly variables: ShardedMap<ReadonlyMap<string, StageVariable>>;
  /** By `backendId/stage`. */
  readonly backends: ShardedMap<PublishedBackend['backend']>;
  /** By name. */
  readonly vpcAccesses: ShardedMap<PublishedVpcAccess>;
  readonly policies: Policies;
};

/** APIs that are compiled at once; the others wait as packed entries. */
const openedLimit = 5_000;

/** What a gateway begins with. */
export function createEmptySnapshot(): Snapshot {
  return { ...nothing, opened: new OpenedApis(openedLimit) };
}

const nothing: Omit<Snapshot, 'opened'> = {
  version: 0,
  groups: ShardedMap.empty(),
  hosts: ShardedMap.empty(),
  certificates: ShardedMap.empty(),
  oldTlsGroups: ShardedMap.empty(),
  routes: ShardedMap.empty(),
  apis: ShardedMap.empty(),
  apps: ShardedMap.empty(),
  appKeys: ShardedMap.empty(),
  appCodes: ShardedMap.empty(),
  openIdKeys: ShardedMap.empty(),
  grants: ShardedMap.empty(),
  variables: ShardedMap.empty(),
  backends: ShardedMap.empty(),
  vpcAccesses: ShardedMap.empty(),
  policies: noPolicies,
};

/** Key of a stage of a group, and of a backend definition in a stage. */
export function stageKey(ownerId: string, stage: StageName): string {
  return `${ownerId}/${stage}`;
}

export function grantKey(appId: number, apiId: string, stage: StageName): string {
  return `${appId}/${apiId}/${stage}`;
}

const noRoutes: Routes = { RELEASE: new SegmentTrie(), PRE: new SegmentTrie(), TEST: new SegmentTrie() };

/** The tries that one batch changes. */
class RouteEdits {
  readonly #routes: ShardedMap<Routes>;
  readonly #tries = new Map<string, Map<StageName, TrieEditor<ApiEntry>>>();

  constructor(routes: ShardedMap<Routes>) {
    this.#routes = routes;
  }

  of(api: ApiEntry): TrieEditor<ApiEntry> {
    let stages = this.#tries.get(api.groupId);
    if (stages === undefined) {
      stages = new Map();
      this.#tries.set(api.groupId, stages);
    }
    let editor = stages.get(api.stage);
    if (editor === undefined) {
      editor = (this.#routes.get(api.groupId) ?? noRoutes)[api.stage].edit();
      stages.set(api.stage, editor);
    }
    return editor;
  }

  done(): ShardedMap<Routes> {
    const routes = this.#routes.edit();
    for (const [groupId, stages] of this.#tries) {
      const former = this.#routes.get(groupId) ?? noRoutes;
      const trieOf = (stage: StageName) => stages.get(stage)?.done() ?? former[stage];
      const next: Routes = { RELEASE: trieOf('RELEASE'), PRE: trieOf('PRE'), TEST: trieOf('TEST') };
      if (stageNames.every((stage) => next[stage].isEmpty)) routes.delete(groupId);
      else routes.set(groupId, next);
    }
    return routes.done();
  }
}

function editorsOf(from: Snapshot) {
  return {
    groups: from.groups.edit(),
    hosts: from.hosts.edit(),
    certificates: from.certificates.edit(),
    oldTlsGroups: from.oldTlsGroups.edit(),
    routes: new RouteEdits(from.routes),
    apis: from.apis.edit(),
    apps: from.apps.edit(),
    appKeys: from.appKeys.edit(),
    appCodes: from.appCodes.edit(),
    openIdKeys: from.openIdKeys.edit(),
    grants: from.grants.edit(),
    variables: from.variables.edit(),
    backends: from.backends.edit(),
    vpcAccesses: from.vpcAccesses.edit(),
    policies: editPolicies(from.policies),
  };
}
type Editors = ReturnType<typeof editorsOf>;

/** Changes to a snapshot, seen by nobody until done(). */
export type SnapshotEdit = {
  apply(change: Change): void;
  /** Called once, as the last. */
  done(version: number): Snapshot;
};

/** Work grows with the changes and the groups that they touch, not with all APIs. */
export function editSnapshot(from: Snapshot): SnapshotEdit {
  const editors = editorsOf(from);
  return {
    apply: (change) => applyChange(editors, change),
    done: (version) => ({
      version,
      opened: from.opened,
      groups: editors.groups.done(),
      hosts: editors.hosts.done(),
      certificates: editors.certificates.done(),
      oldTlsGroups: editors.oldTlsGroups.done(),
      routes: editors.routes.done(),
      apis: editors.apis.done(),
      apps: editors.apps.done(),
      appKeys: editors.appKeys.done(),
      appCodes: editors.appCodes.done(),
      openIdKeys: editors.openIdKeys.done(),
      grants: editors.grants.done(),
      variables: editors.variables.done(),
      backends: editors.backends.done(),
      vpcAccesses: editors.vpcAccesses.done(),
      policies: editors.policies.done(),
    }),
  };
}

function applyChange(editors: Editors, change: Change): void {
  switch (change.kind) {
    case 'group':
      changeGroup(editors, change.key, change.value);
      return;
    case 'api':
      changeApi(editors, change.key, change.value);
      return;
    case 'app':
      changeApp(editors, change.key, change.value);
      return;
    case 'grant':
      if (change.value === null) editors.grants.delete(change.key);
      else editors.grants.set(change.key, change.value);
      return;
    case 'stage':
      if (change.value === null) editors.variables.delete(change.key);
      else editors.variables.set(change.key, new Map(change.value.variables.map((row) => [row.name, row])));
      return;
    case 'backend':
      if (change.value === null) editors.backends.delete(change.key);
      else editors.backends.set(change.key, change.value.backend);
      return;
    case 'vpcAccess':
      if (change.value === null) editors.vpcAccesses.delete(change.key);
      else editors.vpcAccesses.set(change.key, change.value);
      return;
    case 'trafficControl':
    case 'ipControl':
    case 'signatureKey':
    case 'policies':
      changePolicies(editors.policies, change);
      return;
    case 'certificate':
      if (change.value === null) editors.certificates.delete(change.key);
      else editors.certificates.set(change.key, change.value);
      return;
    case 'service':
    case 'version':
    case 'alias':
    case 'function':
      return; // The compute plane's; an event function is reached by name.
  }
}

/** The hosts by which a group is reached. */
function hostsOf(entry: GroupEntry): Map<string, PublishedDomain | null> {
  const { group } = entry;
  const hosts = new Map<string, PublishedDomain | null>();
  if (group.hasOwnDomain !== false) hosts.set(group.subDomain.toLowerCase(), null);
  hosts.set(`${group.groupId}.localhost`.toLowerCase(), null);
  const intranetHost = `${group.groupId}-${group.regionId}-vpc.alicloudapi.com`.toLowerCase();
  if (group.hasIntranetDomain !== false) {
    hosts.set(intranetHost, { host: intranetHost, stage: null, isIntranet: true }); // Source: assumed.
  }
  for (const domain of group.domains) hosts.set(domain.host.toLowerCase(), domain);
  return hosts;
}

function changeGroup(editors: Editors, groupId: string, group: PublishedGroup | null): void {
  const former = editors.groups.get(groupId);
  if (former !== undefined) {
    for (const host of hostsOf(former).keys()) {
      if (editors.hosts.get(host)?.group.groupId === groupId) editors.hosts.delete(host);
    }
    editors.groups.delete(groupId);
    editors.oldTlsGroups.delete(groupId);
  }
  if (group === null) return;
  if (group.httpsPolicy !== undefined && httpsPolicies[group.httpsPolicy].minVersion === 'TLSv1') {
    editors.oldTlsGroups.set(groupId, true);
  }
  const entry: GroupEntry = { group, baseSegments: group.basePath === '/' ? [] : splitPath(group.basePath) };
  editors.groups.set(groupId, entry);
  for (const [host, domain] of hostsOf(entry)) {
    const patterns = domain?.patterns?.map(compileHostPattern) ?? [];
    editors.hosts.set(host, { ...entry, stage: domain?.stage ?? null, domain, patterns });
  }
}

function changeApi(editors: Editors, apiKey: string, api: PublishedApi | null): void {
  const former = editors.apis.get(apiKey);
  if (former !== undefined) {
    const { auth, request } = former.definition;
    editors.routes.of(former).remove(parsePattern(request.path).pattern, request.method, former);
    changeIssuer(editors, apiKey, auth.openId, null);
    editors.apis.delete(apiKey);
  }
  if (api === null) return;
  const entry = new ApiEntry(apiKey, api);
  const { auth, request } = api.definition;
  editors.apis.set(apiKey, entry);
  editors.routes.of(entry).insert(parsePattern(request.path).pattern, request.method, entry);
  changeIssuer(editors, apiKey, null, auth.openId);
}

function changeIssuer(editors: Editors, apiKey: string, former: OpenIdConfig | null, next: OpenIdConfig | null): void {
  if (former?.openIdApiType === 'IDTOKEN') {
    const left = (editors.openIdKeys.get(former.publicKeyId) ?? []).filter((issuer) => issuer.apiKey !== apiKey);
    if (left.length === 0) editors.openIdKeys.delete(former.publicKeyId);
    else editors.openIdKeys.set(former.publicKeyId, left);
  }
  if (next?.openIdApiType === 'IDTOKEN') {
    const others = editors.openIdKeys.get(next.publicKeyId) ?? [];
    editors.openIdKeys.set(next.publicKeyId, [...others, { apiKey, publicKey: next.publicKey }]);
  }
}

function changeApp(editors: Editors, appId: string, app: PublishedApp | null): void {
  const former = editors.apps.get(appId);
  for (const code of former?.codes ?? []) {
    const digest = codeDigest(code);
    if (String(editors.appCodes.get(digest)?.appId) === appId) editors.appCodes.delete(digest);
  }
  for (const { key } of former?.keys ?? []) {
    if (String(editors.appKeys.get(key)?.appId) === appId) editors.appKeys.delete(key);
  }
  editors.apps.delete(appId);
  if (app === null) return;
  editors.apps.set(appId, app);
  for (const { key, secret } of app.keys) {
    editors.appKeys.set(key, { appId: app.appId, appName: app.appName, key, secret });
  }
  const [first = { key: '', secret: '' }] = app.keys;
  for (const code of app.codes ?? []) {
    editors.appCodes.set(codeDigest(code), { appId: app.appId, appName: app.appName, ...first });
  }
}

/** The other stages in which a path and method would be found. */
export function stagesWith(routes: Routes, segments: readonly string[], from: number, method: string): StageName[] {
  return stageNames.filter((stage) => routes[stage].find(segments, from, method) !== null);
}
