import { totalmem } from 'node:os';
import type { ParameterLayout } from '../model/layout.js';
import type { ReplicaHandle } from './replica-thread.js';
import { Team, type TeamSetup } from './team.js';

/** How the cores are shared out. */
export interface Arrangement {
  readonly replicas: number;
  /** Of each replica. */
  readonly threads: number;
}

/** An arrangement and how fast it was. */
export interface MeasuredArrangement extends Arrangement {
  /** Over all replicas, averaging included. */
  readonly tokensPerSecond: number;
}

/** More replicas than this on one machine cost quality before they bring speed. */
const MOST_REPLICAS = 8;
/** Vectors of the model's size that a replica holds, beside what its graphs need. */
const VECTORS = 9;
const WARM_UP_STEPS = 2;
const MEASURE_MILLISECONDS = 1500;

/** What `--replicas auto` chooses from: one replica on all cores, or as many as there are cores. */
export function candidates(cores: number, threads: number | undefined, parameters: number): Arrangement[] {
  const single = { replicas: 1, threads: threads ?? cores };
  const replicas = Math.min(MOST_REPLICAS, Math.floor(cores / (threads ?? 1)));
  const fits = replicas * VECTORS * 4 * parameters < 0.7 * totalmem();
  if (replicas < 2 || !fits) return [single];
  return [single, { replicas, threads: threads ?? Math.floor(cores / replicas) }];
}

/**
 * Trains for a second or two from the given parameters and throws the result away.
 *
 * @param setup with the arrangement to measure
 * @param parameters moved to the replicas
 */
export async function measureSpeed(
  setup: TeamSetup,
  layout: ParameterLayout,
  parameters: Float32Array,
  start?: () => ReplicaHandle,
): Promise<number> {
  const team = await Team.start(setup, layout, { round: 0, parameters, moments: [], samplers: [] }, start);
  try {
    for (let step = 0; step < WARM_UP_STEPS; step++) await team.rounds.runRound(step, 1);
    let steps = 0;
    let [training, averaging] = [0, 0];
    for (; training + averaging < MEASURE_MILLISECONDS; steps++) {
      const begun = performance.now();
      let trained = begun;
      await team.rounds.runRound(WARM_UP_STEPS + steps, 1, () => {
        trained = performance.now();
      });
      training += trained - begun;
      averaging += performance.now() - trained;
    }
    // Averaged after each step here, after H in the run.
    const milliseconds = (training + averaging / setup.syncEvery) / steps;
    const { replicas, batchSize, context, gradAccum } = setup;
    return (1000 * replicas * batchSize * context * gradAccum) / milliseconds;
  } finally {
    await team.close();
  }
}
