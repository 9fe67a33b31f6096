import type { Constants } from '../catalogue/constants.js';
import type { Cells } from '../catalogue/csv.js';
import {
  defaultsOf,
  type FrameworkDefaults,
  findFramework,
  frameworkFamily,
  pairKey,
} from '../catalogue/frameworks.js';
import { predictStep } from '../step/step.js';
import type { Arrangement, Cluster, Framework, StepPrediction, Workload } from '../types.js';
import { arrangementOf, degreesOf, type Open } from './arrangement.js';
import { Fields } from './fields.js';
import { clusterOf } from './machine.js';
import { workloadOf } from './shape.js';
import { tokensOf } from './tokens.js';

/** A row's run as the planner takes it, and what was assumed where it says nothing. */
export interface DescribedRun {
  readonly workload: Workload;
  readonly cluster: Cluster;
  readonly arrangement: Arrangement;
  readonly framework: Framework;
  /** Key of the constant fitted for the framework on the accelerator. */
  readonly pair: string;
  /** Sizes that are not printed, chosen anew as constants change. */
  readonly open: Open;
  readonly assumptions: readonly string[];
}

/**
 * Reads a row's run.
 *
 * @returns the reason, where not even the model's size is known
 */
export function describeRun(cells: Cells, constants: Constants): DescribedRun | string {
  const fields = new Fields(cells);
  const sequence = fields.countOr('seq', 2048);
  const workload = workloadOf(fields, sequence);
  if (!workload) return 'neither layers, width nor parameters of the model are given';
  const degrees = degreesOf(fields);
  const cluster = clusterOf(fields, degrees.accelerators, constants.time.linkEfficiency);
  const name = fields.text('framework') || fields.assume('framework', 'default');
  const year = fields.count('year', 9999);
  const usual = findFramework(name, cluster.accelerator.name, constants, year);
  const family = frameworkFamily(name, year);
  if (family.startsWith('default'))
    fields.assumptions.push(`framework ${JSON.stringify(name.slice(0, 40))} unknown, defaults`);
  if (usual.efficiencySource === 'default') {
    fields.assumptions.push(`efficiency ${usual.efficiency} (nothing measured for this framework and accelerator)`);
  }
  const defaults = defaultsOf(name, year);
  const framework = asWritten(fields, frameworkOf(fields, usual, defaults));
  const { arrangement, open } = arrangementOf(fields, workload, cluster, degrees, defaults, sequence);
  const run = {
    workload,
    cluster,
    arrangement,
    framework,
    pair: pairKey(family, cluster.accelerator.name),
    open,
    assumptions: fields.assumptions,
  };
  const whole = ['days', 'gpu_hours'].includes(fields.text('printed_unit'));
  if (whole && fields.number('tokens_trained_B') === undefined) {
    fields.assume('tokens_trained_B', (tokensOf(fields, workload) / 1e9).toPrecision(3));
  }
  if (open.microBatch) fields.assumptions.push('micro_batch: the fastest that fits');
  if (open.interleave) fields.assumptions.push('vpp: the fastest that fits');
  if (open.recompute) fields.assumptions.push('recompute: as few layers as fit');
  return run;
}

/**
 * The framework as it was on the day of a row, where the notes say which: before its sums in fp32 it held gradients in
 * 16 bits alone. Only memory follows: with sums and exchange in 16 bits too such rows come out some 6 % faster, and those
 * of the days before Jean Zay's nodes were put right (25 February 2022) are predicted 8 to 15 % too fast as it is.
 */
function frameworkOf(fields: Fields, usual: Framework, { sumsFrom }: FrameworkDefaults): Framework {
  const day = dayOf(fields);
  if (sumsFrom === undefined || usual.habits === undefined || day === '' || day >= sumsFrom) return usual;
  fields.assumptions.push(`gradients in 16 bits alone before ${sumsFrom}`);
  return { ...usual, habits: { ...usual.habits, gradientBytes: 2 } };
}

