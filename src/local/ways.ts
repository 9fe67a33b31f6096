/*
 * The ways to train a run: as a whole in memory, with activations made twice, layer by layer with the moments on disk, or
 * with everything there. What each takes is reckoned before anything is begun.
 */
import { MeanfieldError } from '../base/errors.js';
import { ofWhole, type ParsedTrainOptions, streamsBase } from '../run/options.js';
import type { OFFLOADS } from '../training/optimizers.js';
import { memoryNeed, ownNeed, type Sizes, vectorsNeed } from './memory-need.js';
import { offloadNeed, RESIDENT, type Term, termsOf } from './offload-need.js';
import { streamedBaseNeed } from './streamed-base-need.js';

/** What of a model is on disk while it is trained. */
export type Offloading = (typeof OFFLOADS)[number];

/** A way to train a run. */
export interface Way {
  readonly offload: Offloading;
  /** Of a model in memory: whether activations that are cheap to make are made twice. */
  readonly recompute?: boolean;
  readonly terms: readonly Term[];
  /** Whether these are all: a graph that cannot fit is not traced. */
  readonly whole: boolean;
  /** Of them all, with what such a sum may be short of. */
  readonly total: number;
  readonly disk: number;
  /** Bytes that a step moves to and from the disk. */
  readonly stepDisk: number;
  /** What a step computes, as a multiple of the first way. */
  readonly factor: number;
}

/**
 * What sums are short of, since a limit is kept, not nearly kept. In memory they are up to 7 % below what was measured
 * (`npm run bench -- memory-need`); layer by layer freed memory goes back late (GPT-2 124M, 512 tokens, everything on disk: 449
 * MB by the sum, ended by the system within 550, not within 640; moments on disk: 1.38 GB by the sum, 1.5 measured).
 */
const SPARE = { none: 1.1, moments: 1.2, all: 1.5 } as const;
/** Measured on SmolLM2-135M: see `recomputation`. */
const RECOMPUTED = 1.08;
/** Forward, and backward at twice its cost; layer by layer, forward once more. */
const LAYERED = 4 / 3;
/** Backward beside a base that learns nothing costs what forward does. */
const BESIDE_BASE = 3 / 2;
/** Bytes of a parameter that a step reads and writes: both moments; with all on disk also the gradient, and parameters thrice. */
const MOVED = { moments: 16, all: 36 } as const;

const total = (terms: readonly Term[], offload: Offloading): number =>
  Math.ceil(SPARE[offload] * terms.reduce((sum, [bytes]) => sum + bytes, 0));

/**
 * The ways with the whole model in memory, the faster first.
 *
 * @param most what the traced graph's vectors alone may take: beyond it nothing is traced
 */
export function* wholeWays(setup: Sizes, most = Number.POSITIVE_INFINITY): Generator<Way> {
  const { learned, replicas } = setup;
  const own: Term = [ownNeed(replicas), 'for the program'];
  const model: Term = [vectorsNeed(setup), 'for the model and its optimiser'];
  const none = { offload: 'none', disk: 0, stepDisk: 0 } as const;
  const least = total([model, own], 'none');
  if (least > most) {
    yield { ...none, recompute: true, terms: [model, own], whole: false, total: least, factor: 1 };
    return;
  }
  // What is kept in few bits would be kept expanded.
  const choices = setup.recompute === undefined ? (learned.storage ? [true] : [false, true]) : [setup.recompute];
  for (const recompute of choices) {
    const { activations, evaluation } = memoryNeed({ ...setup, recompute });
    const terms: Term[] = [model, [activations, 'for a step'], [evaluation, 'for an evaluation'], own];
    yield { ...none, recompute, terms, whole: true, total: total(terms, 'none'), factor: recompute ? RECOMPUTED : 1 };
  }
}

/** What a run's memory depends on that is trained layer by layer. */
export interface LayeredSizes extends Pick<Sizes, 'learned' | 'batchSize' | 'gradAccum'> {
  readonly threads: number;
  /** Whether the model that it starts from is in memory as a whole, once. */
  readonly read?: boolean;
}

/**
 * The ways to train layer by layer, the faster first.
 *
 * @param refused is told why there are none
 */
export function layeredWays(
  options: ParsedTrainOptions,
  setup: LayeredSizes,
  refused: (reason: string) => void = () => {},
): Way[] {
  return (['moments', 'all'] as const).flatMap((offload) => {
    const so = { ...options, offload };
    if (options.module !== undefined || ofWhole(so).length > 0) return [];
    try {
      return [streamsBase(so) ? besideBase(setup) : onDisk(setup, offload)];
    } catch (error) {
      if (!(error instanceof MeanfieldError)) throw error;
      refused(error.message);
      return [];
    }
  });
}

function besideBase(setup: LayeredSizes): Way {
  const { learned } = setup;
  const need = streamedBaseNeed(learned, setup);
  // At most: as if its files had float32.
  return { ...wayOf('all', termsOf(need), need.disk), stepDisk: 2 * 4 * learned.frozen.size, factor: BESIDE_BASE };
}

function onDisk(setup: LayeredSizes, offload: keyof typeof MOVED): Way {
  const { size } = setup.learned.layout;
  const need = offloadNeed(setup.learned, setup, RESIDENT[offload]);
  // It goes late.
  const read: Term[] = setup.read ? [[4 * size, 'for the model as it is read at the start']] : [];
  const terms = [...read, ...termsOf(need)];
  return { ...wayOf(offload, terms, need.disk), stepDisk: MOVED[offload] * size, factor: LAYERED };
}

function wayOf(offload: Offloading, terms: readonly Term[], disk: number): Omit<Way, 'stepDisk' | 'factor'> {
  return { offload, terms, whole: true, total: total(terms, offload), disk };
}
