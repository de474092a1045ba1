// What the settings of functions may be, in each generation, and the words in which a wrong one is refused.
import { fcError } from '../errors.ts';
import type { Runtimes } from '../ports.ts';
import type { Generation } from './function-settings.ts';
import { checkPlaces, refuseUnserved } from './place-rules.ts';
import { type FcRecord, fcNumber, fcRecord, fcText } from './types.ts';

/** Names and values of a function's environment together, in bytes. Source: docs. */
const environmentLimitBytes = 4096;

/** Errors: InvalidArgument in the form that clients compare: always throws. Source: sdk. */
export function refuseSetting(name: string, allowed: string, actual: unknown): never {
  const text = String(actual).slice(0, 100);
  throw fcError('InvalidArgument', `${name} is set to an invalid value (allowed: ${allowed}, actual: '${text}')`);
}

/** A member's name as messages spell it. */
function spelled(path: string): string {
  return path.replace(/(^|\.)[a-z]/g, (start) => start.toUpperCase());
}

type Range = readonly [low: number, high: number];

/** Checks whole numbers that are there; `where` comes before their names. */
function checkRanges(settings: FcRecord, ranges: Readonly<Record<string, Range>>, where = ''): void {
  for (const [name, [low, high]] of Object.entries(ranges)) {
    const value = fcNumber(settings, name);
    if (value === null || (Number.isInteger(value) && value >= low && value <= high)) continue;
    refuseSetting(spelled(`${where}${name}`), `${low}-${high}`, value);
  }
}

/** Errors: InvalidArgument. Source: docs. */
export function checkDescription(description: string): string {
  if (description.length > 256) refuseSetting('Description', 'at most 256 characters', description);
  return description;
}

/** Seconds, counts and ports. Source: docs. */
const ranges: Readonly<Record<Generation, Readonly<Record<string, Range>>>> = {
  fc2: {
    timeout: [1, 86_400],
    initializationTimeout: [1, 300],
    instanceConcurrency: [1, 100],
    caPort: [1, 65_535],
  },
  fc3: { timeout: [1, 86_400], instanceConcurrency: [1, 200], idleTimeout: [0, 86_400] },
};

const healthCheckRanges: Readonly<Record<string, Range>> = {
  failureThreshold: [1, 120],
  successThreshold: [1, 120],
  initialDelaySeconds: [0, 120],
  periodSeconds: [1, 120],
  timeoutSeconds: [1, 3],
};

/** Characters of a health check's URL. Source: docs. */
const urlLimit = 2048;
/** Characters of a handler's name. */
const handlerLimit = 128;

const hookSeconds: Readonly<Record<string, Range>> = {
  initializer: [1, 300],
  preFreeze: [1, 90],
  preStop: [1, 90],
};

/** Memory in MB; the elastic instances of FC 2 end at 3 GB. Source: docs. */
function checkMemory(settings: FcRecord, generation: Generation): void {
  const instanceType = fcText(settings, 'instanceType');
  if (instanceType !== '' && !/^(?:e1|c1|g1|fc\.gpu\..+)$/.test(instanceType)) {
    refuseSetting('InstanceType', 'e1 | c1 | g1 | fc.gpu.*', instanceType);
  }
  const high = generation === 'fc2' && instanceType === 'e1' ? 3072 : 32_768;
  checkRanges(settings, { memorySize: [128, high] });
  const memory = fcNumber(settings, 'memorySize') ?? 128;
  if (memory % 64 !== 0) refuseSetting('MemorySize', 'a multiple of 64', memory);
  const disk = fcNumber(settings, 'diskSize');
  if (disk !== null && disk !== 512 && disk !== 10_240) refuseSetting('DiskSize', '512 | 10240', disk);
  checkCpu(settings, { memory, generation });
}

