import type { OptionTable } from '../../base/option-table.js';

/** How a step is played. */
export const STEP_OPTIONS = {
  /** Standard deviation of the logarithm of each time. Default 0. */
  jitter: { kind: 'notNegative', most: 3, default: 0, help: 'standard deviation of the logarithm of each time' },
  /** Layers gathered ahead with ZeRO-3. Default 1 where the prediction overlaps exchanges with computing, else 0. */
  prefetch: { kind: 'whole', help: 'layers gathered ahead with ZeRO-3', otherwise: '1' },
  /** Seed of everything random. Default 1. */
  seed: { kind: 'whole', default: 1, help: 'seed of everything random' },
} as const satisfies OptionTable;

/** What may be played of a plan, and how. */
export const SIMULATION_OPTIONS = {
  schedule: {
    kind: 'choice',
    choices: ['pipeline', 'zero', 'averaging', 'exchange'],
    help: 'what to play',
    otherwise: 'after the plan',
  },
  rounds: { kind: 'count', default: 10, help: 'rounds of averaging' },
  ...STEP_OPTIONS,
  shards: { kind: 'count', help: 'pieces of the vector in an exchange', otherwise: 'one a replica, at most 256' },
} as const satisfies OptionTable;
