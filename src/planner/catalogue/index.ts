export { accelerators, findAccelerator } from './accelerators.js';
export { checkCluster, checkWorkload } from './check.js';
export type { DescribedCluster } from './cluster-file.js';
export { clusters, findCluster, usualCluster } from './clusters.js';
export { cpuInWords, type MeasuredCpu } from './described-cpu.js';
export { findModel, modelFromConfig, models, publishedParameters } from './models.js';
export { describeModel, readCluster, readModel } from './read.js';
export { thisMachine } from './this-machine.js';
