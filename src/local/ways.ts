/*
 * The ways to train a run: as a whole in memory, with activations made twice, layer by layer with the moments on disk, or
 * with everything there. What each takes is reckoned before anything is begun.
 */

import { MeanfieldError } from '../base/errors.js';
import type { Term } from '../base/gigabytes.js';
import { ofWhole, type ParsedTrainOptions, streamsBase } from '../run/options.js';
import { type MomentsPrecision, momentBytes } from '../training/moments.js';
import type { OFFLOADS } from '../training/optimizers.js';
import type { ZeroStage } from '../training/streamed/sharded/sharded-sections.js';
import { memoryNeed, ownNeed, type Sizes, vectorsNeed } from './memory-need.js';
import { offloadNeed, PLACEMENTS, termsOf } from './offload-need.js';
import { shardedNeed } from './sharded-need.js';
import { streamedBaseNeed } from './streamed-base-need.js';

/** What of a model is on disk while it is trained. */
export type Offloading = (typeof OFFLOADS)[number];

/** A way to train a run. */
export interface Way {
  readonly offload: Offloading;
  /** What replicas share out that go through the model layer by layer. */
  readonly stage?: ZeroStage;
  /** Of a model in memory: whether activations that are cheap to make are made twice. */
  readonly recompute?: boolean;
  /** In few bits, where that is part of the way. */
  readonly momentsPrecision?: MomentsPrecision;
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
const SPARE = { none: 1.1, moments: 1.2, all: 1.5, 'all+states': 1.5 } as const;
/** Measured on SmolLM2-135M: see `recomputation`. */
const RECOMPUTED = 1.08;
/** AdamW's step beside the rest of one of about a thousand tokens: 3 ns of a core an element in fp32, 6 to 9, and 14. */
const KEPT_IN = { fp32: 1, bf16: 1.05, int8: 1.12 } as const;
/** Forward, and backward at twice its cost; layer by layer, forward once more. */
const LAYERED = 4 / 3;
/** Backward beside a base that learns nothing costs what forward does. */
const BESIDE_BASE = 3 / 2;
/** Bytes of a parameter that a step reads and writes beside both moments: with all on disk the gradient, and parameters thrice. */
const MOVED = { moments: 0, all: 20, 'all+states': 20 } as const;

const total = (terms: readonly Term[], offload: Offloading): number =>
  Math.ceil(SPARE[offload] * terms.reduce((sum, [bytes]) => sum + bytes, 0));

/** What ways with the whole model in memory there are to be. */
interface WholeOptions {
  /** What the traced graph's vectors alone may take: beyond it nothing is traced. */
  readonly most?: number | undefined;
  /** In what moments may be kept; left out, as the optimiser has them. */
  readonly keeping?: readonly MomentsPrecision[] | undefined;
}

/** The ways with the whole model in memory, the faster first. */
export function* wholeWays(
  setup: Sizes,
  { most = Number.POSITIVE_INFINITY, keeping }: WholeOptions = {},
): Generator<Way> {
  const { learned, replicas, optimizer } = setup;
  const own: Term = [ownNeed(replicas), 'for the program'];
  const none = { offload: 'none', disk: 0, stepDisk: 0 } as const;
  // What is kept in few bits would be kept expanded.
  const recomputes = setup.recompute === undefined ? (learned.storage ? [true] : [false, true]) : [setup.recompute];
  const choices = recomputes.flatMap((recompute) =>
    (keeping ?? [undefined]).map((momentsPrecision) => ({
      recompute,
      momentsPrecision,
      factor: (recompute ? RECOMPUTED : 1) * KEPT_IN[momentsPrecision ?? 'fp32'],
    })),
  );
  const traced = new Map<boolean, readonly Term[]>();
  const untraced = new Set<MomentsPrecision | undefined>();
  for (const { recompute, momentsPrecision, factor } of choices.sort((a, b) => a.factor - b.factor)) {
    const few = momentsPrecision === 'fp32' ? undefined : momentsPrecision;
    const moments = momentsPrecision === undefined ? optimizer?.moments : few && { precision: few, seed: 0 };
    const sizes = { ...setup, optimizer: { ...optimizer, moments }, recompute };
    const model: Term = [vectorsNeed(sizes), 'for the model and its optimiser'];
    const least = total([model, own], 'none');
    const way = { ...none, ...(few && { momentsPrecision: few }), factor };
    if (least > most) {
      // With activations made twice it is as far from fitting.
      if (!untraced.has(few)) yield { ...way, recompute: true, terms: [model, own], whole: false, total: least };
      untraced.add(few);
      continue;
    }
    const step = traced.get(recompute) ?? stepTerms(sizes);
    traced.set(recompute, step);
    const terms = [model, ...step, own];
    yield { ...way, recompute, terms, whole: true, total: total(terms, 'none') };
  }
}

function stepTerms(sizes: Sizes): readonly Term[] {
  const { activations, evaluation } = memoryNeed(sizes);
  return [
    [activations, 'for a step'],
    [evaluation, 'for an evaluation'],
  ];
}

/** What a run's memory depends on that is trained layer by layer. */
export interface LayeredSizes extends Pick<Sizes, 'learned' | 'batchSize' | 'gradAccum' | 'optimizer'> {
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
  return (['moments', 'all', 'all+states'] as const).flatMap((offload) => {
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

/**
 * The way of replicas that share a model's state out between them.
 *
 * @throws MeanfieldError for a model that cannot be cut between its layers
 */
export function sharedWay(setup: LayeredSizes & { readonly replicas: number }, stage: ZeroStage): Way {
  const terms = [...readTerms(setup), ...termsOf(shardedNeed(setup.learned, setup, stage))];
  const none = { offload: 'none', disk: 0, stepDisk: 0 } as const;
  return { ...none, stage, terms, whole: true, total: total(terms, 'none'), factor: LAYERED };
}

/** The model that is read as a whole at the start goes late. */
const readTerms = ({ read, learned }: LayeredSizes): readonly Term[] =>
  read ? [[4 * learned.layout.size, 'for the model as it is read at the start']] : [];

function besideBase(setup: LayeredSizes): Way {
  const { learned } = setup;
  const need = streamedBaseNeed(learned, setup);
  // At most: as if its files had float32.
  return { ...wayOf('all', termsOf(need), need.disk), stepDisk: 2 * 4 * learned.frozen.size, factor: BESIDE_BASE };
}

function onDisk(setup: LayeredSizes, offload: keyof typeof MOVED): Way {
  const { size } = setup.learned.layout;
  const need = offloadNeed(setup.learned, setup, PLACEMENTS[offload]);
  const terms = [...readTerms(setup), ...termsOf(need)];
  return {
    ...wayOf(offload, terms, need.disk),
    stepDisk: (MOVED[offload] + 4 * momentBytes(setup.optimizer?.moments)) * size + 2 * need.statesDisk,
    factor: LAYERED,
  };
}

function wayOf(offload: Offloading, terms: readonly Term[], disk: number): Omit<Way, 'stepDisk' | 'factor'> {
  return { offload, terms, whole: true, total: total(terms, offload), disk };
}
