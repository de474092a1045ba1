// Simple authentication: an app names itself by a code in a header or the query. Called by identify.ts.
import type { ParameterPlace } from '../model/group-options.ts';
import { codeDigest } from './code-digest.ts';
import type { Caller, Matched } from './context.ts';
import { refuse } from './errors.ts';

/** A code as it was sent, and where. */
type SentCode = { readonly code: string; readonly place: ParameterPlace };

const headerForm = /^appcode +(\S+) *$/i;
const usualHeader: ParameterPlace = { location: 'HEADER', name: 'authorization' };

/** Source: docs. */
const queryNames = ['AppCode', 'appcode', 'appCode', 'APPCODE', 'APPCode'] as const;

/**
 * The code that the request carries; null when it carries none that the API takes.
 *
 * DEFAULT means off: there is no market here. A place that the group chose is looked at first; in a header of its own the code
 * stands alone or behind the usual word. Source: docs, of the group's place assumed.
 */
export function readCode(matched: Matched): SentCode | null {
  const { api, headers, query, group } = matched;
  const { appCode } = api.auth;
  if (appCode !== 'HEADER' && appCode !== 'HEADER_QUERY') return null;
  const own = group.options === undefined ? null : codeInOwnPlace(matched);
  if (own !== null) return own;
  const inHeader = headerForm.exec(headers.get('authorization') ?? '')?.[1];
  if (inHeader !== undefined) return { code: inHeader, place: usualHeader };
  if (appCode === 'HEADER') return null;
  for (const name of queryNames) {
    const code = query.get(name);
    if (code !== undefined && code !== '') return { code, place: { location: 'QUERY', name } };
  }
  return null;
}

function codeInOwnPlace({ api, headers, query, group }: Matched): SentCode | null {
  const place = group.options?.codePlace ?? null;
  if (place === null || (place.location === 'QUERY' && api.auth.appCode === 'HEADER')) return null;
  const text = (place.location === 'HEADER' ? headers : query).get(place.name) ?? '';
  if (text === '') return null;
  return { code: place.location === 'HEADER' ? (headerForm.exec(text)?.[1] ?? text) : text, place };
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
      field: place === usualHeader ? 'Authorization' : place.name,
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