/** What a row's format of products says beside it: `bf16 eager`, `fp8 compile AsyncTP`. */
function asWritten(fields: Fields, usual: Framework): Framework {
  const { habits } = usual;
  const words = fields.text('precision');
  if (habits === undefined) return usual;
  const eager = /\beager\b/i.test(words);
  const compiled = /\bcompiled?\b/i.test(words);
  return {
    ...usual,
    habits: {
      ...habits,
      fusedPasses: eager ? false : compiled ? true : habits.fusedPasses,
      tensorOverlap: habits.tensorOverlap || /\basync ?tp\b/i.test(words),
    },
  };
}

/** The day of a row, ISO 8601: its year and, among the notes, `date 02-28`; the empty text where one of both lacks. */
function dayOf(fields: Fields): string {
  const day = /\bdate (\d\d-\d\d)\b/.exec(fields.text('notes'))?.[1];
  const year = fields.count('year', 9999);
  return day === undefined || year === undefined ? '' : `${String(year).padStart(4, '0')}-${day}`;
}

const MICRO_BATCHES = [1, 2, 4, 8, 16, 32] as const;

/** A prediction, and the arrangement that it is of. */
export interface Predicted {
  readonly step: StepPrediction;
  readonly arrangement: Arrangement;
}

/**
 * Predicts a run. What its row does not say is taken as those who ran it will have chosen it: the fastest micro-batch
 * that fits and divides a rank's share of the batch, the chunks of layers that suit, and recomputation of as few layers
 * as fit.
 */
export function predictRun(run: DescribedRun, constants: Constants): Predicted {
  const { arrangement, open } = run;
  const share = arrangement.globalBatch / arrangement.data;
  let best: Predicted | undefined;
  for (const microBatch of open.microBatch ? MICRO_BATCHES : [arrangement.microBatch]) {
    if (open.microBatch && microBatch > 1 && open.steps === undefined && share % microBatch !== 0) continue;
    const globalBatch =
      open.microBatch && open.steps !== undefined
        ? arrangement.data * open.steps * microBatch
        : arrangement.globalBatch;
    for (const interleave of open.interleave ? chunksOf(run) : [arrangement.interleave]) {
      const found = predictSized(run, { ...arrangement, microBatch, globalBatch, interleave }, constants);
      if (!best || isBetter(found.step, best.step)) best = found;
    }
  }
  return best!;
}

/** One that fits goes before one that does not; then the faster. */
const isBetter = (a: StepPrediction, b: StepPrediction): boolean =>
  a.fits === b.fits ? a.tokensPerSecond > b.tokensPerSecond : a.fits;

/** Chunks that a device may hold of its layers, so that the fullest holds no more layers than without. */
function chunksOf({ workload, arrangement }: DescribedRun): number[] {
  const { layers } = workload;
  const { pipeline } = arrangement;
  const most = Math.ceil(layers / pipeline);
  return [1, 2, 3, 4, 5, 6, 7, 8].filter((chunks) => Math.ceil(layers / (pipeline * chunks)) * chunks === most);
}

/** Predicts a run of a known micro-batch. */
function predictSized(run: DescribedRun, arrangement: Arrangement, constants: Constants): Predicted {
  const { workload, cluster, framework } = run;
  const step = predictStep(workload, cluster, arrangement, framework, constants);
  if (!run.open.recompute || step.fits || arrangement.recompute === 'full') return { step, arrangement };
  const recomputing = { ...arrangement, recompute: 'full' as const };
  const full = predictStep(workload, cluster, recomputing, framework, constants);
  // Software recomputes layer by layer: the share of layers that brings the total down to what there is.
  const share = (step.memory.total - step.memory.available) / (step.memory.total - full.memory.total);
  if (!full.fits || share >= 1) return { step: full, arrangement: recomputing };
  return { step: mix(step, full, share), arrangement };
}

/** A step in which a share of the layers is recomputed. */
function mix(none: StepPrediction, full: StepPrediction, share: number): StepPrediction {
  const between = (a: number, b: number): number => a + share * (b - a);
  const blend = <T extends object>(a: T, b: T): T =>
    Object.fromEntries(
      Object.entries(a).map(([key, value]) => [key, between(value, b[key as keyof T] as number)]),
    ) as T;
  const { memory, fits: _, time, ...rest } = none;
  return {
    ...blend(rest, full as typeof rest),
    fits: true,
    memory: blend(memory, full.memory),
    time: blend(time, full.time),
  };
}
