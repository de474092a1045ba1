// Loaded before every test file (--import): property tests draw the same values in every run, and more of them under torture.
import fc from 'fast-check';

const seed = Number(process.env['YUNMEN_SEED']);
const isTorture = process.env['YUNMEN_TORTURE'] === '1';

fc.configureGlobal({ ...(Number.isSafeInteger(seed) ? { seed } : {}), numRuns: isTorture ? 5000 : 100 });
