import type { TimeConstants } from '../catalogue/constant-types.js';
import type { Cluster } from '../types.js';

/** Devices that exchange something: how many, and how many of them sit in one node. */
export interface Group {
  readonly size: number;
  readonly inNode: number;
}

/**
 * The group of `size` devices whose ranks are `stride` apart, in the usual order of ranks: tensor innermost, then
 * context, data, pipeline (arXiv 2104.04473, §4).
 */
export function groupOf(cluster: Cluster, size: number, stride: number): Group {
  const inNode = Math.max(1, Math.min(size, Math.floor(cluster.perNode / stride)));
  return { size, inNode };
}

/**
 * Bytes a second that a ring over the group moves on each of its links. Beyond one node every node's network cards
 * are shared by all groups that cross it: with k members of each group in a node there are perNode/k of them. The
 * more nodes, the more links of the network's upper levels are shared too.
 */
export function ringBandwidth(cluster: Cluster, group: Group, c: TimeConstants): number {
  const inside = cluster.intraNode * c.linkEfficiency;
  if (group.size <= group.inNode) return inside;
  const crowd = 1 + c.congestion * Math.max(0, Math.log2(group.size / group.inNode) - 1);
  return Math.min(inside, (cluster.interNode * c.linkEfficiency * group.inNode) / cluster.perNode / crowd);
}

/** Seconds of one message from member to member. */
function latency(cluster: Cluster, group: Group): number {
  return group.size <= group.inNode ? cluster.intraLatency : cluster.interLatency;
}

/**
 * Seconds of an all-gather or a reduce-scatter of `bytes` (the whole, not a member's share): a ring moves
 * (n − 1)/n of them over each link; small messages go by trees, whose depth is log₂ n.
 */
export function gatherTime(cluster: Cluster, group: Group, bytes: number, c: TimeConstants): number {
  if (group.size <= 1) return 0;
  const share = (group.size - 1) / group.size;
  return (
    (share * bytes) / ringBandwidth(cluster, group, c) + Math.ceil(Math.log2(group.size)) * latency(cluster, group)
  );
}

/**
 * Seconds of the all-gathers (or reduce-scatters) of `bytes` in so many pieces, as ZeRO-3 needs them: rings, since the
 * pieces are large, whose latency grows with the ranks; by parameter, each waits for the one before and fills a small
 * share of the line.
 */
export function shardedTime(
  cluster: Cluster,
  group: Group,
  bytes: number,
  pieces: number,
  byParameter: boolean,
  c: TimeConstants,
): number {
  if (group.size <= 1) return 0;
  const share = (group.size - 1) / group.size;
  const outside = group.size > group.inNode ? 1 / group.inNode : 0;
  const hop = cluster.intraLatency * (1 - outside) + cluster.interLatency * outside;
  const line = ringBandwidth(cluster, group, c) * (byParameter && outside > 0 ? c.parameterGather : 1);
  return (share * bytes) / line + pieces * (group.size - 1) * hop;
}

/** Seconds of an all-reduce: a reduce-scatter and an all-gather. */
export function allReduceTime(cluster: Cluster, group: Group, bytes: number, c: TimeConstants): number {
  return 2 * gatherTime(cluster, group, bytes, c);
}

/**
 * Seconds of an all-to-all in which each member sends `bytes` in all, spread over the members.
 *
 * @param crossing bytes that it would send over the network if all members were on other nodes: fewer where what several
 *   members of a node get is sent there once
 */
export function allToAllTime(
  cluster: Cluster,
  group: Group,
  bytes: number,
  c: TimeConstants,
  crossing = bytes,
): number {
  if (group.size <= 1) return 0;
  const outside = (group.size - group.inNode) / group.size;
  const inside = (group.inNode - 1) / group.size;
  const network = (outside * crossing * cluster.perNode) / (cluster.interNode * c.linkEfficiency);
  return (inside * bytes) / (cluster.intraNode * c.linkEfficiency) + network + latency(cluster, group);
}

/** Seconds in which every device of a stage hands `bytes` to the next stage, `stride` ranks on. */
export function handOverTime(cluster: Cluster, stride: number, bytes: number, c: TimeConstants): number {
  if (stride < cluster.perNode) return bytes / (cluster.intraNode * c.linkEfficiency) + cluster.intraLatency;
  return (bytes * cluster.perNode) / (cluster.interNode * c.linkEfficiency) + cluster.interLatency;
}
