// Actions on services (2016-08-15 and 2021-04-06), and the account's settings.
import { randomUUID } from 'node:crypto';
import { randomHex } from '../../base/ids.ts';
import type { ServiceRow } from '../../store/rows.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { commit } from '../ports.ts';
import { queryValue } from '../received.ts';
import type { FcAnswer } from './call.ts';
import { checkIfMatch, checkName, getService, requireLatest } from './names.ts';
import { collectPage, readFcPage } from './pages.ts';
import { republishService } from './publishing.ts';
import { type FcRecord, fcText } from './types.ts';

/** Always present in answers. Source: sdk (fc-api.md 5). */
const defaults: FcRecord = {
  description: '',
  role: '',
  logConfig: { project: '', logstore: '' },
  internetAccess: true,
};

function show(row: ServiceRow): Readonly<Record<string, unknown>> {
  return {
    ...row.settings,
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

export const getServiceAction: FcAction = async (call) => {
  const row = await call.deps.store.read((tx) => getService(tx, call.path['serviceName'] ?? ''));
  requireLatest(call);
  return answer(row);
};

export const listServices: FcAction = async ({ deps, received }) => {
  const page = readFcPage(received);
  const wantsTags = received.query.some(([name]) => name.startsWith('tag_'));
  const found = await deps.store.read((tx) =>
    collectPage(page, {
      fetch: (startKey, limit) =>
        tx.rows.services.list({ prefix: page.prefix, limit, ...(startKey === null ? {} : { startKey }) }),
      keyOf: (row) => row.serviceName,
      keep: () => !wantsTags,
    }),
  );
  return { kind: 'json', value: { services: found.rows.map(show), nextToken: found.nextToken } };
};

/** Absent members stay. Source: docs (fc-api.md 5). */
export const updateService: FcAction = async ({ deps, body, path, received }) => {
  const row = await commit(deps, async (tx) => {
    const old = await getService(tx, path['serviceName'] ?? '');
    checkIfMatch(received, old.etag);
    const changed: ServiceRow = {
      ...old,
      settings: { ...old.settings, ...settingsIn(body) },
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
    await tx.rows.services.delete(serviceName);
    await tx.publish('service', serviceName, null);
  });
  return { kind: 'empty' };
};

export const getAccountSettings: FcAction = async ({ deps }) => ({
  kind: 'json',
  value: { availableAZs: [`${deps.account.regionId}-a`], defaultRole: '' },
});

/** Values are texts. Source: sdk (fc-api.md 4.5). */
const accountConfigs: Readonly<Record<string, string>> = { CodeSizeLimit: '104857600' };

/** The names may be repeated, flattened (`config.1`) or one JSON text. Source: sdk (fc-api.md 4.3). */
export const getAccountConfigs: FcAction = async ({ received }) => {
  const names = received.query
    .filter(([name]) => name === 'config' || name.startsWith('config.'))
    .map(([, value]) => value);
  const json = queryValue(received.query, 'config') ?? '';
  const wanted = json.startsWith('[') ? json : names.join(',');
  const known = Object.entries(accountConfigs).filter(([name]) => wanted === '' || wanted.includes(name));
  return { kind: 'json', value: Object.fromEntries(known) };
};
