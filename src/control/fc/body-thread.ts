// The worker thread for large bodies. Started by bodies.ts.
import { serveJobs } from '../../base/job-thread.ts';
import { type BodyJob, type BodyWork, workOnBody } from './body-work.ts';

/** A buffer that is its own; a small one may be part of a shared pool, which cannot be given away. */
function own(bytes: Uint8Array): ArrayBuffer[] {
  return bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : [];
}

serveJobs<BodyJob, BodyWork>(workOnBody, ({ body }) => {
  if (body.kind === 'bytes') return own(body.bytes);
  return body.kind === 'json' && body.zipFile?.kind === 'bytes' ? own(body.zipFile.bytes) : [];
});
