// Takes a function's code from a request: a zip in the body or an uploaded object, checked and stored before the row that names it is written.
import type { CodePackage } from '../../store/port.ts';
import { headerText } from '../../wire/openapi-signature.ts';
import { type ApiError, fcError } from '../errors.ts';
import type { FcCall } from './call.ts';
import { temporaryBucket, uploadName } from './temporary-bucket.ts';
import { type FcRecord, fcRecord, fcText } from './types.ts';

type GivenZip = { readonly zip: Buffer; readonly member: 'zipFile' | 'ossObjectName' };

function refuse(message: string): ApiError {
  return fcError('InvalidArgument', message);
}

function inBody({ zipFile }: FcCall): GivenZip | null {
  if (zipFile === null) return null;
  if (zipFile.kind === 'malformed') throw refuse('code.zipFile is not valid base64');
  const { buffer, byteOffset, byteLength } = zipFile.bytes;
  return { zip: Buffer.from(buffer, byteOffset, byteLength), member: 'zipFile' };
}

/** An object of the temporary bucket. */
async function uploaded({ deps }: FcCall, code: FcRecord): Promise<GivenZip | null> {
  const bucket = fcText(code, 'ossBucketName');
  const object = fcText(code, 'ossObjectName');
  if (bucket === '' && object === '') return null;
  if (bucket === '' || object === '') throw refuse('code.ossBucketName and code.ossObjectName are needed together');
  if (bucket !== temporaryBucket(deps)) {
    throw refuse(
      `code.ossBucketName '${bucket.slice(0, 100)}' is not known here; upload to the temporary bucket, or send code.zipFile`,
    );
  }
  const zip = await deps.store.uploads.read(uploadName({ bucket, object }));
  if (zip === null) throw refuse(`code.ossObjectName '${object.slice(0, 200)}' does not exist, or is too old`);
  return { zip, member: 'ossObjectName' };
}

async function givenZip(call: FcCall, code: FcRecord): Promise<GivenZip | null> {
  const zip = inBody(call);
  const object = await uploaded(call, code);
  if (zip !== null && object !== null) throw refuse('code must have one source only');
  return zip ?? object;
}

/** The checksums that the caller wants compared; decimal CRC-64. Source: sdk. */
function wantedChecksums(call: FcCall, code: FcRecord): string[] {
  return [headerText(call.received.headers, 'x-fc-code-checksum'), fcText(code, 'checksum')].filter(
    (text) => text !== '',
  );
}

/**
 * Stores the code of a request; null when it brings none.
 * Errors: InvalidArgument naming the zip's entry, or a checksum that differs (code assumed); EntityTooLarge.
 */
export async function takeCode(call: FcCall): Promise<CodePackage | null> {
  const code = fcRecord(call.body, 'code');
  const given = code === null ? null : await givenZip(call, code);
  if (code === null || given === null) return null;
  const limitBytes = call.deps.settings.codeBodyLimitBytes;
  if (given.zip.length > limitBytes) {
    throw fcError('EntityTooLarge', `payload size exceeds maximum allowed size (${limitBytes} bytes)`);
  }
  const stored = await call.deps.store.packages.add(given.zip);
  if (!stored.ok) throw refuse(`code.${given.member} was refused: ${stored.message}`);
  for (const wanted of wantedChecksums(call, code)) {
    if (wanted !== stored.checksum) {
      throw refuse(`the code's checksum does not match (expected: ${wanted}, actual: ${stored.checksum})`);
    }
  }
  return stored;
}

/** A zip with one empty file, `.image`. */
const emptyZip = Buffer.from(
  'UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAAGAAAALmltYWdlUEsBAhQDFAAAAAAAAAAhAAAAAAAAAAAAAAAAAAYAAAAAAAAAAAAAAKSBAAAAAC5pbWFnZVBLBQYAAAAAAQABADQAAAAkAAAAAAA=',
  'base64',
);

/** A function whose code is its image has a package of an empty file; null for every other. */
export async function codeOfImage({ deps }: FcCall, settings: FcRecord): Promise<CodePackage | null> {
  if (fcText(settings, 'runtime') !== 'custom-container') return null;
  const stored = await deps.store.packages.add(emptyZip);
  if (!stored.ok) throw new Error(`the empty package was refused: ${stored.message}`);
  return stored;
}
