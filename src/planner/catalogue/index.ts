export { accelerators, findAccelerator } from './accelerators.js';
export { checkCluster, checkWorkload } from './check.js';
export type { DescribedCluster } from './cluster-file.js';
export { clusters, findCluster, usualCluster } from './clusters.js';
export { findModel, modelFromConfig, models, publishedParameters } from './models.js';
export { describeModel, readCluster, readModel } from './read.js';