/** In steps of 0.05, with 1 to 4 GB of memory for each. Source: docs. */
function checkCpu(settings: FcRecord, { memory, generation }: { memory: number; generation: Generation }): void {
  const cpu = fcNumber(settings, 'cpu');
  if (cpu === null || cpu === 0) return; // 0: chosen by the memory.
  const steps = cpu * 20;
  const isStep = Math.abs(steps - Math.round(steps)) < 1e-6;
  if (cpu < 0.05 || cpu > 16 || !isStep) refuseSetting('Cpu', '0.05-16 in steps of 0.05', cpu);
  const ratio = memory / 1024 / cpu;
  // One part in a hundred for sizes that no step of 0.05 meets.
  if (generation === 'fc3' && (ratio < 0.99 || ratio > 4.04)) {
    refuseSetting('Cpu', `1 to 4 GB of memory for each, here ${memory} MB`, cpu);
  }
}

function checkConcurrency(settings: FcRecord): void {
  const soft = fcNumber(settings, 'instanceSoftConcurrency');
  const hard = fcNumber(settings, 'instanceConcurrency') ?? 1;
  if (soft !== null && (soft < 1 || soft > hard)) refuseSetting('InstanceSoftConcurrency', `1-${hard}`, soft);
}

function checkEnvironment(settings: FcRecord): void {
  let bytes = 0;
  for (const [name, value] of Object.entries(fcRecord(settings, 'environmentVariables') ?? {})) {
    if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) {
      refuseSetting('EnvironmentVariables', 'names of letters, digits and _ that begin with a letter', name);
    }
    bytes += Buffer.byteLength(name) + Buffer.byteLength(String(value));
  }
  if (bytes > environmentLimitBytes) {
    refuseSetting('EnvironmentVariables', `at most ${environmentLimitBytes} bytes`, `${bytes} bytes`);
  }
}

function checkHealthCheck(check: FcRecord | null, where: string): void {
  if (check === null) return;
  checkRanges(check, healthCheckRanges, where);
  const url = fcText(check, 'httpGetUrl');
  if (url.length > urlLimit) refuseSetting(spelled(`${where}httpGetUrl`), `at most ${urlLimit} characters`, url);
}

/** Health checks are members of their own in FC 2, and of the runtime or container in FC 3. */
function checkHealth(settings: FcRecord): void {
  checkHealthCheck(fcRecord(settings, 'customHealthCheckConfig'), 'customHealthCheckConfig.');
  for (const name of ['customRuntimeConfig', 'customContainerConfig']) {
    const config = fcRecord(settings, name) ?? {};
    checkRanges(config, { port: [1, 65_535] }, `${name}.`);
    checkHealthCheck(fcRecord(config, 'healthCheckConfig'), `${name}.healthCheckConfig.`);
  }
}

function checkHooks(settings: FcRecord): void {
  const hooks = fcRecord(settings, 'instanceLifecycleConfig') ?? {};
  for (const [name, range] of Object.entries(hookSeconds)) {
    const hook = fcRecord(hooks, name);
    if (hook === null) continue;
    const where = `instanceLifecycleConfig.${name}.`;
    checkRanges(hook, { timeout: range }, where);
    const handler = fcText(hook, 'handler');
    if (handler.length > handlerLimit) {
      refuseSetting(spelled(`${where}handler`), `at most ${handlerLimit} characters`, handler);
    }
    const command = hook['command'];
    if (Array.isArray(command) && command.length > 0) {
      throw fcError('InvalidArgument', `${spelled(`${where}command`)} is not supported by this server; give a handler`);
    }
  }
}

/** Errors: InvalidArgument. Source: docs. */
export function checkSettings(
  settings: FcRecord,
  { generation, runtimes }: { readonly generation: Generation; readonly runtimes: Runtimes },
): void {
  const runtime = fcText(settings, 'runtime');
  if (!runtimes.isKnown(runtime)) refuseSetting('Runtime', runtimes.all.join(' | '), runtime);
  const handler = fcText(settings, 'handler');
  // A program of the user's own is not told of it.
  if (handler === '' && !runtime.startsWith('custom')) throw fcError('InvalidArgument', 'Handler is required');
  if (handler.length > handlerLimit) refuseSetting('Handler', `at most ${handlerLimit} characters`, handler);
  checkRanges(settings, ranges[generation]);
  checkMemory(settings, generation);
  checkConcurrency(settings);
  checkHealth(settings);
  checkHooks(settings);
  checkDescription(fcText(settings, 'description'));
  checkEnvironment(settings);
  checkPlaces(settings);
  refuseUnserved(settings);
}
