// Takes a function's code from a request: base64 of a zip, checked and stored before the row that names it is written.
import type { CodePackage } from '../../store/port.ts';
import { headerText } from '../../wire/openapi-signature.ts';
import { fcError } from '../errors.ts';
import type { FcCall } from './call.ts';
import { type FcRecord, fcRecord, fcText } from './types.ts';

/** Largest zip that a body may carry, in bytes. Source: docs (fc-api.md 4.2: about 50 MB, and the tools' 100 MB). */
const zipLimitBytes = 100 * 1024 * 1024;

function decodeZip(code: FcRecord): Buffer | null {
  const text = fcText(code, 'zipFile');
  const hasObject = fcText(code, 'ossBucketName') !== '' || fcText(code, 'ossObjectName') !== '';
  if (text === '' && !hasObject) return null;
  if (hasObject) {
    const what =
      text === ''
        ? 'code.ossBucketName is not supported by this server; send code.zipFile'
        : 'code must have one source only';
    throw fcError('InvalidArgument', what);
  }
  const zip = Buffer.from(text, 'base64');
  /** Buffer skips what is no base64; then the length does not fit. */
  const expected = Math.floor((text.replace(/[\s=]+/g, '').length * 3) / 4);
  if (zip.length !== expected || zip.length === 0) throw fcError('InvalidArgument', 'code.zipFile is not valid base64');
  if (zip.length > zipLimitBytes)
    throw fcError('EntityTooLarge', `payload size exceeds maximum allowed size (${zipLimitBytes} bytes)`);
  return zip;
}

/** The checksums that the caller wants compared; decimal CRC-64. Source: sdk (fc-api.md 4.5). */
function wantedChecksums(call: FcCall, code: FcRecord): string[] {
  return [headerText(call.received.headers, 'x-fc-code-checksum'), fcText(code, 'checksum')].filter(
    (text) => text !== '',
  );
}

/**
 * Stores the code of a request; null when it brings none.
 * Errors: InvalidArgument naming the zip's entry, or a checksum that differs (code assumed).
 */
export async function takeCode(call: FcCall): Promise<CodePackage | null> {
  const code = fcRecord(call.body, 'code');
  const zip = code === null ? null : decodeZip(code);
  if (code === null || zip === null) return null;
  const stored = await call.deps.store.packages.add(zip);
  if (!stored.ok) throw fcError('InvalidArgument', `code.zipFile was refused: ${stored.message}`);
  for (const wanted of wantedChecksums(call, code)) {
    if (wanted !== stored.checksum) {
      throw fcError(
        'InvalidArgument',
        `the code's checksum does not match (expected: ${wanted}, actual: ${stored.checksum})`,
      );
    }
  }
  return stored;
}
