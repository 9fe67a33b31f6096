import { parentPort } from 'node:worker_threads';
import { randomSchedule, type ScheduleKind, simulate } from '../../src/rounds/simulation/index.js';

/** Seeds `from` to `to` − 1. */
export interface Share {
  readonly kind: ScheduleKind;
  readonly from: number;
  readonly to: number;
}

/** What happened in a share, summed. */
export interface Tally {
  commits: number;
  aborts: number;
  thrownOut: number;
  ticks: number;
}

// A violation is thrown with its seed: it ends the thread, and the bench with it.
parentPort!.on('message', ({ kind, from, to }: Share) => {
  const tally: Tally = { commits: 0, aborts: 0, thrownOut: 0, ticks: 0 };
  for (let seed = from; seed < to; seed++) {
    const result = simulate(randomSchedule(seed, kind));
    for (const key of ['commits', 'aborts', 'thrownOut', 'ticks'] as const) tally[key] += result[key];
  }
  parentPort!.postMessage(tally);
});
