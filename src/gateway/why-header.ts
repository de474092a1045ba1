// The explanation that developers on this machine get with a failed call. Called by answer.ts.
import type { Failure } from '../model/record.ts';
import type { Progress } from './context.ts';

const limit = 1024;
const notPrintable = /[^\x20-\x7e]/g;

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/**
 * At most 1 KB of ASCII, e.g. `client: The header X-Ca-Stage is "DEV", which is no stage.`; null when it is not to be sent.
 *
 * Only the failure's message, which by its contract holds no function output, secret, computed signature or address.
 */
export function whyHeader(progress: Progress, failure: Failure): string | null {
  if (!progress.deps.settings.showWhyToLoopback || !isLoopback(progress.clientIp)) return null;
  return `${failure.side}: ${failure.message}`.replace(notPrintable, '?').slice(0, limit);
}
