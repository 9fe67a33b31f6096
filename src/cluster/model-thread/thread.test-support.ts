import type { TestData } from '../../local/local.test-support.js';
import type { Model } from '../../model/model.js';
import { CAUSAL } from '../../objectives/create.js';
import type { RunSetup } from '../protocol/configuration.js';
import type { ModelSetup } from './commands.js';

/** The thread of a tiny model on the CPU, that trains or does not. */
export function hostSetupOf(
  { tokens }: TestData,
  model: Model,
  trains: boolean,
  { outer, fragments = 1 }: { readonly outer: RunSetup['outer']; readonly fragments?: number },
): ModelSetup {
  return {
    ...({ trains, alone: true, device: 'cpu', threads: 1, tokens } as const),
    run: {
      model: JSON.parse(JSON.stringify(model.config)),
      objective: CAUSAL,
      ...{ batchSize: 2, gradAccum: 1, seed: 5, averageMoments: false },
      optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 },
      schedule: { peak: 1e-2, final: 1e-3, warmup: 2, steps: 40 },
      outer,
      cluster: { format: 'fp32', momentsFormat: 'bf16', merge: 'mean', fragments, overlap: 1, mixing: 0.5 },
    },
  };
}
