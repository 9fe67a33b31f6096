export { accelerators, findAccelerator } from './accelerators.js';
export { clusters, findCluster, usualCluster } from './clusters.js';
export { findModel, modelFromConfig, models, publishedParameters } from './models.js';
