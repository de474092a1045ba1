// The parts of an HTTP trigger's configuration that have members of their own: tokens and origins. Called by http-trigger-config.ts.
import {
  type CorsRule,
  httpTriggerMethods,
  type JwtRule,
  type TokenPlace,
  tokenPlaces,
} from '../../model/http-function.ts';
import { fcError } from '../errors.ts';
import { refuseSetting } from './setting-rules.ts';
import { type FcRecord, type FcValue, isFcRecord } from './types.ts';

/** Keys, places and paths of one rule. Source: assumed. */
const listLimit = 50;
const maxAgeLimit = 86_400;
const defaultMaxAge = 3_600;
/** Members of private keys. */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'];
const keyTypes = ['RSA', 'EC', 'OKP', 'oct'] as const;

function refuse(what: string, why: string): never {
  throw fcError('InvalidArgument', `TriggerConfig.${what} ${why}`);
}

/**
 * Of `authConfig`: JSON text or an object `{jwks: {keys}, tokenLookup, claimPassBy, whitelist, blacklist}`.
 *
 * Errors: InvalidArgument.
 */
export function readJwtRule(given: FcValue | undefined): JwtRule {
  const config = asRecord('AuthConfig', given);
  const lookup = readPlaces('AuthConfig.tokenLookup', config['tokenLookup']).map(({ place, name, rest }) => ({
    place,
    name,
    prefix: rest,
  }));
  if (lookup.length === 0)
    refuse('AuthConfig.tokenLookup', 'is required: where callers send their token, e.g. header:Authorization:Bearer');
  const pass = readPlaces('AuthConfig.claimPassBy', config['claimPassBy']).map(({ place, name, rest }) => ({
    place,
    claim: name,
    target: rest === '' ? name : rest,
  }));
  return { keys: readKeys(config['jwks']), lookup, pass, paths: readPaths(config) };
}

function asRecord(what: string, given: FcValue | undefined): FcRecord {
  let value: unknown = given;
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value);
    } catch {
      value = null; // SyntaxError: refused below
    }
  }
  return isFcRecord(value) ? value : refuse(what, 'is set to an invalid value: it must be JSON');
}

function readKeys(given: FcValue | undefined): JwtRule['keys'] {
  const { keys } = asRecord('AuthConfig.jwks', given);
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > listLimit) {
    refuse('AuthConfig.jwks.keys', `must be a list of 1 to ${listLimit} JSON Web Keys`);
  }
  return keys.map((key: FcValue) => {
    if (!isFcRecord(key)) return refuse('AuthConfig.jwks.keys', 'holds something that is no JSON Web Key');
    if (!keyTypes.some((type) => type === key['kty']))
      refuseSetting('TriggerConfig.AuthConfig.jwks.keys.kty', keyTypes.join(' | '), key['kty']);
    if (key['kty'] !== 'oct' && privateMembers.some((name) => name in key)) {
      refuse('AuthConfig.jwks.keys', 'holds a private key: only its public part belongs here');
    }
    return key;
  });
}

/** `header:Authorization:Bearer,query:token`: place, name, and what else there is. */
function readPlaces(what: string, given: FcValue | undefined) {
  if (given === undefined || given === null || given === '') return [];
  if (typeof given !== 'string') return refuse(what, 'must be text such as header:Authorization:Bearer');
  const items = given.split(',');
  if (items.length > listLimit) refuse(what, `has more than ${listLimit} parts`);
  return items.map((item) => {
    const [place = '', name = '', ...rest] = item.trim().split(':');
    const known: TokenPlace | undefined = tokenPlaces.find((each) => each === place);
    // Source: docs: what names no place is a parameter of the query.
    if ((known === undefined && place !== '') || !/^[\w.-]{1,128}$/.test(name)) {
      return refuse(
        what,
        `is set to an invalid value '${item.slice(0, 100)}': it must be <${tokenPlaces.join('|')}>:<name>[:<text>]`,
      );
    }
    return { place: known ?? 'query', name, rest: rest.join(':') };
  });
}

function readPaths(config: FcRecord): JwtRule['paths'] {
  const [free, guarded] = [
    readTexts('AuthConfig.whitelist', config['whitelist']),
    readTexts('AuthConfig.blacklist', config['blacklist']),
  ];
  if (free.length > 0 && guarded.length > 0) refuse('AuthConfig', 'has both whitelist and blacklist');
  if (free.length > 0) return { are: 'free', patterns: free };
  return guarded.length > 0 ? { are: 'guarded', patterns: guarded } : null;
}

function readTexts(what: string, given: FcValue | undefined): readonly string[] {
  if (given === undefined || given === null) return [];
  const isRight =
    Array.isArray(given) &&
    given.length <= listLimit &&
    given.every((one: FcValue) => typeof one === 'string' && one !== '' && one.length <= 256);
  return isRight ? (given as readonly string[]) : refuse(what, `must be a list of at most ${listLimit} texts`);
}

/** Null: none is given. Errors: InvalidArgument. */
export function readCorsRule(given: FcValue | undefined): CorsRule | null {
  if (given === undefined || given === null || (isFcRecord(given) && Object.keys(given).length === 0)) return null;
  const config = asRecord('CorsConfig', given);
  const list = (name: string) => {
    const texts = readTexts(`CorsConfig.${name}`, config[name]);
    const odd = texts.find((text) => !/^[\x21-\x7e]+$/.test(text));
    return odd === undefined
      ? texts
      : refuseSetting(`TriggerConfig.CorsConfig.${name}`, 'ASCII text without blanks', odd);
  };
  const methods = list('allowMethods').map((method) => method.toUpperCase());
  const unknown = methods.find((method) => method !== '*' && !httpTriggerMethods.some((known) => known === method));
  if (unknown !== undefined)
    refuseSetting('TriggerConfig.CorsConfig.allowMethods', httpTriggerMethods.join(' | '), unknown);
  const { allowCredentials = false, maxAge = defaultMaxAge } = config;
  if (typeof allowCredentials !== 'boolean')
    return refuseSetting('TriggerConfig.CorsConfig.allowCredentials', 'true | false', allowCredentials);
  if (typeof maxAge !== 'number' || !Number.isInteger(maxAge) || maxAge < 0 || maxAge > maxAgeLimit) {
    return refuseSetting('TriggerConfig.CorsConfig.maxAge', `whole number from 0 to ${maxAgeLimit}`, maxAge);
  }
  const origins = list('allowOrigins');
  return {
    allowOrigins: origins.length === 0 ? ['*'] : origins,
    allowMethods: methods.includes('*') ? [] : methods,
    allowHeaders: list('allowHeaders').filter((name) => name !== '*'),
    exposeHeaders: list('exposeHeaders'),
    allowCredentials,
    maxAge,
  };
}
