export { restoreRun } from './coordinator/restore.js';
export { startCoordinator } from './coordinator/start.js';
export * from './events.js';
export { type ClusterOptions, type ParsedClusterOptions, parseClusterOptions } from './options.js';
export { ASK } from './protocol/admission.js';
export type { ClusterAudit, ClusterStatus, WorkerLine } from './status.js';
export type { Connection, CoordinatorOptions, CoordinatorRun, RunNeeds, WorkerOptions, WorkerRun } from './types.js';
export type { WorkerLimits } from './worker/limits.js';
export { startWorker } from './worker/start.js';
