import type { TrainOptions } from '../src/run/options.js';

/** Runs whose losses are kept in `fixtures/golden/NAME.json`: 30 steps on a real text. */
export const goldenRuns: Readonly<Record<string, Partial<TrainOptions>>> = {
  gpt2: { model: 'gpt2', replicas: 1 },
  'gpt2-averaged': { model: 'gpt2', replicas: 2 },
  'gpt2-int8': { model: 'gpt2', replicas: 1, precision: 'int8' },
  llama: { model: 'llama', heads: 4, kvHeads: 2, replicas: 1, gradAccum: 2 },
};

/** What they have in common. */
export const goldenOptions = { steps: 30, evalEvery: 15, syncEvery: 5, batchSize: 8, seed: 7 } as const;

/** What is kept of a run. */
export interface GoldenCurve {
  /** The loss of each step, in nats per token, the mean over replicas. */
  readonly losses: readonly number[];
  readonly val_loss: number;
}
