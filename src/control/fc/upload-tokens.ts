// Temporary credentials for one upload: a signed token names the object, and the secret follows from the token. Nothing is kept.
import { createHmac } from 'node:crypto';
import { randomHex } from '../../base/ids.ts';
import { isSameSecret } from '../../wire/openapi-signature.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import type { ControlDeps } from '../ports.ts';

/** How long a token can be used, in ms. Source: assumed. */
const lifetimeMs = 30 * 60 * 1000;
/** Longest token that is looked at, in characters. */
const tokenLimit = 2048;

export type UploadTarget = { readonly bucket: string; readonly object: string };

/** `expiresAt` in epoch ms. */
export type UploadGrant = UploadTarget & {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly expiresAt: number;
};

function digest(deps: ControlDeps, purpose: 'token' | 'secret', text: string): string {
  return createHmac('sha256', deps.store.deriveKey('uploads')).update(`${purpose}\n${text}`).digest('hex');
}

/** The members as the temporary bucket's answer has them. Source: sdk. */
export function issueUploadToken(
  deps: ControlDeps,
  { bucket, object }: UploadTarget,
): Readonly<Record<string, string>> {
  const accessKeyId = `STS.${randomHex(12)}`;
  const expiresAt = deps.clock.now() + lifetimeMs;
  const facts = Buffer.from(JSON.stringify([accessKeyId, bucket, object, expiresAt])).toString('base64url');
  return {
    AccessKeyId: accessKeyId,
    AccessKeySecret: digest(deps, 'secret', facts),
    SecurityToken: `${facts}.${digest(deps, 'token', facts)}`,
    Expiration: formatUtcSeconds(expiresAt),
  };
}

/** What a token allows; null when it was not made here, or changed. Expiry is the caller's to check. */
export function openUploadToken(deps: ControlDeps, token: string): UploadGrant | null {
  const [facts = '', signature = ''] = token.slice(0, tokenLimit).split('.');
  if (!isSameSecret(signature, digest(deps, 'token', facts))) return null;
  // Signed by us, so it has the shape that issueUploadToken() wrote.
  const [accessKeyId, bucket, object, expiresAt] = JSON.parse(Buffer.from(facts, 'base64url').toString('utf8')) as [
    string,
    string,
    string,
    number,
  ];
  return { accessKeyId, accessKeySecret: digest(deps, 'secret', facts), bucket, object, expiresAt };
}
