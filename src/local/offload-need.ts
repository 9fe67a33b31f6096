import { MeanfieldError } from '../base/errors.js';
import { gigabytes, type Term } from '../base/gigabytes.js';
import { spelledError } from '../base/spelling.js';
import type { Objective } from '../objectives/objective.js';
import type { AdamwOptions } from '../training/adamw.js';
import type { OFFLOADS } from '../training/optimizers.js';
import { RANGE } from '../training/ranges.js';
import { type CutGraph, cutGraph } from '../training/streamed/cut-graph.js';
import { BoundaryFile } from '../training/streamed/disk/boundary-file.js';
import { boundarySizes } from '../training/streamed/hidden-states.js';
import { MomentRoom } from '../training/streamed/moment-room.js';
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
  /** The hidden states between layers, of all micro-batches of a step, as far as they are in memory. */
  readonly states: number;
  /** What the largest part keeps while it is gone through. */
  readonly activations: number;
  /** The process itself. */
  readonly program: number;
  /** Of these. */
  readonly total: number;
  /** In the run's folder. */
  readonly disk: number;
  /** Of it, the hidden states. */
  readonly statesDisk: number;
}

/** What it depends on. */
export interface OffloadSizes {
  readonly batchSize: number;
  readonly gradAccum: number;
  readonly threads: number;
  /** How it keeps moments; in float32 where left out. */
  readonly optimizer?: Pick<AdamwOptions, 'moments'> | undefined;
}

/** What the memory of a run layer by layer is for. */
export function termsOf({ sections, resident, states, activations, program }: OffloadNeed): Term[] {
  const terms: Term[] = [
    [sections, 'for the layers that are worked on'],
    [resident, 'for what stays in memory'],
    [states, 'for the hidden states between them'],
    [activations, 'for what a layer computes'],
    [program, 'for the program'],
  ];
  return terms.filter(([bytes]) => bytes > 0);
}

/** Where things are of a model that is trained layer by layer. */
export interface Placement {
  /** What stays in memory between checkpoints. */
  readonly resident: readonly VectorName[];
  /** Whether the hidden states between layers are on disk. */
  readonly statesOnDisk: boolean;
}

/** Whether nothing of a model stays in memory. */
export function holdsOnDisk({ resident }: Pick<Placement, 'resident'>): boolean {
  return !resident.includes('parameters');
}

export const PLACEMENTS: Readonly<Record<Exclude<(typeof OFFLOADS)[number], 'none'>, Placement>> = {
  moments: { resident: ['parameters', 'gradient'], statesOnDisk: false },
  all: { resident: [], statesOnDisk: false },
  'all+states': { resident: [], statesOnDisk: true },
};

/** @throws MeanfieldError for what cannot be trained layer by layer */
export function offloadNeed(
  learned: Objective<never>,
  { batchSize, gradAccum, threads, optimizer }: OffloadSizes,
  { resident, statesOnDisk }: Placement,
): OffloadNeed {
  const graph = cutGraph(learned, batchSize);
  const { sections: all } = graph;
  const sizes = all.map(({ size }) => inPages(size));
  const [whole, largest] = [4 * sizes.reduce((sum, size) => sum + size, 0), 4 * Math.max(...sizes)];
  // Two of parameters and a gradient; where these stay in memory, one by which a checkpoint is written.
  const lent = resident.includes('parameters') ? 1 : 3;
  const sections = lent * largest + RANGES * 4 * Math.max(PAGE, Math.min(RANGE * threads, largest / 4));
  const { states, activations } = partNeed(graph, { gradAccum }, statesOnDisk);
  const held = resident.length * whole;
  const total = Math.round(sections + held + states + activations + PROCESS);
  const moments = all.map((section) => inPages(new MomentRoom(section, RANGE * threads, optimizer?.moments).words));
  // Twice, so that there is always a whole checkpoint.
  const kept = whole + 2 * 4 * moments.reduce((sum, words) => sum + words, 0);
  const spilled = resident.includes('gradient') ? 0 : whole;
  const statesDisk = statesOnDisk ? BoundaryFile.bytes(boundarySizes(graph, gradAccum)) : 0;
  const disk = 2 * kept + spilled + statesDisk;
  return { sections, resident: held, states, activations, program: PROCESS, total, disk, statesDisk };
}

/** What going through a model layer by layer takes beside its vectors. */
export function partNeed(
  graph: CutGraph,
  { gradAccum }: Pick<OffloadSizes, 'gradAccum'>,
  statesOnDisk = false,
): Pick<OffloadNeed, 'states' | 'activations'> {
  const { sections, embed, blocks, final, head, tokens, width } = graph;
  const engine = { target: 'cpu', views: true } as const;
  // Blocks of other kinds are of about the same size.
  const peaks = [embed, blocks[0]!, final].flatMap((part) => [
    traceForward(part, engine).peakBytes,
    traceBackward(part, gradAccum > 1, engine).peakBytes,
  ]);
  // Beside those of all boundaries two of gradients; of states on disk one that is worked with, and one on its way.
  const states = statesOnDisk ? 2 * gradAccum + 2 : (boundarySizes(graph, gradAccum).boundaries + 2) * gradAccum;
  // The other large thing: the scores of the head's largest section, about three times, and the gradient of its rows.
  const rows = Math.max(...head.sections.map((i) => sections[i]!.size / width));
  return {
    states: 4 * tokens * width * states,
    activations: WITHOUT_ARENA * Math.max(...peaks, 4 * rows * (3 * tokens + width)),
  };
}

/**
 * Refuses a run that would not fit, before its first step.
 *
 * @param available bytes that the process may have
 * @throws MeanfieldError with the sum
 */
export function requireOffload(need: OffloadNeed, available: number): void {
  const { total, resident, disk, statesDisk } = need;
  if (total <= available) return;
  throw spelledError(MeanfieldError, ({ option }) => {
    const parts = termsOf(need).map(([bytes, what]) => `${gigabytes(bytes)} ${what}`);
    const less = [
      ...(resident > 0 && disk > 0 ? [option('offload', 'all')] : []),
      ...(resident === 0 && disk > 0 && statesDisk === 0 ? [option('offload', 'all+states')] : []),
      `a smaller ${option('batchSize')} or ${option('gradAccum')}`,
      `a smaller ${option('context')}`,
    ];
    return (
      `This run would need about ${gigabytes(total)} of memory, and ${gigabytes(available)} are free: ${parts.join(', ')}. ` +
      `Take ${less.join(', or ')}. ${option('force', true)} trains all the same.`
    );
  });
}
