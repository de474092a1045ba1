// The worker thread for everything that is slow about zips: hashes, unpacking, syncing. Started by packages.ts; one job at a time.
import { assertNever } from '../../base/assert-never.ts';
import { serveJobs } from '../../base/job-thread.ts';
import type { PackageAnswer, PackageJob } from './jobs.ts';
import { mergePackages } from './merged-packages.ts';
import { addPackage, repairPackage, sweepPackages } from './package-files.ts';

serveJobs(async (job: PackageJob): Promise<PackageAnswer> => {
  switch (job.kind) {
    case 'add':
      return await addPackage(job);
    case 'merge':
      return mergePackages(job);
    case 'repair':
      return await repairPackage(job);
    case 'sweep':
      return sweepPackages(job);
    default:
      return assertNever(job);
  }
});
