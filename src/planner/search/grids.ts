import type { Cluster, Workload } from '../types.js';
import { divisors } from './divisors.js';
import type { Fixed } from './types.js';

/** How many devices each kind of parallelism takes. */
export interface Grid {
  readonly data: number;
  readonly context: number;
  readonly tensor: number;
  readonly pipeline: number;
  readonly expert: number;
}

/** Sequences from this length are long enough to be shared between devices. */
const LONG_SEQUENCE = 8192;

/**
 * All grids of a model on a cluster: the tensor split divides heads and stays in a node; stages hold equally many
 * layers, or the last fewer; every rank has equally many sequences.
 *
 * @param uneven whether the last stage may hold fewer
 */
export function gridsOf(workload: Workload, cluster: Cluster, fixed: Fixed, uneven = false): Grid[] {
  const grids: Grid[] = [];
  const batch = divisors(fixed.globalBatch);
  const only = (value: number | undefined, all: readonly number[]) => (value === undefined ? all : [value]);
  const limit = cluster.interNode > 0 ? cluster.accelerators : Math.min(cluster.accelerators, cluster.perNode);
  for (const tensor of only(fixed.tensor, tensorSplits(workload, cluster))) {
    for (const pipeline of only(fixed.pipeline, stageCounts(workload.layers, uneven))) {
      for (const context of only(fixed.context, contextSplits(fixed.sequence))) {
        const ranks = Math.floor(limit / (tensor * pipeline * context));
        for (const data of only(fixed.data, batch)) {
          if (data > ranks) continue;
          for (const expert of only(fixed.expert, expertSplits(workload, data * context))) {
            grids.push({ data, context, tensor, pipeline, expert });
          }
        }
      }
    }
  }
  return grids;
}

/** Devices of a grid. */
export function devices({ data, context, tensor, pipeline }: Omit<Grid, 'expert'>): number {
  return data * context * tensor * pipeline;
}

/** Ways to split matrices: divisors of the heads and of a node's devices, so that no part straddles two nodes. */
export function tensorSplits(workload: Workload, cluster: Cluster): number[] {
  const widest = Math.min(cluster.perNode, cluster.accelerators);
  return divisors(workload.heads).filter(
    (split) => widest % split === 0 && workload.feedForward % split === 0 && sharesHeads(workload, split),
  );
}

/** Stages whose fullest hold so many layers are as few as hold them all: more would wait without a layer. */
export function stageCounts(layers: number, uneven: boolean): number[] {
  if (!uneven) return divisors(layers);
  const counts = new Set<number>();
  for (let held = layers; held >= 1; held--) counts.add(Math.ceil(layers / held));
  return [...counts];
}

function sharesHeads({ keyValueHeads }: Workload, split: number): boolean {
  return keyValueHeads % split === 0 || split % keyValueHeads === 0;
}

function contextSplits(sequence: number): number[] {
  return sequence < LONG_SEQUENCE ? [1] : divisors(sequence).filter((split) => split <= 16 && isPowerOfTwo(split));
}

function expertSplits({ experts }: Workload, ranks: number): number[] {
  return experts === undefined ? [1] : divisors(experts.count).filter((split) => ranks % split === 0);
}

function isPowerOfTwo(value: number): boolean {
  return (value & (value - 1)) === 0;
}
