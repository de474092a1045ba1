// The configuration of an HTTP trigger: what it may be, and the words in which a wrong one is refused. Called by triggers.ts.
import { type HttpTrigger, httpTriggerAuthTypes, httpTriggerMethods } from '../../model/http-function.ts';
import { fcError } from '../errors.ts';
import { readCorsRule, readJwtRule } from './http-trigger-rules.ts';
import { refuseSetting } from './setting-rules.ts';
import { type FcRecord, type FcValue, isFcRecord } from './types.ts';

/** Types that the cloud knows. Source: docs. */
const triggerTypes = ['http', 'oss', 'log', 'timer', 'tablestore', 'cdn_events', 'mns_topic', 'eventbridge'] as const;

/** Errors: InvalidArgument, for a type that is none and for one that is not served here. */
export function checkTriggerType(type: string): void {
  if (type === 'http') return;
  if (!triggerTypes.some((known) => known === type)) refuseSetting('TriggerType', triggerTypes.join(' | '), type);
  throw fcError('InvalidArgument', `TriggerType ${type} is not supported by this server (supported: http)`);
}

/** `jwt` and `cors` are there in any case, so that what is replaced goes. */
export type HttpTriggerConfig = Pick<HttpTrigger, 'authType' | 'methods' | 'disablesInternetUrl'> & {
  readonly jwt: HttpTrigger['jwt'] | undefined;
  readonly cors: HttpTrigger['cors'] | undefined;
  /** As given, in canonical names, with the defaults: what answers show. */
  readonly shown: FcRecord;
};

/** An object, or its JSON text. */
function asRecord(given: FcValue | undefined): FcRecord {
  let value: unknown = given;
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value);
    } catch {
      value = null;
    }
  }
  if (!isFcRecord(value)) throw fcError('InvalidArgument', 'TriggerConfig is set to an invalid value: it must be JSON');
  return value;
}

const members = ['authType', 'methods', 'authConfig', 'disableURLInternet', 'corsConfig'] as const;

/** Members in canonical spelling; unknown and empty ones are left out. */
function canonical(record: FcRecord): FcRecord {
  const byCase = new Map(members.map((name) => [name.toLowerCase(), name] as const));
  const entries = Object.entries(record).flatMap(([given, value]) => {
    const name = byCase.get(given.toLowerCase());
    return name === undefined || value === null || value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(entries);
}

function readMethods(value: FcValue | undefined): readonly string[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw fcError('InvalidArgument', 'TriggerConfig.Methods is required: at least one HTTP method');
  }
  return value.map((method: FcValue) => {
    const name = String(method).toUpperCase();
    if (!httpTriggerMethods.some((known) => known === name)) {
      refuseSetting('TriggerConfig.Methods', httpTriggerMethods.join(' | '), method);
    }
    return name;
  });
}

/** Errors: InvalidArgument. Source: docs (authType `function` when none is given). */
export function readHttpTriggerConfig(given: FcValue | undefined): HttpTriggerConfig {
  const config = canonical(asRecord(given));
  const asked = config['authType'] ?? 'function';
  const authType = httpTriggerAuthTypes.find((known) => known === String(asked).toLowerCase());
  if (authType === undefined) return refuseSetting('TriggerConfig.AuthType', httpTriggerAuthTypes.join(' | '), asked);
  const methods = readMethods(config['methods']);
  const disables = config['disableURLInternet'] ?? false;
  if (typeof disables !== 'boolean') refuseSetting('TriggerConfig.DisableURLInternet', 'true | false', disables);
  const hasAuthConfig = config['authConfig'] !== undefined && config['authConfig'] !== '';
  if (hasAuthConfig && authType !== 'jwt') {
    throw fcError('InvalidArgument', `TriggerConfig.AuthConfig has no meaning for the AuthType ${authType}`);
  }
  return {
    authType,
    methods: [...new Set(methods)],
    disablesInternetUrl: disables === true,
    jwt: authType === 'jwt' ? readJwtRule(config['authConfig']) : undefined,
    cors: readCorsRule(config['corsConfig']) ?? undefined,
    shown: { ...config, authType },
  };
}
