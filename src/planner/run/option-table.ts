import type { OptionDefinition, OptionTable } from '../../base/option-table.js';
import { OUTER_PRECISIONS } from '../averaging/types.js';
import { lawNames } from '../laws/laws.js';
import { OFFLOADS, PRECISIONS, RECOMPUTATIONS } from '../types.js';

/** The largest count: more of anything does not exist. */
const MOST = 1e9;

const counted = <const H extends Pick<OptionDefinition, 'help' | 'otherwise'>>(told: H) =>
  ({ kind: 'count', most: MOST, ...told }) as const;

const SOFTWARE = {
  /** Training software, as the calibration knows it. Default: a PyTorch trainer of 2024. */
  framework: {
    kind: 'text',
    help: 'training software whose habits to assume',
    otherwise: 'a PyTorch trainer of 2024',
  },
} as const satisfies OptionTable;

const AMOUNT = {
  /** Tokens to train on, over all replicas. Default: 20 for each parameter (arXiv 2203.15556). */
  tokens: { kind: 'positive', value: 'n', help: 'tokens to train on', otherwise: '20 a parameter' },
  /** FLOP of the model to spend, instead of tokens. */
  flop: { kind: 'positive', help: 'FLOP of the model to spend, instead of tokens' },
  /** US dollars that the run may cost. */
  budgetUsd: { kind: 'positive', help: 'US dollars that the run may cost' },
  /** Date by which the run must end, ISO 8601. */
  until: { kind: 'text', value: 'date', help: 'date by which it must end, such as 2027-06-30' },
} as const satisfies OptionTable;

const STEP = {
  /** Tokens of a sequence. Default: the model's context, at most 8192. */
  sequence: counted({ help: 'tokens of a sequence', otherwise: "the model's context, at most 8192" }),
  /** Sequences of a step, over all replicas. Default: by the compute (arXiv 2401.02954). */
  globalBatch: counted({ help: 'sequences of a step, over all replicas', otherwise: 'by the compute' }),
  /** Format of matrix products. Default: the first of bf16, fp16 and fp32 that the accelerator has. */
  precision: {
    kind: 'choice',
    choices: PRECISIONS,
    value: 'format',
    help: 'format of matrix products',
    otherwise: 'bf16, fp16 or fp32',
  },
} as const satisfies OptionTable;

const ARRANGEMENT = {
  /** Devices that share each matrix. Default: searched, as the others of the arrangement. */
  tensor: counted({ help: 'devices that share each matrix' }),
  /** Stages of layers. */
  pipeline: counted({ help: 'stages of layers' }),
  /** Devices that share a sequence. */
  contextParallel: counted({ help: 'devices that share a sequence' }),
  /** Sequences of a micro-batch. */
  microBatch: counted({ help: 'sequences of a micro-batch' }),
  /** ZeRO stage. */
  zero: { kind: 'whole', most: 3, help: 'ZeRO stage, 0 to 3' },
  /** Recomputation of activations. */
  recompute: { kind: 'choice', choices: RECOMPUTATIONS, value: 'how', help: 'recomputation of activations' },
  /** What is kept on the host. */
  offload: { kind: 'choice', choices: OFFLOADS, value: 'what', help: 'what is kept on the host' },
} as const satisfies OptionTable;

const AVERAGING = {
  /** `data`: replicas exchange gradients every step; `averaging`: parameters every H; `auto`: the sooner at the same loss. */
  method: {
    kind: 'choice',
    choices: ['auto', 'data', 'averaging'],
    help: 'data: exchange every step; averaging: every H',
    otherwise: 'auto',
  },
  /** Replicas that are averaged. Default: chosen. */
  replicas: counted({ help: 'replicas that are averaged' }),
  /** Inner steps H of a round. Default: chosen. */
  syncEvery: { ...counted({ help: 'inner steps between averages' }), value: 'h' },
  /** Format in which a change travels. Default: bf16. */
  outerPrecision: {
    kind: 'choice',
    choices: OUTER_PRECISIONS,
    value: 'format',
    help: 'format that changes travel in',
    otherwise: 'bf16',
  },
  /** `average` sends AdamW's moments as well, three times the bytes. Default: keep. */
  moments: { kind: 'choice', choices: ['keep', 'average'], help: "AdamW's moments", otherwise: 'keep' },
  /** Parts of the model that are averaged in turn (arXiv 2501.18512). Default: 1. */
  fragments: counted({ help: 'parts of the model that are averaged in turn', otherwise: '1' }),
  /** Steps during which a part may travel. Default: 0. */
  overlapSteps: {
    kind: 'notNegative',
    most: MOST,
    value: 'n',
    help: 'steps during which a part may travel',
    otherwise: '0',
  },
  /** How much faster the fastest replica is than the slowest. Default: 1. */
  speedSpread: {
    kind: 'number',
    least: 1,
    most: 100,
    help: 'how much faster the fastest replica is than the slowest',
    otherwise: '1',
  },
} as const satisfies OptionTable;

/** By what law the largest model is sought. */
export const LAW_OPTION = {
  kind: 'text',
  value: 'name|file',
  default: 'replication',
  help: `scaling law for the largest model: ${lawNames.join(', ')}, or a file that \`scale\` writes`,
} as const satisfies OptionDefinition;

/** What may be asked of a plan, by what it is of. */
export const PLAN_GROUPS = { SOFTWARE, AMOUNT, STEP, ARRANGEMENT, AVERAGING } as const;

/** What may be asked of a plan. */
export const PLAN_OPTIONS = {
  ...SOFTWARE,
  ...AMOUNT,
  ...STEP,
  ...ARRANGEMENT,
  ...AVERAGING,
} as const satisfies OptionTable;
