// IP control: which addresses may call an API. Compiled when it is published, applied by admit.ts.
import { compileIpRanges, type IpRanges } from '../../base/ip-ranges.ts';
import type { PublishedIpControl } from '../../model/published.ts';

export type CompiledIpControl = {
  readonly id: string;
  readonly type: 'ALLOW' | 'REFUSE';
  /** Without items a control has no effect. Source: docs. */
  readonly isEmpty: boolean;
  /** Of the items for every caller; of all items for REFUSE, which knows no apps. Source: docs. */
  readonly everyone: IpRanges;
  /** Of the items for single apps. */
  readonly byApp: ReadonlyMap<number, IpRanges>;
};

export function compileIpControl({ ipControlId, type, items }: PublishedIpControl): CompiledIpControl {
  const isForEveryone = (appId: number | null) => appId === null || type === 'REFUSE';
  const blocksByApp = new Map<number, string[]>();
  for (const { appId, blocks } of items) {
    if (appId === null || isForEveryone(appId)) continue;
    blocksByApp.set(appId, [...(blocksByApp.get(appId) ?? []), ...blocks]);
  }
  return {
    id: ipControlId,
    type,
    isEmpty: items.length === 0,
    everyone: compileIpRanges(items.flatMap(({ appId, blocks }) => (isForEveryone(appId) ? blocks : []))),
    byApp: new Map([...blocksByApp].map(([appId, blocks]) => [appId, compileIpRanges(blocks)])),
  };
}

/**
 * Whether a caller may call from an address. `appId` null: the caller is no app.
 *
 * ALLOW: the address must be in an item for everyone or in one for this app. An app that nothing restricts (only items for
 * other apps) passes; a caller that is no app does not. REFUSE: the address must be in no item.
 * Source: docs.
 */
export function isAddressAllowed(control: CompiledIpControl, address: string, appId: number | null): boolean {
  if (control.isEmpty) return true;
  if (control.type === 'REFUSE') return !control.everyone.has(address);
  const own = appId === null ? undefined : control.byApp.get(appId);
  if (own === undefined && appId !== null && control.everyone.isEmpty) return true;
  return control.everyone.has(address) || own?.has(address) === true;
}
