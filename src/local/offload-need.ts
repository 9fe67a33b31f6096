import { MeanfieldError } from '../base/errors.js';
import { spelledError } from '../base/spelling.js';
import type { Objective } from '../objectives/objective.js';
import type { OFFLOADS } from '../training/optimizers.js';
import { RANGE } from '../training/ranges.js';
import { cutGraph } from '../training/streamed/cut-graph.js';
import { traceBackward, traceForward } from '../training/streamed/part-programs.js';
import { AHEAD } from '../training/streamed/section-updates.js';
import { inPages, PAGE } from '../training/streamed/sections.js';
import type { VectorName } from '../training/trained-vectors.js';

/** Node with ONNX Runtime and a text's tokens (see `memory-need.ts`). */
export const PROCESS = 200e6;
/** Freed memory between two layers goes back late. */
export const WITHOUT_ARENA = 1.25;
/** Ranges of gradient and moments under way, and their sum. */
const RANGES = 2 * 3 * AHEAD + 4;

/** What of a machine a model that is trained layer by layer takes, in bytes. */
export interface OffloadNeed {
  /** Sections that are worked on, come and go. */
  readonly sections: number;
  /** What stays in memory. */
  readonly resident: number;
  /** The hidden states between layers, of all micro-batches of a step. */
  readonly states: number;
  /** What the largest part keeps while it is gone through. */
  readonly activations: number;
  /** Of these and of the process itself. */
  readonly total: number;
  /** In the run's folder. */
  readonly disk: number;
}

/** What stays in memory of a model of which so much is on disk. */
export const RESIDENT: Readonly<Record<Exclude<(typeof OFFLOADS)[number], 'none'>, readonly VectorName[]>> = {
  moments: ['parameters', 'gradient'],
  all: [],
};

/** @throws MeanfieldError for what cannot be trained layer by layer */
export function offloadNeed(
  learned: Objective<never>,
  {
    batchSize,
    gradAccum,
    threads,
  }: { readonly batchSize: number; readonly gradAccum: number; readonly threads: number },
  resident: readonly VectorName[],
): OffloadNeed {
  const graph = cutGraph(learned, batchSize);
  const { sections: all, embed, blocks, final, tokens, width } = graph;
  const sizes = all.map(({ size }) => inPages(size));
  const [whole, largest] = [4 * sizes.reduce((sum, size) => sum + size, 0), 4 * Math.max(...sizes)];
  const engine = { target: 'cpu', views: true } as const;
  // Blocks of other kinds are of about the same size.
  const peaks = [embed, blocks[0]!, final].flatMap((part) => [
    traceForward(part, engine).peakBytes,
    traceBackward(part, gradAccum > 1, engine).peakBytes,
  ]);
  // Two of parameters and a gradient; where these stay in memory, one by which a checkpoint is written.
  const lent = resident.includes('parameters') ? 1 : 3;
  const sections = lent * largest + RANGES * 4 * Math.max(PAGE, Math.min(RANGE * threads, largest / 4));
  const states = 4 * tokens * width * gradAccum * (blocks.length + 4);
  // The other large thing: the scores of the head's largest section, about three times, and the gradient of its rows.
  const rows = Math.max(...graph.head.sections.map((i) => all[i]!.size / width));
  const activations = WITHOUT_ARENA * Math.max(...peaks, 4 * rows * (3 * tokens + width));
  const held = resident.length * whole;
  const total = Math.round(sections + held + states + activations + PROCESS);
  const disk = 6 * whole + (resident.includes('gradient') ? 0 : whole);
  return { sections, resident: held, states, activations, total, disk };
}

/**
 * Refuses a run that would not fit, before its first step.
 *
 * @param available bytes that the process may have
 * @throws MeanfieldError with the sum
 */
export function requireOffload(
  { total, sections, resident, states, activations, disk }: OffloadNeed,
  available: number,
): void {
  if (total <= available) return;
  throw spelledError(MeanfieldError, ({ option }) => {
    const parts = [
      `${size(sections)} for the layers that are worked on`,
      ...(resident > 0 ? [`${size(resident)} for what stays in memory`] : []),
      `${size(states)} for the hidden states between them`,
      `${size(activations)} for what a layer computes`,
      `${size(PROCESS)} for the program`,
    ];
    const less = [
      ...(resident > 0 && disk > 0 ? [option('offload', 'all')] : []),
      `a smaller ${option('batchSize')} or ${option('gradAccum')}`,
      `a smaller ${option('context')}`,
    ];
    return (
      `This run would need about ${size(total)} of memory, and ${size(available)} are free: ${parts.join(', ')}. ` +
      `Take ${less.join(', or ')}. ${option('force', true)} trains all the same.`
    );
  });
}

/** `1.5 GB`. */
function size(bytes: number): string {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
