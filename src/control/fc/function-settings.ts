// A function's settings: their defaults by version, and what of them the data process needs. Called by the function actions.
// What they may be is in setting-rules.ts.

import type { Hook } from '../../model/function.ts';
import type { FcVersion } from '../catalogue.ts';
import { type FcRecord, fcNumber, fcRecord, fcText } from './types.ts';

/** Source: docs and sdk; the time-out's 3 s and the memory's 128 MB are assumed. */
const commonDefaults: FcRecord = {
  description: '',
  timeout: 3,
  memorySize: 128,
  diskSize: 512,
  instanceConcurrency: 1,
  environmentVariables: {},
  layers: [],
};

/** FC 2 is what the two older versions of the API serve. */
export type Generation = 'fc2' | 'fc3';

const defaultsOf: Readonly<Record<Generation, FcRecord>> = {
  fc2: { ...commonDefaults, initializer: '', initializationTimeout: 3, instanceType: 'e1', caPort: 9000 },
  fc3: { ...commonDefaults, internetAccess: true, role: '', instanceIsolationMode: 'SHARE', sessionAffinity: 'NONE' },
};

export function generationOf(version: FcVersion): Generation {
  return version === '2023-03-30' ? 'fc3' : 'fc2';
}

/** `given` over the defaults of a new function. */
export function withDefaults(version: FcVersion, given: FcRecord): FcRecord {
  return { ...defaultsOf[generationOf(version)], ...given };
}

/** Members that are kept apart from the settings. */
const ownMembers = new Set(['functionName', 'code', 'tags']);

/** The members of a request that are settings. */
export function settingsIn(body: FcRecord): FcRecord {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !ownMembers.has(name)));
}

/** The initializer in either generation's spelling; times in ms. */
export function initializerOf(settings: FcRecord): Hook | null {
  const hook = fcRecord(fcRecord(settings, 'instanceLifecycleConfig') ?? {}, 'initializer');
  const handler = hook === null ? fcText(settings, 'initializer') : fcText(hook, 'handler');
  if (handler === '') return null;
  const seconds = hook === null ? fcNumber(settings, 'initializationTimeout') : fcNumber(hook, 'timeout');
  return { handler, timeoutMs: (seconds ?? 3) * 1000 };
}

/** Source: docs: preFreeze is FC 2's alone; each takes 3 s unless said. */
export function lifecycleHookOf(settings: FcRecord, name: 'preFreeze' | 'preStop'): Hook | null {
  const hook = fcRecord(fcRecord(settings, 'instanceLifecycleConfig') ?? {}, name) ?? {};
  const handler = fcText(hook, 'handler');
  return handler === '' ? null : { handler, timeoutMs: (fcNumber(hook, 'timeout') ?? 3) * 1000 };
}
