// The temporary bucket: gives out a token for one object, which the object endpoint takes and a function's code may then name.
import { randomHex } from '../../base/ids.ts';
import type { FcAction } from '../action.ts';
import type { ControlDeps } from '../ports.ts';
import { getService } from './names.ts';
import { issueUploadToken, type UploadTarget } from './upload-tokens.ts';

export function temporaryBucket(deps: ControlDeps): string {
  return `yunmen-code-${deps.account.regionId}`;
}

/** The name under which an object is kept. */
export function uploadName({ bucket, object }: UploadTarget): string {
  return `${bucket}/${object}`;
}

/** `folder` comes before the object's name in the bucket; the clients put it there themselves. */
function grant(deps: ControlDeps, folder: string): Readonly<Record<string, unknown>> {
  const bucket = temporaryBucket(deps);
  const objectName = randomHex(16);
  return {
    credentials: issueUploadToken(deps, { bucket, object: `${folder}/${objectName}` }),
    ossRegion: `oss-${deps.account.regionId}`,
    ossBucket: bucket,
    objectName,
  };
}

/** The object is `{accountId}/{objectName}`. Source: sdk. */
export const getTempBucketToken: FcAction = async ({ deps }) => ({
  kind: 'json',
  value: grant(deps, deps.account.accountId),
});

/** The object is `{accountId}/{service}/{objectName}`. Source: sdk. */
export const getTempCodeBucketPermission: FcAction = async ({ deps, path }) => {
  const serviceName = path['serviceName'] ?? '';
  await deps.store.read((tx) => getService(tx, serviceName));
  return {
    kind: 'json',
    value: {
      ...grant(deps, `${deps.account.accountId}/${serviceName}`),
      codeSizeLimit: deps.settings.codeBodyLimitBytes,
    },
  };
};
