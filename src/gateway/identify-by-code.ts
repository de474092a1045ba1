// Simple authentication: an app names itself by a code in a header or the query. Called by identify.ts.

import type { AppCodePlace } from '../model/published.ts';
import { codeDigest } from './code-digest.ts';
import type { Caller, Matched } from './context.ts';
import { refuse } from './errors.ts';

/** A code as it was sent, and where. */
type SentCode = { readonly code: string; readonly place: AppCodePlace };

const headerForm = /^appcode +(\S+) *$/i;

/** Source: docs. */
const queryNames = ['AppCode', 'appcode', 'appCode', 'APPCODE', 'APPCode'] as const;

/**
 * The code that the request carries; null when it carries none that the API takes.
 *
 * DEFAULT means off: there is no market here. Source: docs.
 */
export function readCode(matched: Matched): SentCode | null {
  const { api, headers, query } = matched;
  const { appCode } = api.auth;
  if (appCode !== 'HEADER' && appCode !== 'HEADER_QUERY') return null;
  const inHeader = headerForm.exec(headers.get('authorization') ?? '')?.[1];
  if (inHeader !== undefined) return { code: inHeader, place: { kind: 'header', name: 'authorization' } };
  const inOwnPlace = readOwnPlace(matched);
  if (inOwnPlace !== null) return inOwnPlace;
  if (appCode === 'HEADER') return null;
  for (const name of queryNames) {
    const code = query.get(name);
    if (code !== undefined && code !== '') return { code, place: { kind: 'query', name } };
  }
  return null;
}

/** Where the group says, in a place that the API takes. Source: docs for the places; that the usual ones go on is assumed. */
function readOwnPlace({ api, group, headers, query }: Matched): SentCode | null {
  const place = group.ownAppCodePlace ?? null;
  if (place === null || (place.kind === 'query' && api.auth.appCode === 'HEADER')) return null;
  const sent = (place.kind === 'header' ? headers.get(place.name) : query.get(place.name)) ?? '';
  const code = headerForm.exec(sent)?.[1] ?? sent.trim();
  return code === '' ? null : { code, place };
}

/** Errors: A400AC (or A401AC, by the settings). */
export function identifyByCode(matched: Matched, { code, place }: SentCode): Caller {
  const app = matched.snapshot.appCodes.get(codeDigest(code));
  if (app !== undefined) return { kind: 'app', appId: app.appId, appName: app.appName, appKey: app.key, code: place };
  throw refuse(
    matched.deps.settings.unknownCodeError,
    { Reason: 'not found' },
    {
      side: 'client',
      field: place.name === 'authorization' ? 'Authorization' : place.name,
      expected: 'the AppCode of an app',
      got: '(hidden)',
      message:
        'No app has the AppCode that was sent. Check that it was not reset or deleted, and that it belongs to this gateway.',
    },
  );
}

/** What an API that takes no code, or not in this place, says to a caller who sent one; null when none was sent. */
export function whyCodeIsNotTaken({ api, headers, query }: Matched): string | null {
  const { appCode } = api.auth;
  if (headerForm.test(headers.get('authorization') ?? '')) {
    return `an AppCode was sent, but the API's AppCodeAuthType is ${appCode}; set it to HEADER, or sign the request`;
  }
  const name = queryNames.find((spelling) => query.has(spelling));
  if (name === undefined) return null;
  const remedy = appCode === 'HEADER' ? 'send it as "Authorization: APPCODE <code>"' : 'set it to HEADER_QUERY';
  return `an AppCode was sent in the query (${name}), but the API's AppCodeAuthType is ${appCode}; ${remedy}`;
}
