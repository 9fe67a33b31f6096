import type { Objective } from '../objectives/objective.js';
import { cutGraph } from '../training/streamed/cut-graph.js';
import type { ZeroStage } from '../training/streamed/sharded/sharded-sections.js';
import { ownNeed } from './memory-need.js';
import { type OffloadNeed, type OffloadSizes, partNeed } from './offload-need.js';

/** Vectors of a section that a replica has beside its shares: with its parameters gathered two of these and a gradient, else this. */
const LENT = { 2: 1, 3: 3 } as const;
/** And what all exchange through: two of what is gathered, one of what is summed. */
const EXCHANGED = 3;
/** A section as a checkpoint is written of it, whole and in its shards. */
const WRITTEN = 2;
/** And what came before it, which goes late (measured with the rest: 19M and 135M parameters, 4 replicas, within 5 %). */
const LATE = 64e6;
/** Of each replica: graphs of every kind of layer, of the head and of the optimiser's ranges. */
const GRAPHS = 20e6;

/**
 * What replicas take that share out the state of a model which they train layer by layer.
 *
 * @throws MeanfieldError for what cannot be
 */
export function shardedNeed(
  learned: Objective<never>,
  { replicas, ...sizes }: Omit<OffloadSizes, 'threads' | 'optimizer'> & { readonly replicas: number },
  stage: ZeroStage,
): OffloadNeed {
  const graph = cutGraph(learned, sizes.batchSize);
  const all = graph.sections.map(({ size }) => 4 * size);
  const [whole, largest] = [all.reduce((sum, size) => sum + size, 0), Math.max(...all)];
  const sections = (replicas * LENT[stage] + EXCHANGED + WRITTEN) * largest;
  // Gradients and both moments once between them, and parameters so or each.
  const resident = (3 + (stage === 3 ? 1 : replicas)) * whole;
  const part = partNeed(graph, sizes);
  const [states, activations] = [replicas * part.states, replicas * part.activations];
  const program = ownNeed(replicas) + replicas * GRAPHS + LATE;
  const total = Math.round(sections + resident + states + activations + program);
  return { sections, resident, states, activations, program, total, disk: 0, statesDisk: 0 };
}
