// Actions on triggers, the same for the three versions. HTTP triggers only: what the data process needs of one is published.
import { randomUUID } from 'node:crypto';
import { randomHex } from '../../base/ids.ts';
import { latest } from '../../model/function.ts';
import { type HttpTrigger, httpTriggerKey } from '../../model/http-function.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { FunctionRow, TriggerRow } from '../../store/rows.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { FcAnswer, FcCall } from './call.ts';
import { checkTriggerType, readHttpTriggerConfig } from './http-trigger-config.ts';
import { checkIfMatch, checkName, fc3Name, getFunction, namedFunction } from './names.ts';
import { collectPage, readFcPage } from './pages.ts';
import { checkQualifier } from './qualifiers.ts';
import { checkDescription } from './setting-rules.ts';
import { fcText } from './types.ts';

/** Triggers of one function. Source: docs. */
const triggerLimit = 50;
/** First label of a URL's host: a DNS label, the end of it random. */
const labelLimit = 63;
const randomLetters = 10;

/** Source: docs (sourceArn is null, also when one was sent). */
function show(call: FcCall, row: TriggerRow): Readonly<Record<string, unknown>> {
  const { published } = row;
  const { regionId, accountId } = call.deps.account;
  const host = `${published.urlPrefix}.${regionId}.fcapp.run`;
  const urls = {
    urlInternet: publicUrl(call, published.urlPrefix) ?? `https://${host}`,
    urlIntranet: `https://${published.urlPrefix}.${regionId}-vpc.fcapp.run`,
  };
  const common = {
    triggerId: published.triggerId,
    triggerName: row.triggerName,
    triggerType: 'http',
    // An object in the oldest version, JSON text in the others. Source: sdk.
    triggerConfig: call.version === '2016-08-15' ? row.config : JSON.stringify(row.config),
    description: row.description,
    invocationRole: row.invocationRole,
    qualifier: published.qualifier,
    sourceArn: null,
    createdTime: formatUtcSeconds(row.createdAt),
    lastModifiedTime: formatUtcSeconds(row.modifiedAt),
  };
  if (call.version !== '2023-03-30') return { ...common, ...urls, domainName: host };
  const name = fc3Name(published);
  return {
    ...common,
    httpTrigger: urls,
    status: 'Active',
    targetArn: `acs:fc:${regionId}:${accountId}:functions/${name}`,
  };
}

/** The URL under which this server itself can be called: `http://<prefix>.localhost:8082`. */
function publicUrl({ deps }: FcCall, urlPrefix: string): string | null {
  const base = deps.functionUrls();
  if (base === null) return null;
  const { protocol, port } = new URL(base);
  return `${protocol}//${urlPrefix}.localhost${port === '' ? '' : `:${port}`}`;
}

function answer(call: FcCall, row: TriggerRow): FcAnswer {
  return { kind: 'json', value: show(call, row), etag: row.etag };
}

async function getTrigger(tx: ReadTransaction, call: FcCall): Promise<TriggerRow> {
  const { key } = await getFunction(tx, namedFunction(call));
  const name = call.path['triggerName'] ?? '';
  const row = await tx.rows.triggers.get(`${key}:${name}`);
  if (row === null) throw fcError('TriggerNotFound', `trigger '${name.slice(0, 150)}' does not exist`);
  return row;
}

/** `function-service-abcdefghij`, as the cloud forms it. Source: assumed. */
function makeUrlPrefix({ serviceName, functionName }: FunctionRow): string {
  const words = [functionName, serviceName ?? ''].join('-').toLowerCase();
  const label = words.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
  const random = [...randomHex(randomLetters)].map((digit) => String.fromCharCode(97 + Number.parseInt(digit, 16)));
  const kept = label.slice(0, labelLimit - randomLetters - 1).replace(/-$/, '');
  return `${kept === '' ? 'f' : kept}-${random.slice(0, randomLetters).join('')}`;
}

/** A qualifier has one HTTP trigger at most. Source: docs; the code assumed. */
function refuseSecond(triggers: readonly TriggerRow[], { triggerName, qualifier }: HttpTrigger): void {
  const other = triggers.find((each) => each.published.qualifier === qualifier && each.triggerName !== triggerName);
  if (other === undefined) return;
  throw fcError('InvalidArgument', `qualifier '${qualifier}' has the HTTP trigger '${other.triggerName}' already`);
}

