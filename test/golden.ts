import type { TrainOptions } from '../src/run/options.js';

/** Neither Muon nor a line to nothing. */
const plain = { optimizer: 'adamw', schedule: 'cosine' } as const;

/** Runs whose losses are kept in `fixtures/golden/NAME.json`: 30 steps on a real text. */
export const goldenRuns: Readonly<Record<string, Partial<TrainOptions>>> = {
  gpt2: { model: 'gpt2', replicas: 1, ...plain },
  'gpt2-averaged': { model: 'gpt2', replicas: 2, ...plain },
  'gpt2-int8': { model: 'gpt2', replicas: 1, precision: 'int8', ...plain },
  llama: { model: 'llama', heads: 4, kvHeads: 2, replicas: 1, gradAccum: 2, ...plain },
  defaults: { replicas: 1 },
  'defaults-averaged': { replicas: 2 },
};

/** What they have in common. */
export const goldenOptions = { steps: 30, evalEvery: 15, syncEvery: 5, batchSize: 8, seed: 7 } as const;

/** What is kept of a run. */
export interface GoldenCurve {
  /** The loss of each step, in nats per token, the mean over replicas. */
  readonly losses: readonly number[];
  readonly val_loss: number;
}
