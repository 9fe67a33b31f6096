import { UsageError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import { divisors } from '../search/divisors.js';
import type { Cluster } from '../types.js';
import type { ReplicaLink } from './types.js';

/** A way to cut a cluster into replicas. */
export interface Division {
  readonly replicas: number;
  /** What one replica is made of. */
  readonly island: Cluster;
}

/**
 * Ways to cut a cluster into equal replicas, smallest first: equal parts of a node, or nodes by powers of two, such that
 * every replica gets equally many sequences of a step.
 */
export function divisionsOf(cluster: Cluster, globalBatch: number): Division[] {
  const { perNode } = cluster;
  const accelerators = connected(cluster);
  const sizes = divisors(perNode);
  for (let size = 2 * perNode; size <= accelerators / 2; size *= 2) sizes.push(size);
  const batch = divisors(globalBatch);
  return sizes.flatMap((size) => {
    const most = Math.floor(accelerators / size);
    const replicas = batch.findLast((count) => count <= most) ?? 1;
    return replicas > 1 ? [{ replicas, island: islandOf(cluster, size) }] : [];
  });
}

/** @throws UsageError for a number of replicas that a cluster is not cut into, with those that it is */
export function checkReplicas(replicas: number, cluster: Cluster, globalBatch: number): void {
  const allowed = [...new Set(divisionsOf(cluster, globalBatch).map((division) => division.replicas))];
  if (allowed.includes(replicas)) return;
  const which = allowed.length > 0 ? allowed.sort((a, b) => a - b).join(', ') : 'none, for it is one part';
  throw spelledError(
    UsageError,
    ({ option }) =>
      `${option('replicas', replicas)} cannot be: replicas are equal parts of ${cluster.name} with equal shares of the ` +
      `${globalBatch} sequences of a step. Allowed: ${which}.`,
  );
}

/** Accelerators that can talk to one another: without a network those of one node. */
function connected({ accelerators, perNode, interNode }: Cluster): number {
  return interNode > 0 ? accelerators : Math.min(accelerators, perNode);
}

/** A part of a cluster, by itself: with its share of a node's host where it is less than a node. */
function islandOf(cluster: Cluster, size: number): Cluster {
  const part = Math.min(1, size / cluster.perNode);
  const { host } = cluster;
  return {
    ...cluster,
    accelerators: size,
    perNode: Math.min(cluster.perNode, size),
    interNode: cluster.interNode * part,
    host: {
      ...host,
      cores: Math.max(1, Math.floor(host.cores * part)),
      memory: host.memory * part,
      memoryBandwidth: host.memoryBandwidth * part,
      disk: host.disk === null ? null : host.disk * part,
      diskBandwidth: host.diskBandwidth === null ? null : host.diskBandwidth * part,
    },
  };
}

/** What a replica has of the network to the others: the cards of its nodes, or its part of one; inside a node, the links. */
export function linkOf(cluster: Cluster, island: Cluster): ReplicaLink {
  if (connected(cluster) <= cluster.perNode) {
    return { bandwidth: cluster.intraNode * island.accelerators, latency: cluster.intraLatency };
  }
  const nodes = Math.max(1, island.accelerators / cluster.perNode);
  return { bandwidth: island.interNode * nodes, latency: cluster.interLatency };
}
