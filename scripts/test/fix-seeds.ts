// Loaded before every test file (--import): property tests draw the same values in every run, and more of them under torture.
import fc from 'fast-check';
import { counted } from './torture.ts';

const seed = Number(process.env['YUNMEN_SEED']);

fc.configureGlobal({ ...(Number.isSafeInteger(seed) ? { seed } : {}), numRuns: counted(100, 5000) });
