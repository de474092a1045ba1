// Where things of an instance are as the instance itself sees them, by isolation tier. Used by both sides.
import { basename, resolve } from 'node:path';
import { frameSocketName } from '../instances/endpoint.ts';
import type { IsolationTier } from './port.ts';

export type Place = {
  /** Without a trailing slash. */
  readonly codePath: string;
  readonly socketPath: string;
  /** Holds the language's bootstrap. */
  readonly runtimePath: string;
  /** Without a trailing slash; null: the function has no layers. */
  readonly layersPath: string | null;
  /** The only place to write to. null: /tmp. */
  readonly temporaryPath: string | null;
};

/** Whether an instance has a root of its own, which shows its code at a place that is the same for all. */
export function hasOwnRoot(tier: IsolationTier): boolean {
  return tier === 'user' || tier === 'strong';
}

export const sandboxCodePath = '/code';
export const sandboxLayersPath = '/opt';
export const sandboxSocketDirectory = '/run/yunmen';

/**
 * Tiers with a private root show the cloud's own paths; without one the real paths show.
 * Source: docs for /code, /opt and /var/fc/runtime.
 */
export function placeInstance(
  tier: IsolationTier,
  host: {
    readonly codeDirectory: string;
    /** Absent: the function has no layers. */
    readonly layersDirectory?: string | null;
    readonly socketDirectory: string;
    readonly runtimeDirectory: string;
    readonly language: string;
  },
): Place {
  switch (tier) {
    case 'none':
    case 'restricted':
      return {
        codePath: host.codeDirectory,
        socketPath: `${host.socketDirectory}/${frameSocketName}`,
        runtimePath: host.runtimeDirectory,
        layersPath: host.layersDirectory ?? null,
        temporaryPath: tier === 'none' ? null : temporaryPathOf(host.socketDirectory),
      };
    case 'user':
    case 'strong':
      return {
        codePath: sandboxCodePath,
        socketPath: `${sandboxSocketDirectory}/${frameSocketName}`,
        runtimePath: `/var/fc/runtime/${host.language}`,
        layersPath: host.layersDirectory ? sandboxLayersPath : null,
        temporaryPath: null,
      };
  }
}

/** `<run>/i/<id>` → `<run>/t/<id>`, which the launcher makes. */
function temporaryPathOf(socketDirectory: string): string {
  return resolve(socketDirectory, '../../t', basename(socketDirectory));
}
