// HTTP triggers by the public APIs: 2021-04-06 below a service, 2023-03-30 without one. Used by the dev project and commands.
import { encodeRfc3986 } from '../../wire/percent-encoding.ts';
import { type FunctionName, orMissing, pathOf } from './functions.ts';
import { isRecord, type JsonRecord, readText } from './json.ts';
import { type ApiTarget, callFc } from './openapi.ts';

export type HttpTrigger = {
  readonly name: string;
  readonly authType: string;
  readonly methods: readonly string[];
  readonly qualifier: string | null;
};

function placeOf(name: FunctionName, trigger: string | null) {
  const { version, path } = pathOf(name);
  return { version, path: `${path}/triggers${trigger === null ? '' : `/${encodeRfc3986(trigger)}`}` };
}

/** Makes the trigger, or makes the one of that name be so. Gives its URL; null when the server tells none. */
export async function ensureHttpTrigger(
  target: ApiTarget,
  name: FunctionName,
  trigger: HttpTrigger,
): Promise<string | null> {
  const { authType, methods, qualifier } = trigger;
  const settings = {
    triggerConfig: JSON.stringify({ authType, methods }),
    ...(qualifier === null ? {} : { qualifier }),
  };
  const one = placeOf(name, trigger.name);
  const existing = await orMissing(callFc(target, { method: 'GET', action: 'GetTrigger', ...one }));
  if (existing !== null) {
    return urlOf(await callFc(target, { method: 'PUT', action: 'UpdateTrigger', ...one, json: settings }));
  }
  const json = { triggerName: trigger.name, triggerType: 'http', ...settings };
  return urlOf(await callFc(target, { method: 'POST', action: 'CreateTrigger', ...placeOf(name, null), json }));
}

export async function deleteTrigger(target: ApiTarget, name: FunctionName, trigger: string): Promise<void> {
  await callFc(target, { method: 'DELETE', action: 'DeleteTrigger', ...placeOf(name, trigger) });
}

function urlOf(answer: JsonRecord): string | null {
  const http = answer['httpTrigger'];
  return readText(answer, 'urlInternet') ?? (isRecord(http) ? readText(http, 'urlInternet') : null);
}
