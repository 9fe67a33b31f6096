/**
 * The planner: what a model takes on a cluster.
 *
 * @example
 * import { plan, readCluster, readModel } from 'meanfield/planner';
 *
 * const { cluster } = await readCluster('cluster.json');
 * const best = plan(await readModel('config.json'), cluster, { tokens: 20e9 });
 * console.log(best.run?.days, best.warnings);
 *
 * @packageDocumentation
 */
export { MeanfieldError, UsageError } from './base/errors.js';
export type { ModelFromConfig } from './planner/catalogue/read.js';
export * from './planner/index.js';
export type { Optimum } from './planner/laws/optimum.js';
