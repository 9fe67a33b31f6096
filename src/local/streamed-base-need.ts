import type { Objective } from '../objectives/objective.js';
import { momentBytes } from '../training/moments.js';
import { adaptedGraph } from '../training/streamed/adapter/adapted-graph.js';
import { traceBackward, traceForward } from '../training/streamed/part-programs.js';
import { type OffloadNeed, type OffloadSizes, PROCESS, WITHOUT_ARENA } from './offload-need.js';

/**
 * What an adapter takes whose base comes from its files layer by layer, at most: as if these had float32.
 *
 * @throws MeanfieldError for what cannot be trained so
 */
export function streamedBaseNeed(
  learned: Objective<never>,
  { batchSize, gradAccum, optimizer }: Omit<OffloadSizes, 'threads'>,
): OffloadNeed {
  const { cut, parts, slices } = adaptedGraph(learned, batchSize);
  const engine = { target: 'cpu', views: true } as const;
  // Blocks of other kinds are of about the same size.
  const peaks = [parts[0]!, parts[1]!, parts.at(-1)!].flatMap(({ layer }) => [
    traceForward(layer, engine).peakBytes,
    traceBackward(layer, gradAccum > 1, engine).peakBytes,
  ]);
  const { tokens, width, head } = cut;
  const sizes = slices.map((own) => own.reduce((sum, { size }) => sum + size, 0));
  // As it lies in the file, and as it is worked on.
  const sections = 2 * 4 * Math.max(...sizes);
  // Parameters, gradient, moments; a checkpoint has all but the gradient once more, on either side of the thread.
  const moments = 2 * momentBytes(optimizer?.moments);
  const resident = (8 + moments + 2 * (4 + moments)) * learned.layout.size;
  const states = 4 * tokens * width * gradAccum * (parts.length + 3);
  const rows = Math.max(...head.sections.map((i) => sizes[i]! / width));
  const activations = WITHOUT_ARENA * Math.max(...peaks, 4 * rows * 3 * tokens);
  const total = Math.round(sections + resident + states + activations + PROCESS);
  return { sections, resident, states, activations, program: PROCESS, total, disk: 0, statesDisk: 0 };
}
