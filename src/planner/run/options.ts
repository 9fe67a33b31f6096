import { UsageError } from '../../base/errors.js';
import { type OuterPrecision, outerPrecisions } from '../averaging/index.js';
import type { Arrangement, Precision } from '../types.js';
import type { Calibration } from './calibration.js';

/**
 * What may be asked of a plan. All of it may be left out; counts are whole numbers from 1.
 *
 * @category Planning a machine
 */
export interface PlanOptions {
  /** Tokens to train on, over all replicas. Default: 20 for each parameter (arXiv 2203.15556). */
  readonly tokens?: number | undefined;
  /** FLOP of the model to spend, instead of tokens. */
  readonly flop?: number | undefined;
  /** US dollars that the run may cost. */
  readonly budgetUsd?: number | undefined;
  /** Date by which the run must end, ISO 8601. */
  readonly until?: string | undefined;
  /** Moment at which it starts, milliseconds since 1970. Default: now. */
  readonly now?: number | undefined;
  /** `data`: replicas exchange gradients every step; `averaging`: parameters every H; `auto`: the sooner at the same loss. */
  readonly method?: 'auto' | 'data' | 'averaging' | undefined;
  /** Tokens of a sequence. Default: the model's context, at most 8192. */
  readonly sequence?: number | undefined;
  /** Sequences of a step, over all replicas. Default: by the compute (arXiv 2401.02954). */
  readonly globalBatch?: number | undefined;
  /** Format of matrix products. Default: the first of bf16, fp16 and fp32 that the accelerator has. */
  readonly precision?: Precision | undefined;
  /** Training software, as the calibration knows it. Default: a current PyTorch trainer. */
  readonly framework?: string | undefined;
  /** What one's own measurements say: `calibrate` makes it. Default: published measurements alone. */
  readonly calibration?: Calibration | undefined;
  /** Choices of the arrangement that are made already. */
  readonly tensor?: number | undefined;
  readonly pipeline?: number | undefined;
  readonly context?: number | undefined;
  readonly microBatch?: number | undefined;
  readonly zero?: Arrangement['zero'] | undefined;
  readonly recompute?: Arrangement['recompute'] | undefined;
  readonly offload?: Arrangement['offload'] | undefined;
  /** Of averaging: replicas; default: chosen. */
  readonly replicas?: number | undefined;
  /** Of averaging: inner steps H of a round; default: chosen. */
  readonly syncEvery?: number | undefined;
  /** Of averaging: format in which a change travels. Default: bf16. */
  readonly outerPrecision?: OuterPrecision | undefined;
  /** Of averaging: `average` sends AdamW's moments as well, three times the bytes. Default: keep. */
  readonly moments?: 'keep' | 'average' | undefined;
  /** Of averaging: parts of the model that are averaged in turn (arXiv 2501.18512). Default: 1. */
  readonly fragments?: number | undefined;
  /** Of averaging: steps during which a part may travel. Default: 0. */
  readonly overlapSteps?: number | undefined;
  /** How much faster the fastest replica is than the slowest. Default: 1. */
  readonly speedSpread?: number | undefined;
}

/** What each option accepts, as it is said in an error. */
const CHOICES = {
  method: ['auto', 'data', 'averaging'],
  precision: ['fp32', 'tf32', 'fp16', 'bf16', 'fp8', 'mxfp8', 'nvfp4'],
  recompute: ['none', 'selective', 'full'],
  offload: ['none', 'optimizer', 'optimizer+parameters'],
  outerPrecision: outerPrecisions,
  moments: ['keep', 'average'],
  zero: [0, 1, 2, 3],
} as const satisfies Partial<Record<keyof PlanOptions, readonly (string | number)[]>>;

/** The values that an option with a few allowed ones takes. */
export const planChoices: Readonly<Record<keyof typeof CHOICES, readonly (string | number)[]>> = CHOICES;

const COUNTS = [
  'sequence',
  'globalBatch',
  'tensor',
  'pipeline',
  'context',
  'microBatch',
  'replicas',
  'syncEvery',
  'fragments',
] as const;

/** The largest count: more of anything does not exist. */
const MOST = 1e9;

/** @throws UsageError naming the first option that cannot be, what it takes and what it got */
export function checkPlanOptions(options: PlanOptions): void {
  for (const [name, allowed] of Object.entries(planChoices)) {
    const value = options[name as keyof typeof CHOICES];
    if (value !== undefined && !allowed.includes(value)) throw wrong(name, allowed.join(', '), value);
  }
  for (const name of COUNTS) {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= MOST)) {
      throw wrong(name, `a whole number from 1 to ${MOST}`, value);
    }
  }
  for (const name of ['tokens', 'flop', 'budgetUsd'] as const) {
    const value = options[name];
    if (value !== undefined && !(value > 0 && Number.isFinite(value))) throw wrong(name, 'a number above 0', value);
  }
  const { overlapSteps, speedSpread, tokens, flop } = options;
  if (overlapSteps !== undefined && !(overlapSteps >= 0 && overlapSteps <= MOST)) {
    throw wrong('overlapSteps', 'a number of 0 or more', overlapSteps);
  }
  if (speedSpread !== undefined && !(speedSpread >= 1 && speedSpread <= 100)) {
    throw wrong('speedSpread', 'a number from 1 to 100', speedSpread);
  }
  if (tokens !== undefined && flop !== undefined) {
    throw new UsageError('Both tokens and FLOP were given: one follows from the other. Give one of them.');
  }
}

function wrong(name: string, expected: string, value: unknown): UsageError {
  return new UsageError(`${optionOf(name)}: expected ${expected}; got ${String(value).slice(0, 64)}.`);
}

/** An option as the command line writes it: `globalBatch` is `--global-batch`. */
function optionOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
