export { divisors } from './divisors.js';
export { devices, stageCounts, tensorSplits } from './grids.js';
export { searchArrangements } from './search.js';
export type { Candidate, Fixed, Predict, SearchResult, StrategyResult } from './types.js';
