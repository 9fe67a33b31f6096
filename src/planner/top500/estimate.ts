import type { Cluster } from '../types.js';
import table from './efficiency.json' with { type: 'json' };

/** What a cluster would reach in LINPACK, 10¹² FLOP/s of fp64; without figures, why it cannot be estimated. */
export type RmaxEstimate =
  | {
      readonly rmaxTflops: number;
      /** By the least and the best efficiency of the machines that the estimate rests on. */
      readonly lowTflops: number;
      readonly highTflops: number;
      /** The cards' fp64 rate alone, without the hosts'. */
      readonly rpeakTflops: number;
      /** Rmax over Rpeak. */
      readonly efficiency: number;
      readonly where: string;
    }
  | { readonly rmaxTflops: null; readonly reason: string };

/** LINPACK needs a network: the machines of the lists do 800 to 2,000 fp64 FLOP a byte that leaves a node. */
const SLOWEST_NETWORK = 10_000;

/**
 * The Rmax that a cluster would reach: its accelerators' fp64 rate (tensor units where they have them) times the share
 * that listed machines of the same accelerator reached, the middle of their range.
 */
export function estimateRmax({ accelerator, accelerators, perNode, interNode }: Cluster): RmaxEstimate {
  const { fp64, name } = accelerator;
  if (fp64 === null) return { rmaxTflops: null, reason: `${name} has no fp64 rate that is published` };
  const flopPerByte = (perNode * fp64) / interNode;
  if (accelerators > perNode && flopPerByte > SLOWEST_NETWORK) {
    const reason = `the network is too slow for LINPACK: ${Math.round(flopPerByte)} FLOP a byte, where listed machines do 800 to 2,000`;
    return { rmaxTflops: null, reason };
  }
  const series = table.series.find((other) => name.startsWith(other.series));
  const { low, high, where } = series ?? table.default;
  const rpeakTflops = (accelerators * fp64) / 1e12;
  const efficiency = (low + high) / 2;
  return {
    rmaxTflops: rpeakTflops * efficiency,
    lowTflops: rpeakTflops * low,
    highTflops: rpeakTflops * high,
    rpeakTflops,
    efficiency,
    where,
  };
}
