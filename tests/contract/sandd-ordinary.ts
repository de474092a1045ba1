// The launchers' contract on sandd as whoever runs this. Run by sandd.contract.test.ts as an ordinary user.
import { testLauncher } from '../../src/functions/launcher/suite.ts';
import { testSpares } from '../../src/functions/launcher/suite-spares.ts';
import { openSandd } from './sandd-open.ts';

const path = process.env['SANDD'] ?? '';
for (const tier of ['none', 'user'] as const) {
  const open = () => openSandd(path, tier);
  const suite = {
    name: `sandd of an ordinary user, tier ${tier}`,
    tier,
    limits: tier === 'user',
    skip: false,
    open,
  } as const;
  testLauncher(suite);
  testSpares(suite);
}
