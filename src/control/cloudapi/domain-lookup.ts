// Finding a domain of a group. Used by domains.ts and domain-certificates.ts.
import type { ReadTransaction } from '../../store/port.ts';
import type { DomainRow } from '../../store/rows.ts';
import { openApiError } from '../errors.ts';
import { getGroup } from './lookup.ts';

/** Errors: NotFoundApiGroup, NotFoundDomain. */
export async function getDomain(tx: ReadTransaction, groupId: string, name: string): Promise<DomainRow> {
  await getGroup(tx, groupId);
  const domain = await tx.rows.domains.get(name);
  if (domain !== null && domain.groupId === groupId) return domain;
  throw openApiError(
    'NotFoundDomain',
    `Cannot find resource [Domain] according to your specified DomainName ${name.slice(0, 100)}.`,
  );
}
