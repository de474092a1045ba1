// The worker thread for everything that is slow about zips: hashes, unpacking, syncing. Started by worker-queue.ts; one job at a time.
import { parentPort } from 'node:worker_threads';
import { assertNever } from '../../base/assert-never.ts';
import type { PackageAnswer, PackageJob, WorkerReply, WorkerRequest } from './jobs.ts';
import { addPackage, repairPackage, sweepPackages } from './package-files.ts';

async function perform(job: PackageJob): Promise<PackageAnswer> {
  switch (job.kind) {
    case 'add':
      return await addPackage(job);
    case 'repair':
      return await repairPackage(job);
    case 'sweep':
      return sweepPackages(job);
    default:
      return assertNever(job);
  }
}

async function answer({ id, job }: WorkerRequest): Promise<WorkerReply> {
  try {
    return { id, ok: true, answer: await perform(job) };
  } catch (error) {
    return { id, ok: false, error: error instanceof Error ? error : new Error(String(error)) };
  }
}

parentPort?.on('message', async (request: WorkerRequest) => {
  parentPort?.postMessage(await answer(request));
});
