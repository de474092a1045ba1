// The launchers' contract on sandd as whoever runs this, where it runs: an ordinary user, or a container. Run by
// sandd.contract.test.ts. SANDD: the program; SANDD_TIERS: those to test.
import { isolationTiers } from '../../src/functions/index.ts';
import { testLauncher } from '../../src/functions/launcher/suite.ts';
import { execSuite } from '../../src/functions/launcher/suite-exec.ts';
import { testProcessors } from '../../src/functions/launcher/suite-processors.ts';
import { testSpares } from '../../src/functions/launcher/suite-spares.ts';
import { openForExec, openSandd } from './sandd-open.ts';

const path = process.env['SANDD'] ?? '';
const wanted = (process.env['SANDD_TIERS'] ?? '').split(',');
// Where instances share our user there is no number of processes that the kernel holds; who has too many is ended.
const isRoot = process.getuid?.() === 0;
for (const tier of isolationTiers.filter((each) => wanted.includes(each))) {
  const open = () => openSandd(path, tier);
  const suite = {
    name: `sandd of uid ${process.getuid?.()}, tier ${tier}`,
    tier,
    limits: tier === 'user' || tier === 'strong' || (tier === 'restricted' && isRoot),
    // SANDD_GROUPS: tier user has control groups, too.
    hasWatches: tier === 'restricted' || tier === 'strong' || process.env['SANDD_GROUPS'] === '1',
    skip: false,
    open,
  } as const;
  testLauncher(suite);
  testSpares(suite);
  execSuite({ tier, skip: false, open: (script) => openForExec(path, tier, script) });
  if (suite.tier === 'strong' || process.env['SANDD_GROUPS'] === '1') testProcessors(suite);
}
