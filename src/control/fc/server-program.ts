// The program of a custom runtime or container, from the settings of either generation. Called by publishing.ts.
import type { HealthCheck, ServerProgram } from '../../model/function.ts';
import { type FcRecord, fcNumber, fcRecord, fcText } from './types.ts';

/** Source: docs. */
const defaultPort = 9000;

/** Undefined for every other runtime. */
export function serverProgramOf(settings: FcRecord): ServerProgram | undefined {
  const runtime = fcText(settings, 'runtime');
  if (runtime === 'custom-container') return containerOf(settings);
  if (runtime !== 'custom' && !runtime.startsWith('custom.')) return undefined;
  const config = fcRecord(settings, 'customRuntimeConfig') ?? {};
  return {
    command: texts(config['command']),
    args: texts(config['args']),
    port: portOf(settings, config),
    healthCheck: healthCheckOf(settings, config),
    image: null,
  };
}

/** FC 2 writes lists as JSON texts and calls what replaces the entry point `command`. Source: sdk. */
function containerOf(settings: FcRecord): ServerProgram {
  const config = fcRecord(settings, 'customContainerConfig') ?? {};
  const entrypoint = texts(config['entrypoint']);
  const isFc3 = Array.isArray(config['command']) || entrypoint.length > 0;
  return {
    command: isFc3 ? entrypoint : texts(config['command']),
    args: isFc3 ? texts(config['command']) : texts(config['args']),
    port: portOf(settings, config),
    healthCheck: healthCheckOf(settings, config),
    image: { reference: fcText(config, 'image'), isServer: config['webServerMode'] !== false },
  };
}

function portOf(settings: FcRecord, config: FcRecord): number {
  return fcNumber(config, 'port') ?? fcNumber(settings, 'caPort') ?? defaultPort;
}

/** Defaults: docs. Without a URL there is no check. */
function healthCheckOf(settings: FcRecord, config: FcRecord): HealthCheck | null {
  const check = fcRecord(config, 'healthCheckConfig') ?? fcRecord(settings, 'customHealthCheckConfig') ?? {};
  const httpGetUrl = fcText(check, 'httpGetUrl');
  if (httpGetUrl === '') return null;
  const number = (name: string, otherwise: number) => fcNumber(check, name) ?? otherwise;
  return {
    httpGetUrl: httpGetUrl.startsWith('/') ? httpGetUrl : `/${httpGetUrl}`,
    initialDelayMs: number('initialDelaySeconds', 0) * 1000,
    periodMs: number('periodSeconds', 3) * 1000,
    timeoutMs: number('timeoutSeconds', 1) * 1000,
    failureThreshold: number('failureThreshold', 3),
    successThreshold: number('successThreshold', 1),
  };
}

/** A list of texts, or a JSON text of one; a plain text is a list of one. */
function texts(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.map(String);
  if (typeof value !== 'string' || value.trim() === '') return [];
  try {
    const parsed: unknown = JSON.parse(value);
    if (Array.isArray(parsed)) return parsed.map(String);
  } catch {
    // SyntaxError: a plain text.
  }
  return [value];
}