export const createTrigger: FcAction = async (call) => {
  const { deps, body } = call;
  const triggerName = checkName('TriggerName', fcText(body, 'triggerName'));
  checkTriggerType(fcText(body, 'triggerType'));
  const { shown, ...config } = readHttpTriggerConfig(body['triggerConfig']);
  const qualifier = fcText(body, 'qualifier') || latest;
  const now = deps.clock.now();
  const description = checkDescription(fcText(body, 'description'));
  const made = await commit(deps, async (tx) => {
    const of = await getFunction(tx, namedFunction(call));
    const triggers = await tx.rows.triggers.list({ prefix: `${of.key}:`, limit: triggerLimit });
    if (triggers.some((each) => each.triggerName === triggerName)) {
      throw fcError('TriggerAlreadyExists', `trigger '${triggerName}' already exists`);
    }
    if (triggers.length >= triggerLimit) {
      throw fcError('LimitExceededError', `function '${of.functionName}' has ${triggerLimit} triggers`);
    }
    await checkQualifier(tx, of, qualifier);
    const { serviceName, functionName } = of;
    const ids = { triggerId: randomUUID(), urlPrefix: makeUrlPrefix(of) };
    const published: HttpTrigger = { ...ids, triggerName, serviceName, functionName, qualifier, ...config };
    refuseSecond(triggers, published);
    const row: TriggerRow = {
      functionKey: of.key,
      triggerName,
      description,
      invocationRole: fcText(body, 'invocationRole'),
      createdAt: now,
      modifiedAt: now,
      etag: randomHex(16),
      config: shown,
      published,
    };
    await tx.rows.triggers.insert(row);
    await tx.publish('httpTrigger', httpTriggerKey(published), published);
    return row;
  });
  return answer(call, made);
};

export const getTriggerAction: FcAction = async (call) =>
  answer(call, await call.deps.store.read((tx) => getTrigger(tx, call)));

export const listTriggers: FcAction = async (call) => {
  const page = readFcPage(call.received);
  const found = await call.deps.store.read(async (tx) => {
    const base = `${(await getFunction(tx, namedFunction(call))).key}:`;
    return collectPage(page, {
      fetch: (startKey, limit) => {
        const start = startKey === null ? {} : { startKey: `${base}${startKey}` };
        return tx.rows.triggers.list({ prefix: `${base}${page.prefix}`, limit, ...start });
      },
      keyOf: (row) => row.triggerName,
      keep: () => true,
    });
  });
  const triggers = found.rows.map((row) => show(call, row));
  return { kind: 'json', value: { triggers, nextToken: found.nextToken } };
};

/** Absent members stay; a configuration is replaced as a whole. */
export const updateTrigger: FcAction = async (call) => {
  const { deps, body, received } = call;
  const config = 'triggerConfig' in body ? readHttpTriggerConfig(body['triggerConfig']) : null;
  const changed = await commit(deps, async (tx) => {
    const old = await getTrigger(tx, call);
    checkIfMatch(received, old.etag);
    const published = { ...old.published, ...(await changesIn(tx, call, config)) };
    const row: TriggerRow = {
      ...old,
      ...('description' in body ? { description: checkDescription(fcText(body, 'description')) } : {}),
      ...('invocationRole' in body ? { invocationRole: fcText(body, 'invocationRole') } : {}),
      ...(config === null ? {} : { config: config.shown }),
      published,
      etag: randomHex(16),
      modifiedAt: deps.clock.now(),
    };
    const others = await tx.rows.triggers.list({ prefix: `${old.functionKey}:`, limit: triggerLimit });
    refuseSecond(others, published);
    await tx.rows.triggers.update(row);
    await republish(tx, old.published, published);
    return row;
  });
  return answer(call, changed);
};

async function changesIn(
  tx: ReadTransaction,
  call: FcCall,
  config: ReturnType<typeof readHttpTriggerConfig> | null,
): Promise<Partial<HttpTrigger>> {
  const qualifier = fcText(call.body, 'qualifier');
  if (qualifier !== '') await checkQualifier(tx, await getFunction(tx, namedFunction(call)), qualifier);
  const { shown: _shown, ...settings } = config ?? { shown: null };
  return { ...settings, ...(qualifier === '' ? {} : { qualifier }) };
}

async function republish(tx: WriteTransaction, old: HttpTrigger, changed: HttpTrigger): Promise<void> {
  if (httpTriggerKey(old) !== httpTriggerKey(changed)) await tx.publish('httpTrigger', httpTriggerKey(old), null);
  await tx.publish('httpTrigger', httpTriggerKey(changed), changed);
}

export const deleteTrigger: FcAction = async (call) => {
  await commit(call.deps, async (tx) => {
    const row = await getTrigger(tx, call);
    checkIfMatch(call.received, row.etag);
    await tx.rows.triggers.delete(`${row.functionKey}:${row.triggerName}`);
    await tx.publish('httpTrigger', httpTriggerKey(row.published), null);
  });
  return { kind: 'empty' };
};
