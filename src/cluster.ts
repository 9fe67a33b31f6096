/**
 * Many machines: a coordinator and workers that come and go.
 *
 * @example
 * import { startCluster } from 'meanfield/cluster';
 *
 * const run = startCluster({ corpus: ['book.txt'], run: 'runs/many', minWorkers: 2 });
 * for await (const event of run) {
 *   if (event.type === 'invitation') console.log('on every other machine: meanfield join', event.invitation);
 *   if (event.type === 'evaluation') console.log(event.step, event.valLoss);
 * }
 * console.log((await run.result).bestValLoss);
 *
 * @packageDocumentation
 */
export { MeanfieldError, UsageError } from './base/errors.js';
export type { DataSource } from './base/option-table.js';
export type * from './cluster/events.js';
export { type JoinedRun, type JoinOptions, join } from './cluster/join.js';
export type { ClusterOptions } from './cluster/options.js';
export type { ServerOptions } from './cluster/server/options.js';
export {
  type ClusterEvent,
  type ClusterRun,
  type InvitationEvent,
  type StartClusterOptions,
  startCluster,
} from './cluster/server/start-cluster.js';
export type { AskingLine, ClusterStatus, WorkerLine } from './cluster/status.js';
