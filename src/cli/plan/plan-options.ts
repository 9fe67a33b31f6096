import type { Command } from 'commander';
import type { OptionsOf, OptionTable } from '../../base/option-table.js';
import { PLAN_GROUPS } from '../../planner/run/option-table.js';
import { addGroups } from '../terminal/add-options.js';

const { SOFTWARE, AMOUNT, STEP, ARRANGEMENT, AVERAGING } = PLAN_GROUPS;

const WHERE = {
  model: { kind: 'text', value: 'name|file', help: 'model of `plan models`, or a Hugging Face config.json' },
  cluster: {
    kind: 'text',
    value: 'name|file',
    help: 'cluster of `plan clusters`, NxACCELERATOR such as 64xh100, a JSON file, or `this` machine, measured',
  },
  ...SOFTWARE,
  calibration: {
    kind: 'text',
    value: 'file',
    help: 'what your own measurements say, as `plan calibrate` writes it',
  },
} as const satisfies OptionTable;

const LIMITS = {
  ...AMOUNT,
  law: {
    kind: 'choice',
    choices: ['chinchilla', 'replication', 'kaplan'],
    help: 'scaling law for the largest model',
    otherwise: 'replication',
  },
} as const satisfies OptionTable;

/** Options that `plan` and `plan simulate` take. */
export const PLAN_FLAGS = { ...WHERE, ...LIMITS, ...STEP, ...ARRANGEMENT, ...AVERAGING } as const satisfies OptionTable;

export type PlanFlags = OptionsOf<typeof PLAN_FLAGS>;

/** Options of `plan simulate` beside those of `plan`. */
export const SIMULATE_FLAGS = {
  schedule: {
    kind: 'choice',
    choices: ['pipeline', 'zero', 'averaging', 'exchange'],
    help: 'what to play',
    otherwise: 'after the plan',
  },
  rounds: { kind: 'count', help: 'rounds of averaging', otherwise: '10' },
  jitter: { kind: 'notNegative', help: 'standard deviation of the logarithm of each time', otherwise: '0' },
  prefetch: { kind: 'whole', help: 'layers gathered ahead with ZeRO-3', otherwise: '1' },
  shards: {
    kind: 'count',
    help: 'pieces of the vector in an exchange',
    otherwise: 'one a replica, at most 256',
  },
  seed: { kind: 'whole', help: 'seed of everything random', otherwise: '1' },
} as const satisfies OptionTable;

export type SimulateFlags = OptionsOf<typeof SIMULATE_FLAGS>;

/** What can be listed. */
export const LISTS = {
  models: 'models with their exact parameters',
  clusters: 'clusters with nodes, network and price',
  accelerators: 'accelerators with rates, memory and sources',
} as const;

export type ListName = keyof typeof LISTS;

/** Adds {@link PLAN_FLAGS}. Work checks bounds across them. */
export function definePlanOptions(command: Command): Command {
  return addGroups(command, {
    'What and where': WHERE,
    'How much': LIMITS,
    'A step': STEP,
    'Arrangement (default: searched)': ARRANGEMENT,
    'Periodic averaging': AVERAGING,
  }).optionsGroup('Output:');
}
