import { UsageError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import { thousands } from '../../base/thousands.js';
import { hasTiledAttention } from '../catalogue/accelerators.js';
import { habitsOf } from '../catalogue/frameworks.js';
import { divisors, type Fixed, stageCounts, tensorSplits } from '../search/index.js';
import type { Cluster, FrameworkHabits, Precision, Workload } from '../types.js';
import type { PlanOptions } from './options.js';

/** Sizes of a step and of a run, and what was assumed to get them. */
export interface RunSizes {
  readonly tokens: number;
  readonly fixed: Fixed;
  /** A sentence for each choice that was not the user's, with its source. */
  readonly assumptions: readonly string[];
}

const TOKENS_PER_PARAMETER = 20;
const LONGEST_SEQUENCE = 8192;
/** Tokens of the largest batch that Llama 3 405B was trained with (arXiv 2407.21783, section 3.4.1). */
const LARGEST_BATCH = 16 * 2 ** 20;

/**
 * Settles what a search needs and the user left open.
 *
 * @throws UsageError for choices that exclude one another or that the model or the cluster cannot do
 */
export function settleSizes(workload: Workload, cluster: Cluster, options: PlanOptions): RunSizes {
  const assumptions: string[] = [];
  const tokens = tokensOf(workload, options, assumptions);
  const precision = precisionOf(cluster, options, assumptions);
  const sequence = sequenceOf(workload, options, assumptions);
  const globalBatch = options.globalBatch ?? defaultBatch(workload, cluster, sequence, tokens, assumptions);
  const flashAttention = hasTiledAttention(cluster.accelerator);
  assumptions.push(
    flashAttention
      ? 'Attention is computed in tiles (FlashAttention).'
      : `Attention stores its scores: no tiled kernel for ${cluster.accelerator.name}.`,
  );
  const chosen = chosenOf(options);
  checkChosen(workload, cluster, { ...chosen, globalBatch, sequence }, habitsOf(options.framework ?? 'default'));
  return { tokens, fixed: { globalBatch, sequence, precision, flashAttention, ...chosen }, assumptions };
}

function tokensOf(workload: Workload, { tokens, flop }: PlanOptions, assumptions: string[]): number {
  if (tokens !== undefined) return tokens;
  if (flop !== undefined) return Math.max(1, Math.round(flop / (6 * workload.activeParameters)));
  assumptions.push(`${TOKENS_PER_PARAMETER} tokens a parameter (arXiv 2203.15556).`);
  return TOKENS_PER_PARAMETER * workload.parameters;
}

function precisionOf({ accelerator }: Cluster, { precision }: PlanOptions, assumptions: string[]): Precision {
  const has = Object.keys(accelerator.rates) as Precision[];
  if (precision === undefined) {
    const found = (['bf16', 'fp16', 'fp32'] as const).find((each) => has.includes(each)) ?? has[0];
    if (found === undefined) throw new UsageError(`${accelerator.name} has no rate of matrix products in any format.`);
    assumptions.push(`Matrix products in ${found}.`);
    return found;
  }
  if (has.includes(precision)) return precision;
  throw new UsageError(`${accelerator.name} has no rate for ${precision}. Allowed: ${has.join(', ')}.`);
}

function sequenceOf(workload: Workload, { sequence }: PlanOptions, assumptions: string[]): number {
  if (sequence === undefined) {
    const length = Math.min(workload.context, LONGEST_SEQUENCE);
    assumptions.push(`Sequences of ${thousands(length)} tokens.`);
    return length;
  }
  if (sequence <= workload.context || workload.positions !== 'learned') return sequence;
  throw wrong(
    'sequence',
    sequence,
    `is longer than the ${workload.context} positions that ${workload.name} has learned`,
  );
}

/** Sequences of a step after the compute of the run, such that all accelerators can have a share. */
function defaultBatch(
  workload: Workload,
  cluster: Cluster,
  sequence: number,
  tokens: number,
  assumptions: string[],
): number {
  const flop = 6 * workload.activeParameters * tokens;
  const target = Math.max(1, Math.min(0.292 * flop ** 0.3271, LARGEST_BATCH) / sequence);
  const batch = roundBatch(target, cluster.accelerators);
  assumptions.push(
    `${thousands(batch)} sequences a step: 0.292 C^0.3271 tokens (arXiv 2401.02954, equation 1), at most 16 Mi as for Llama 3, ` +
      'rounded so that accelerators divide it.',
  );
  return batch;
}

/** The nearest divisor of a count, or its nearest multiple by 1, 2, 3, 4, 6, 8, 12, …, which much divides. */
function roundBatch(target: number, count: number): number {
  const factors = Array.from({ length: 40 }, (_, i) => 2 ** Math.floor(i / 2) * (i % 2 === 0 ? 1 : 1.5));
  const multiples = factors.filter(Number.isInteger).map((factor) => factor * count);
  const near = (value: number) => Math.abs(Math.log(value / target));
  return [...divisors(count), ...multiples].reduce((best, value) => (near(value) < near(best) ? value : best));
}

function chosenOf({
  tensor,
  pipeline,
  contextParallel,
  microBatch,
  zero,
  recompute,
  offload,
}: PlanOptions): Partial<Fixed> {
  return {
    ...(tensor === undefined ? {} : { tensor }),
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(contextParallel === undefined ? {} : { context: contextParallel }),
    ...(microBatch === undefined ? {} : { microBatch }),
    ...(zero === undefined ? {} : { zero }),
    ...(recompute === undefined ? {} : { recompute }),
    ...(offload === undefined ? {} : { offload }),
  };
}

/** An option's value that cannot be, and why. */
function wrong(name: string, value: number, why: string): UsageError {
  return spelledError(UsageError, ({ option }) => `${option(name, value)} ${why}.`);
}

type Chosen = Partial<Fixed> & Pick<Fixed, 'globalBatch' | 'sequence'>;

function checkChosen(
  workload: Workload,
  cluster: Cluster,
  chosen: Chosen,
  { unevenStages, shardedPipeline }: FrameworkHabits,
): void {
  const { tensor = 1, pipeline = 1, context = 1, zero = 0, microBatch = 1, globalBatch, sequence } = chosen;
  const splits = tensorSplits(workload, cluster);
  if (!splits.includes(tensor)) {
    if (tensor > cluster.perNode && cluster.interNode === 0) {
      throw wrong('tensor', tensor, `is wider than a node of ${cluster.perNode}, and there is no network`);
    }
    const must = `it must divide the ${workload.heads} heads and stay in a node of ${cluster.perNode}`;
    throw wrong('tensor', tensor, `cannot be: ${must}. Allowed: ${splits.join(', ')}`);
  }
  const stages = stageCounts(workload.layers, unevenStages);
  if (!stages.includes(pipeline)) {
    const layers = `the ${workload.layers} layers of ${workload.name}`;
    const what = unevenStages ? `leaves stages of ${layers} empty` : `does not divide ${layers}`;
    throw wrong('pipeline', pipeline, `${what}. Allowed: ${stages.join(', ')}`);
  }
  if (sequence % context !== 0) {
    throw wrong('contextParallel', context, `does not divide a sequence of ${sequence} tokens`);
  }
  if (globalBatch % microBatch !== 0) {
    throw wrong('microBatch', microBatch, `does not divide the global batch of ${globalBatch} sequences`);
  }
  if (zero >= 2 && pipeline > 1 && !(zero === 3 && shardedPipeline)) {
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('zero', zero)} excludes ${option('pipeline', pipeline)}: gradients stay whole between micro-batches.`,
    );
  }
  const used = tensor * pipeline * context;
  if (used > cluster.accelerators) {
    throw new UsageError(`The choices take ${used} accelerators; ${cluster.name} has ${cluster.accelerators}.`);
  }
}
