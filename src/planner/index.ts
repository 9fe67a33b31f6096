export type { BandwidthRange } from './averaging/index.js';
export { type DescribedCluster, readCluster, readModel } from './catalogue/index.js';
export { averagingWins, type BandwidthReport, compareBandwidths, type Plan, plan } from './plan.js';
export { type Largest, largestModel } from './planning/largest.js';
export type { PlanOptions } from './planning/options.js';
export type { RunOption } from './planning/runs.js';
export type { RunPlan } from './whole-run/index.js';
