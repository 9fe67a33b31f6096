import type { Command } from 'commander';
import type { OptionsOf, OptionTable } from '../../base/option-table.js';
import { LAW_OPTION, PLAN_GROUPS } from '../../planner/run/option-table.js';
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

const LIMITS = { ...AMOUNT, law: LAW_OPTION } as const satisfies OptionTable;

/** Options that `plan` and `plan simulate` take. */
export const PLAN_FLAGS = { ...WHERE, ...LIMITS, ...STEP, ...ARRANGEMENT, ...AVERAGING } as const satisfies OptionTable;

export type PlanFlags = OptionsOf<typeof PLAN_FLAGS>;

/** Of `plan` alone. */
export const PAGE_FLAGS = {
  memory: {
    kind: 'positive',
    value: 'GB',
    help: 'with --cluster this: gigabytes that `train --memory` may take; says how it would train the model',
    otherwise: 'what is free; told of a model that does not fit as a whole',
  },
  html: { kind: 'text', value: 'file', help: 'write a page with charts, which needs no network' },
} as const satisfies OptionTable;

/** Of `plan simulate`, beside {@link PLAN_FLAGS} and SIMULATION_OPTIONS. */
export const TRACE_FLAGS = {
  trace: { kind: 'text', value: 'file', help: "write the events in Chrome's trace format" },
} as const satisfies OptionTable;

/** Of `plan trends`. */
export const TRENDS_FLAGS = {
  html: { kind: 'text', value: 'file', help: 'write a page with the drawings' },
} as const satisfies OptionTable;

/** Of `plan top500`. */
export const TOP500_FLAGS = {
  rmax: { kind: 'positive', value: 'tflops', help: 'LINPACK result, teraflops (1 petaflops is 1000)' },
  cluster: { kind: 'text', value: 'name|file', help: 'cluster whose Rmax to estimate' },
  list: { kind: 'text', value: 'yyyy-mm', help: 'one list', otherwise: 'all that are shipped' },
} as const satisfies OptionTable;

/** Of `plan fit`. */
export const FIT_FLAGS = {
  drop: { kind: 'whole', help: 'points with the fewest tokens per parameter to leave out', otherwise: '5 in 245' },
} as const satisfies OptionTable;

/** Of `plan calibrate`. */
export const CALIBRATE_FLAGS = {
  to: { kind: 'text', value: 'file', default: 'calibration.json', help: 'where to write it' },
} as const satisfies OptionTable;

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
