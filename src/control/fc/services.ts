// Actions on services (2016-08-15 and 2021-04-06).
import { randomUUID } from 'node:crypto';
import { randomHex } from '../../base/ids.ts';
import { versionOwner } from '../../model/function.ts';
import type { ServiceRow } from '../../store/rows.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Received } from '../received.ts';
import type { FcAnswer } from './call.ts';
import { checkIfMatch, checkName, getService } from './names.ts';
import { collectPage, readFcPage } from './pages.ts';
import { checkPlaces } from './place-rules.ts';
import { republishService } from './publishing.ts';
import { changedPublication, getOwner, resolveVersion } from './qualifiers.ts';
import { checkDescription, refuseSetting } from './setting-rules.ts';
import { hasTags } from './tag-lists.ts';
import { type FcRecord, fcRecord, fcText } from './types.ts';
import { removeAliases } from './versions.ts';

/** Always present in answers. Source: sdk. */
const defaults: FcRecord = {
  description: '',
  role: '',
  logConfig: { project: '', logstore: '' },
  internetAccess: true,
};

/** An empty tracing configuration turns tracing off, and is shown so. Source: sdk. */
const noTracing = { type: null, params: null };

function show(row: ServiceRow): Readonly<Record<string, unknown>> {
  const tracing = row.settings['tracingConfig'];
  const isOff = typeof tracing === 'object' && tracing !== null && Object.keys(tracing).length === 0;
  return {
    ...row.settings,
    ...(isOff ? { tracingConfig: noTracing } : {}),
    serviceName: row.serviceName,
    serviceId: row.serviceId,
    createdTime: formatUtcSeconds(row.createdAt),
    lastModifiedTime: formatUtcSeconds(row.modifiedAt),
  };
}

function answer(row: ServiceRow): FcAnswer {
  return { kind: 'json', value: show(row), etag: row.etag };
}

function settingsIn(body: FcRecord): FcRecord {
  const { serviceName: _name, ...settings } = body;
  checkDescription(fcText(settings, 'description'));
  checkPlaces(settings);
  const tracing = fcText(fcRecord(settings, 'tracingConfig') ?? {}, 'type');
  if (tracing !== '' && tracing !== 'Jaeger') refuseSetting('TracingConfig.Type', 'Jaeger', tracing);
  return settings;
}

export const createService: FcAction = async ({ deps, body }) => {
  const serviceName = checkName('ServiceName', fcText(body, 'serviceName'));
  const now = deps.clock.now();
  const row: ServiceRow = {
    serviceName,
    serviceId: randomUUID(),
    settings: { ...defaults, ...settingsIn(body) },
    etag: randomHex(16),
    createdAt: now,
    modifiedAt: now,
  };
  await commit(deps, async (tx) => {
    if ((await tx.rows.services.get(serviceName)) !== null) {
      throw fcError('ServiceAlreadyExists', `service '${serviceName}' already exists`);
    }
    await tx.rows.services.insert(row);
    await tx.publish('service', serviceName, { serviceName });
  });
  return answer(row);
};

/** By a version or alias: as it was, with the version's description. Source: sdk. */
export const getServiceAction: FcAction = async (call) => {
  const row = await call.deps.store.read(async (tx) => {
    const head = await getService(tx, call.path['serviceName'] ?? '');
    const version = await resolveVersion(tx, await getOwner(tx, call), call.qualifier);
    if (version === null) return head;
    const frozen = version.service ?? head;
    return { ...frozen, settings: { ...frozen.settings, description: version.description } };
  });
  return answer(row);
};

/** `tag_<key>=<value>`; several must all fit, an empty value means any. Source: sdk. */
function wantedTags(received: Received) {
  return received.query
    .filter(([name]) => name.startsWith('tag_'))
    .map(([name, value]) => ({ key: name.slice('tag_'.length), value }));
}

export const listServices: FcAction = async ({ deps, received }) => {
  const page = readFcPage(received);
  const tags = wantedTags(received);
  const found = await deps.store.read((tx) =>
    collectPage(page, {
      fetch: (startKey, limit) =>
        tx.rows.services.list({ prefix: page.prefix, limit, ...(startKey === null ? {} : { startKey }) }),
      keyOf: (row) => row.serviceName,
      keep: (row) => hasTags(row, tags),
    }),
  );
  return { kind: 'json', value: { services: found.rows.map(show), nextToken: found.nextToken } };
};

/** Absent members stay. Source: docs. */
export const updateService: FcAction = async ({ deps, body, path, received }) => {
  const row = await commit(deps, async (tx) => {
    const old = await getService(tx, path['serviceName'] ?? '');
    checkIfMatch(received, old.etag);
    const changed: ServiceRow = {
      ...old,
      settings: { ...old.settings, ...settingsIn(body) },
      publication: changedPublication(old),
      etag: randomHex(16),
      modifiedAt: deps.clock.now(),
    };
    await tx.rows.services.update(changed);
    await republishService(tx, deps, changed);
    return changed;
  });
  return answer(row);
};

export const deleteService: FcAction = async ({ deps, path, received }) => {
  const serviceName = path['serviceName'] ?? '';
  await commit(deps, async (tx) => {
    const row = await getService(tx, serviceName);
    checkIfMatch(received, row.etag);
    if ((await tx.rows.functions.count('serviceName', serviceName)) > 0) {
      throw fcError('ServiceNotEmpty', `service '${serviceName}' has active 'functions'`);
    }
    const owner = versionOwner(serviceName, '');
    if ((await tx.rows.versions.list({ prefix: `${owner}/`, limit: 1 })).length > 0) {
      throw fcError('ServiceNotEmpty', `service '${serviceName}' has active 'versions'`);
    }
    await removeAliases(tx, owner);
    await tx.rows.services.delete(serviceName);
    await tx.publish('service', serviceName, null);
  });
  return { kind: 'empty' };
};
