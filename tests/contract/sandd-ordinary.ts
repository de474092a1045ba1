// The launchers' contract on sandd as whoever runs this. Run by sandd.contract.test.ts as an ordinary user.
import { testLauncher } from '../../src/functions/launcher/suite.ts';
import { openSandd } from './sandd-open.ts';

const path = process.env['SANDD'] ?? '';
for (const tier of ['none', 'user'] as const) {
  testLauncher({
    name: `sandd of an ordinary user, tier ${tier}`,
    tier,
    limits: tier === 'user',
    skip: false,
    open: () => openSandd(path, tier),
  });
}
