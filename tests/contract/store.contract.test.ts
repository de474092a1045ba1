// The store's contract over SQLite in a temporary directory.
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { openStore } from '../../src/store/index.ts';
import { storeSuite } from '../../src/store/suite.ts';

storeSuite({
  name: 'SQLite',
  async makePlace() {
    const dataDir = mkdtempSync(join(tmpdir(), 'yunmen-store-'));
    return {
      open: () => openStore({ dataDir, clock: systemClock }),
      dispose: () => rm(dataDir, { recursive: true, force: true }),
    };
  },
});
