// Pre-signed URLs under which a code package can be downloaded for a while: made by GetFunctionCode, served by the listener.
import { createHmac } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { isSameSecret } from '../wire/openapi-signature.ts';

export const codeUrlPrefix = '/yunmen/code/';
/** How long a URL works, in ms. */
const lifetimeMs = 10 * 60 * 1000;

export type CodeUrls = {
  /** `http://<host>/yunmen/code/<sha256>.zip?expires=<epoch s>&signature=<hex>`. */
  sign(host: string, sha256: string): string;
  /** The package that a download may have; null for a wrong or expired URL. */
  verify(path: string, expires: string, signature: string): string | null;
};

/** `key` is a random secret of this process: URLs do not outlive it. */
export function createCodeUrls(key: Buffer, clock: Clock): CodeUrls {
  const signatureOf = (sha256: string, expires: string) =>
    createHmac('sha256', key).update(`${sha256}\n${expires}`).digest('hex');
  return {
    sign(host, sha256) {
      const expires = String(Math.ceil((clock.now() + lifetimeMs) / 1000));
      return `http://${host}${codeUrlPrefix}${sha256}.zip?expires=${expires}&signature=${signatureOf(sha256, expires)}`;
    },
    verify(path, expires, signature) {
      const match = /^\/yunmen\/code\/([0-9a-f]{64})\.zip$/.exec(path);
      const sha256 = match?.[1];
      if (sha256 === undefined || !isSameSecret(signature, signatureOf(sha256, expires))) return null;
      return Number(expires) * 1000 > clock.now() ? sha256 : null;
    },
  };
}

/**
 * Where the caller can reach this server again: its Host, with our port where an address comes without one.
 * Source: sdk (the classic Node client and ROA version 1 leave the port out of Host).
 */
export function reachableHost(host: string, localPort: number): string {
  const isBareAddress = /^(?:localhost|\d+(?:\.\d+){3}|\[[0-9a-fA-F:.]+\])$/.test(host);
  return isBareAddress && localPort !== 80 ? `${host}:${localPort}` : host;
}
