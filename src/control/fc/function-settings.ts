// A function's settings: defaults and limits by version, and what of them the data process needs. Called by the function actions.
import type { FcVersion } from '../catalogue.ts';
import { fcError } from '../errors.ts';
import type { Runtimes } from '../ports.ts';
import { type FcRecord, fcNumber, fcRecord, fcText } from './types.ts';

/** Source: docs and sdk (fc-api.md 4.2); the time-out's 3 s and the memory's 128 MB are assumed. */
const commonDefaults: FcRecord = {
  description: '',
  timeout: 3,
  memorySize: 128,
  diskSize: 512,
  instanceConcurrency: 1,
  environmentVariables: {},
  layers: [],
};

const defaultsOf: Readonly<Record<'fc2' | 'fc3', FcRecord>> = {
  fc2: { ...commonDefaults, initializer: '', initializationTimeout: 3, instanceType: 'e1', caPort: 9000 },
  fc3: { ...commonDefaults, internetAccess: true, role: '', instanceIsolationMode: 'SHARE', sessionAffinity: 'NONE' },
};

export function generationOf(version: FcVersion): 'fc2' | 'fc3' {
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

function refuse(name: string, allowed: string, actual: unknown): never {
  const text = String(actual).slice(0, 100);
  throw fcError('InvalidArgument', `${name} is set to an invalid value (allowed: ${allowed}, actual: '${text}')`);
}

function checkRange(settings: FcRecord, name: string, low: number, high: number): void {
  const value = fcNumber(settings, name);
  if (value === null) return;
  if (!Number.isInteger(value) || value < low || value > high) refuse(name, `${low}-${high}`, value);
}

/** Settings that would change how a function runs here, and that this server cannot follow. */
function refuseUnserved(settings: FcRecord): void {
  const layers = settings['layers'];
  if (Array.isArray(layers) && layers.length > 0)
    throw fcError('InvalidArgument', 'Layers are not supported by this server');
  if (fcText(settings, 'runtime') === 'custom-container') {
    throw fcError('InvalidArgument', 'Runtime custom-container is not supported by this server');
  }
}

/** Errors: InvalidArgument. Source: docs. */
export function checkDescription(description: string): string {
  if (description.length > 256) refuse('Description', 'at most 256 characters', description);
  return description;
}

/** Errors: InvalidArgument. Source: docs (fc-api.md 4.2, 4.6). */
export function checkSettings(settings: FcRecord, runtimes: Runtimes): void {
  const runtime = fcText(settings, 'runtime');
  if (!runtimes.isKnown(runtime)) refuse('Runtime', runtimes.all.join(' | '), runtime);
  const handler = fcText(settings, 'handler');
  if (handler === '') throw fcError('InvalidArgument', 'Handler is required');
  if (handler.length > 128) refuse('Handler', 'at most 128 characters', handler);
  checkRange(settings, 'timeout', 1, 86_400);
  checkRange(settings, 'initializationTimeout', 1, 300);
  checkRange(settings, 'memorySize', 128, 32_768);
  const memory = fcNumber(settings, 'memorySize') ?? 128;
  if (memory % 64 !== 0) refuse('MemorySize', 'a multiple of 64', memory);
  checkRange(settings, 'instanceConcurrency', 1, 200);
  checkRange(settings, 'caPort', 1, 65_535);
  const disk = fcNumber(settings, 'diskSize');
  if (disk !== null && disk !== 512 && disk !== 10_240) refuse('DiskSize', '512 | 10240', disk);
  const cpu = fcNumber(settings, 'cpu');
  if (cpu !== null && (cpu < 0.05 || cpu > 16)) refuse('Cpu', '0.05-16', cpu);
  checkDescription(fcText(settings, 'description'));
  for (const name of Object.keys(fcRecord(settings, 'environmentVariables') ?? {})) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) refuse('EnvironmentVariables', 'names of letters, digits and _', name);
  }
  refuseUnserved(settings);
}

/** The initializer in either generation's spelling; times in ms. */
export function initializerOf(settings: FcRecord): { readonly handler: string; readonly timeoutMs: number } | null {
  const hook = fcRecord(fcRecord(settings, 'instanceLifecycleConfig') ?? {}, 'initializer');
  const handler = hook === null ? fcText(settings, 'initializer') : fcText(hook, 'handler');
  if (handler === '') return null;
  const seconds = hook === null ? fcNumber(settings, 'initializationTimeout') : fcNumber(hook, 'timeout');
  return { handler, timeoutMs: (seconds ?? 3) * 1000 };
}
