export * from './events.js';
export { type ClusterOptions, FORMATS, MERGES, type ParsedClusterOptions, parseClusterOptions } from './options.js';
export type { ClusterStatus, WorkerLine } from './status.js';
export type { Connection, CoordinatorOptions, CoordinatorRun, WorkerOptions, WorkerRun } from './types.js';
