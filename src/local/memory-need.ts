import { MeanfieldError } from '../base/errors.js';
import { gigabytes } from '../base/gigabytes.js';
import { spelledError } from '../base/spelling.js';
import type { Objective } from '../objectives/objective.js';
import { momentBytes } from '../training/moments.js';
import { muonBytes } from '../training/muon.js';
import { traceReplica } from '../training/replica.js';
import { traceLoss } from '../training/step-program.js';
import type { TeamSetup } from './team.js';

/** Node with ONNX Runtime, the text's tokens and compiled graphs, before the first step (measured: 170 to 230 MB). */
const PROCESS = 200e6;
/** A further thread with its engine. */
const THREAD = 50e6;
/** An evaluation has no arena, and freed memory between its blocks goes back late (measured: 1.18 to 1.29). */
const WITHOUT_ARENA = 1.25;
/** Of an arena: what alignment and the operators' own scratch add (measured: 1.03 to 1.1). */
const SCRATCH = 1.05;

/** The parts of what a run takes of the machine's memory at its peak, in bytes. */
export interface MemoryNeed {
  /** Parameters, of a teacher as well, gradients, moments and what replicas exchange, with the copies of which models and checkpoints are written. */
  readonly vectors: number;
  /** What a step keeps between its forward and its backward pass; grows with batch and context. */
  readonly activations: number;
  readonly evaluation: number;
  /** Of these and of the process itself. */
  readonly total: number;
}

/** What a run's memory depends on. */
export type Sizes = Pick<
  TeamSetup,
  | 'replicas'
  | 'batchSize'
  | 'gradAccum'
  | 'dropout'
  | 'precision'
  | 'recompute'
  | 'exchange'
  | 'averageMoments'
  | 'sharded'
> & { readonly learned: Objective<never>; readonly optimizer?: Pick<TeamSetup['optimizer'], 'muon' | 'moments'> };

/**
 * What a run will need, from the very graphs that it will run (see `graph/peak-memory.ts`); within 15 % of what was
 * measured (`npm run bench -- memory-need`). On the CPU alone: other devices have memory of their own.
 */
export function memoryNeed(setup: Sizes): MemoryNeed {
  const { learned, replicas, gradAccum, batchSize } = setup;
  const engine = { target: 'cpu', views: true } as const;
  const { dropout, precision, recompute } = setup;
  const step = traceReplica(learned, batchSize, gradAccum, engine, { dropout, recompute, int8: precision === 'int8' });
  const loss = traceLoss(learned, batchSize, engine);
  const vectors = vectorsNeed(setup);
  // A graph's constants, such as masks, are in its file, and in the session that was made of it.
  const scratch = SCRATCH * (step.peakBytes + muonBytes(setup.optimizer?.muon));
  const activations = replicas * (scratch + 2 * step.onnx.length);
  const evaluation = replicas * (WITHOUT_ARENA * loss.peakBytes + 2 * loss.onnx.length);
  return {
    vectors,
    activations,
    evaluation,
    total: Math.round(vectors + activations + evaluation + ownNeed(replicas)),
  };
}

/** Of the process and its threads. */
export const ownNeed = (replicas: number): number => PROCESS + (replicas - 1) * THREAD;

/** What of it vectors take, which is known without tracing anything. */
export function vectorsNeed(setup: Sizes): number {
  const { learned, replicas } = setup;
  const { layout, frozen, storage } = learned;
  const trained = 4 * layout.size * (replicas * replicaVectors(setup) + snapshotVectors(setup));
  // Each replica has the frozen ones, and with the trained ones they are joined twice for a moment, as a model to write.
  const joined = frozen.size > 0 ? frozen.size * (replicas + 1) + layout.size + frozen.size : 0;
  // Kept in few bits they are read from a file that is made of the whole vector, once.
  const kept = storage ? storage.bytes * replicas + 4 * frozen.size : 4 * joined;
  // Each replica has its copy of a teacher, too; that of who read it for the run's folder goes late.
  const taught = 4 * (learned.teaching?.layout.size ?? 0) * (replicas + 1);
  return trained + kept + taught;
}

/** How many vectors of the model's size a replica holds. */
function replicaVectors({ replicas, gradAccum, exchange, averageMoments, optimizer, sharded }: Sizes): number {
  const own = 2 + momentVectors(optimizer) / (sharded ? replicas : 1) + (gradAccum > 1 ? 1 : 0);
  if (exchange === 'nothing') return own;
  const others = (replicas - 1) / replicas;
  if (exchange === 'gradients') return own + others;
  // The round's start, the outer momentum of its shard, and what travels to the others.
  return own + 1 + 1 / replicas + others * (averageMoments ? 3 : 1);
}

/** How many such vectors are copied out for a checkpoint. */
function snapshotVectors({ replicas, exchange, averageMoments, optimizer }: Sizes): number {
  const moments = momentVectors(optimizer);
  if (exchange !== 'parameters') return 1 + moments;
  return averageMoments ? 2 + moments : 2 + moments * replicas;
}

/** How many such vectors both moments come to. */
function momentVectors(optimizer: Sizes['optimizer']): number {
  return (2 * momentBytes(optimizer?.moments)) / Float32Array.BYTES_PER_ELEMENT;
}

/**
 * Refuses a run that would not fit, before its first step: the system ends such a process without a word.
 *
 * @param available bytes that the process may have
 * @param layered how much of it on disk would let it fit, if that does
 * @throws MeanfieldError with the batch size that fits, if any does
 */
export function requireMemory(
  setup: Sizes,
  need: MemoryNeed,
  available: number,
  layered: () => { readonly offload: string; readonly total: number; readonly disk: number } | undefined = () =>
    undefined,
): void {
  if (need.total <= available) return;
  const fits = (batchSize: number) => memoryNeed({ ...setup, batchSize }).total <= available;
  let [low, high] = [0, setup.batchSize];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  const { batchSize, gradAccum, replicas, learned } = setup;
  const { tokensPerSample } = learned;
  const size = tokensPerSample === undefined ? `${batchSize} samples` : `${batchSize} × ${tokensPerSample} tokens`;
  const onDisk = layered();
  throw spelledError(MeanfieldError, ({ option }) => {
    const layers =
      onDisk === undefined
        ? ''
        : `Layer by layer, with ${option('offload', onDisk.offload)}, it would take about ${gigabytes(onDisk.total)}` +
          // Beside an adapter nothing is laid down.
          `${onDisk.disk > 0 ? `, and ${gigabytes(onDisk.disk)} of disk` : ' of memory'}. `;
    const same =
      batchSize % low === 0 ? ` (with ${option('gradAccum', (gradAccum * batchSize) / low)} for the same steps)` : '';
    const less = [
      ...(tokensPerSample === undefined ? [] : [`a smaller ${option('context')}`]),
      ...(replicas > 1 ? [`fewer ${option('replicas')}`] : []),
    ];
    const instead =
      low > 0
        ? `${option('batchSize', low)} fits${same}.`
        : `Not even ${option('batchSize', 1)} fits: take ${[...less, ''].join(', ').replace(/, $/, ' or ')}a smaller model.`;
    return (
      `This run would need about ${gigabytes(need.total)} of memory, and ${gigabytes(available)} are free: ` +
      `${gigabytes(need.activations)} for a step of ${size}${replicas > 1 ? ` on ${replicas} replicas` : ''}, ` +
      `${gigabytes(need.vectors)} for the model and its optimiser. ${instead} ${layers}${option('force', true)} trains all the same.`
    );
  });
}
