// Publishes functions and services to the data processes. Called inside the transactions of the actions.
import { latest, mergedName, publishedFunctionKey } from '../../model/function.ts';
import type { PublishedFunction } from '../../model/published.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { FunctionRow, ServiceRow } from '../../store/rows.ts';
import type { ControlDeps } from '../ports.ts';
import { initializerOf, lifecycleHookOf } from './function-settings.ts';
import { serverProgramOf } from './server-program.ts';
import { type FcRecord, fcNumber, fcRecord, fcText, isFcRecord } from './types.ts';

/** Rows read at once while a service's functions are walked. */
const pageSize = 200;

/** Settings as stored; a row always holds an object. */
export function settingsOf(row: { readonly settings: Readonly<Record<string, unknown>> }): FcRecord {
  return isFcRecord(row.settings) ? row.settings : {};
}

function environmentOf(settings: FcRecord): Record<string, string> {
  const entries = Object.entries(fcRecord(settings, 'environmentVariables') ?? {});
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

/** 3 GB have two processors. Source: docs (tied to memory); the ratio assumed. */
function cpuOf(settings: FcRecord): Pick<PublishedFunction, 'cpu' | 'cpuLimit'> {
  const cpu = fcNumber(settings, 'cpu') ?? 0;
  return cpu > 0 ? { cpu, cpuLimit: cpu } : { cpu: (fcNumber(settings, 'memorySize') ?? 128) / 1536 };
}

/** 0 is as absent (assumed). */
function idleMsOf(settings: FcRecord): number | null {
  const seconds = fcNumber(settings, 'idleTimeout') ?? 0;
  return seconds === 0 ? null : seconds * 1000;
}

/** Whose functions they are, and where. */
type Place = Pick<ControlDeps, 'account'>;

/** One version of a function, as rows hold it. Service null: FC 3. */
export type FunctionVersion = {
  readonly row: FunctionRow;
  readonly service: ServiceRow | null;
  readonly versionId: string;
};

/** Of `{type: 'Jaeger', params: {endpoint}}`. */
function jaegerOf(owner: FcRecord): Pick<PublishedFunction, 'jaegerEndpoint'> {
  const endpoint = fcText(fcRecord(fcRecord(owner, 'tracingConfig') ?? {}, 'params') ?? {}, 'endpoint');
  return endpoint === '' ? {} : { jaegerEndpoint: endpoint };
}

/** What the data process needs. Role, logs, traces and network are the service's for FC 2 and the function's own for FC 3. */
function publishedFunction(place: Place, { row, service, versionId }: FunctionVersion): PublishedFunction {
  const settings = settingsOf(row);
  const owner = service === null ? settings : settingsOf(service);
  const log = fcRecord(owner, 'logConfig') ?? {};
  const role = fcText(owner, 'role');
  const server = serverProgramOf(settings);
  return {
    key: row.key,
    accountId: place.account.accountId,
    regionId: place.account.regionId,
    serviceName: row.serviceName,
    functionName: row.functionName,
    versionId,
    runtime: fcText(settings, 'runtime'),
    handler: fcText(settings, 'handler'),
    memoryMb: fcNumber(settings, 'memorySize') ?? 128,
    timeoutMs: (fcNumber(settings, 'timeout') ?? 3) * 1000,
    initializer: initializerOf(settings),
    // FC 3 has no such hook. Source: docs.
    preFreeze: row.serviceName === null ? null : lifecycleHookOf(settings, 'preFreeze'),
    preStop: lifecycleHookOf(settings, 'preStop'),
    environment: environmentOf(settings),
    instanceConcurrency: fcNumber(settings, 'instanceConcurrency') ?? 1,
    ...cpuOf(settings),
    disablesOnDemand: settings['disableOndemand'] === true,
    idleMs: idleMsOf(settings),
    softConcurrency: fcNumber(settings, 'instanceSoftConcurrency'),
    ...(server === undefined ? {} : { server }),
    role: role === '' ? null : role,
    internetAccess: owner['internetAccess'] !== false,
    logProject: fcText(log, 'project'),
    logStore: fcText(log, 'logstore'),
    ...jaegerOf(owner),
    layers: mergedName((row.layers ?? []).map((layer) => layer.packageSha256)),
    code: { sha256: row.packageSha256, checksum: row.codeChecksum, sizeBytes: row.codeSizeBytes },
  };
}

export function publishVersion(tx: WriteTransaction, place: Place, version: FunctionVersion): Promise<void> {
  const key = publishedFunctionKey(version.row.key, version.versionId);
  return tx.publish('function', key, publishedFunction(place, version));
}

/** Publishes the version that is being worked on. */
export function publishFunction(
  tx: WriteTransaction,
  place: Place,
  row: FunctionRow,
  service: ServiceRow | null,
): Promise<void> {
  return publishVersion(tx, place, { row, service, versionId: latest });
}

/** Gives the functions of a service one by one. */
export async function* functionsOf(tx: ReadTransaction, serviceName: string): AsyncGenerator<FunctionRow> {
  const prefix = `${serviceName}/`;
  let rows = await tx.rows.functions.list({ prefix, limit: pageSize });
  while (true) {
    yield* rows;
    const last = rows.at(-1);
    if (rows.length < pageSize || last === undefined) return;
    rows = await tx.rows.functions.list({ prefix, startKey: `${last.key}\u0000`, limit: pageSize });
  }
}

/** Publishes every function of a service again: its role or log store may have changed. */
export async function republishService(tx: WriteTransaction, place: Place, service: ServiceRow): Promise<void> {
  for await (const row of functionsOf(tx, service.serviceName)) await publishFunction(tx, place, row, service);
}
