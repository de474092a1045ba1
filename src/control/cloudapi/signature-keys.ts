// Actions on backend signature keys: what the gateway signs backend requests with.
import { randomHex } from '../../base/ids.ts';
import type { WriteTransaction } from '../../store/port.ts';
import type { SignatureKeyRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { utc } from './lookup.ts';
import { allPolicies, bindingActions, pageOfPolicies, refuseOneMore } from './policy-actions.ts';
import { bindingOfApi, notFound, type PolicyType, refuseBound } from './policy-bindings.ts';

const signatureKey: PolicyType = {
  kind: 'signatureKey',
  thing: 'Signature',
  idName: 'SignatureId',
  nameOf: async (tx, id) => (await tx.rows.signatureKeys.get(id))?.name ?? null,
};

const idOf = (row: SignatureKeyRow) => row.signatureId;

/** Source: docs. */
const keyPattern = /^[A-Za-z][A-Za-z0-9_]{5,19}$/;
const secretPattern = /^[A-Za-z0-9_@#!*]{6,30}$/;

/** Errors: InvalidSignatureName, InvalidSignatureKey, InvalidSignatureSecret. The secret itself is never in a message. */
function checkText(args: Arguments): void {
  const given = (name: string) => args.optionalText(name) ?? '';
  if (given('SignatureName').startsWith('_')) {
    throw openApiError('InvalidSignatureName', 'The parameter SignatureName may not start with _.');
  }
  if (given('SignatureKey') !== '' && !keyPattern.test(given('SignatureKey'))) {
    throw openApiError(
      'InvalidSignatureKey',
      'The parameter SignatureKey must have 6 to 20 letters, digits and _, a letter first.',
    );
  }
  if (given('SignatureSecret') !== '' && !secretPattern.test(given('SignatureSecret'))) {
    throw openApiError(
      'InvalidSignatureSecret',
      'The parameter SignatureSecret must have 6 to 30 letters, digits and characters of _@#!*.',
    );
  }
}

async function getSignatureKey(tx: WriteTransaction, id: string): Promise<SignatureKeyRow> {
  const row = await tx.rows.signatureKeys.get(id);
  if (row === null) throw notFound(signatureKey, id);
  return row;
}

function publish(tx: WriteTransaction, { signatureId, key, secret }: SignatureKeyRow): Promise<void> {
  return tx.publish('signatureKey', signatureId, { signatureId, key, secret });
}

export const createSignature: RpcAction = async ({ args, deps }) => {
  checkText(args);
  const now = deps.clock.now();
  const row: SignatureKeyRow = {
    signatureId: randomHex(16),
    name: args.text('SignatureName'),
    key: args.text('SignatureKey'),
    secret: args.text('SignatureSecret'),
    createdAt: now,
    modifiedAt: now,
  };
  await commit(deps, async (tx) => {
    await refuseOneMore(signatureKey, tx.rows.signatureKeys);
    await tx.rows.signatureKeys.insert(row);
    await publish(tx, row);
  });
  return { SignatureId: row.signatureId, SignatureName: row.name };
};

/** In force at once; what is not given stays. Source: docs. */
export const modifySignature: RpcAction = async ({ args, deps }) => {
  checkText(args);
  const given = (name: string, old: string) => args.optionalText(name) || old;
  const row = await commit(deps, async (tx) => {
    const old = await getSignatureKey(tx, args.text('SignatureId'));
    const changed: SignatureKeyRow = {
      ...old,
      name: given('SignatureName', old.name),
      key: given('SignatureKey', old.key),
      secret: given('SignatureSecret', old.secret),
      modifiedAt: deps.clock.now(),
    };
    await tx.rows.signatureKeys.update(changed);
    await publish(tx, changed);
    return changed;
  });
  return { SignatureId: row.signatureId, SignatureName: row.name };
};

export const deleteSignature: RpcAction = async ({ args, deps }) => {
  const id = args.text('SignatureId');
  await commit(deps, async (tx) => {
    await getSignatureKey(tx, id);
    await refuseBound(tx, signatureKey, id);
    await tx.rows.signatureKeys.delete(id);
    await tx.publish('signatureKey', id, null);
  });
  return {};
};

/** The secret is shown, as the service does. Source: docs. */
export const describeSignatures: RpcAction = async ({ args, deps }) => {
  const all = await deps.store.read((tx) => allPolicies(tx.rows.signatureKeys, idOf));
  const page = pageOfPolicies(signatureKey, args, all, idOf);
  const SignatureInfos = page.rows.map((row) => ({
    SignatureId: row.signatureId,
    SignatureName: row.name,
    SignatureKey: row.key,
    SignatureSecret: row.secret,
    RegionId: deps.account.regionId,
    CreatedTime: utc(row.createdAt),
    ModifiedTime: utc(row.modifiedAt),
  }));
  return { ...page.totals, SignatureInfos };
};

export const signatureKeyBindings = bindingActions(signatureKey, 'ApiSignatures');

export const describeSignaturesByApi: RpcAction = async (call) => {
  const bound = await bindingOfApi(signatureKey, call);
  if (bound === null) return {};
  return { Signatures: [{ SignatureId: bound.id, SignatureName: bound.name, BoundTime: bound.boundAt }] };
};
