export { commit, coverage, createLedger, type EpochCoverage, type EpochRange, lease, release } from './ledger.js';
export { RangeSampler } from './range-sampler.js';
export { type Ledger, ledgerSchema } from './schema.js';
