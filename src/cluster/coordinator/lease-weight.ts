import { type EpochRange, RangeSampler } from '../../data/ledger/index.js';
import { openSamples } from '../../local/task.js';
import type { Objective } from '../../objectives/objective.js';
import type { DataTask } from '../../run/task.js';
import { feedArrays } from '../../training/step-program.js';

/** What samples weigh, as a run's objective counts their targets. */
export interface LeaseWeights {
  readonly weigh: (samples: readonly EpochRange[]) => number;
  close(): void;
}

/**
 * Reads what samples weigh from the run's own data, as whoever trains on them will, so that no worker need be believed.
 * Where all weigh the same nothing is read.
 *
 * @param seed of the run
 */
export async function openLeaseWeights(
  objective: Objective<unknown>,
  task: DataTask,
  seed: number,
): Promise<LeaseWeights> {
  const { weightPerSample } = objective;
  if (weightPerSample !== undefined)
    return {
      weigh: (samples) => weightPerSample * samples.reduce((sum, { start, end }) => sum + end - start, 0),
      close() {},
    };
  const opened = await openSamples(task, seed, 'training');
  const sampler = new RangeSampler(opened.training);
  const arrays = feedArrays(objective, 1);
  return {
    weigh: (samples) => {
      sampler.assign(samples);
      let weight = 0;
      while (sampler.remaining > 0) weight += objective.fill(sampler.nextBatch(1), arrays);
      return weight;
    },
    close: () => opened.close(),
  };
}
