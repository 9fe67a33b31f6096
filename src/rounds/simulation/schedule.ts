import { Random } from '../../base/random.js';
import { machineOptions, threadOptions } from '../create.js';
import type { RoundOptions } from '../types.js';
import type { LineOptions } from './network.js';
import { type Character, TOKENS_PER_STEP } from './worker.js';

/**
 * - `steady`: joins, leaves, delays, duplicates, reordering, odd characters; nothing is lost
 * - `chaos`: also loss, silent crashes, restarts of workers and coordinator, partitions, failed merges, blobs that cannot
 *   be had or stored, a server that loses its last writes
 */
export type ScheduleKind = 'steady' | 'chaos';

export type Action =
  | { readonly type: 'join'; readonly character: Character; readonly speed: number }
  /** The other actions take `pick` modulo the number of workers there are. */
  | { readonly type: 'leave' | 'crash' | 'restart'; readonly pick: number }
  | { readonly type: 'evict'; readonly pick: number }
  /** Its next contributions are more than it may store. */
  | { readonly type: 'full'; readonly pick: number; readonly count: number }
  | {
      readonly type: 'coordinator';
      readonly downFor: number;
      readonly clockOffset: number;
      readonly midway: boolean;
      /** Whether what was stored last is lost, but for rounds and commits. */
      readonly forgets: boolean;
    }
  | { readonly type: 'partition'; readonly pick: number; readonly lasts: number }
  | { readonly type: 'failMerges'; readonly count: number };

/** Everything that happens to a simulated run from outside, in virtual milliseconds. */
export interface Schedule {
  readonly seed: number;
  readonly options: RoundOptions;
  readonly line: LineOptions;
  readonly transfer: number;
  readonly mergeTime: number;
  readonly damage: number;
  /** Probability that something cannot be fetched, stored or summed now. */
  readonly miss: number;
  /** Parts of the model, one exchanged a round; with several, members run ahead. */
  readonly fragments: number;
  /** τ, in inner steps. */
  readonly overlap: number;
  /** Of a fragment, which contributors sum; 0: the coordinator does. */
  readonly shards: number;
  readonly sharedLine: boolean;
  readonly actions: readonly { readonly at: number; readonly action: Action }[];
  /** From here on nothing bad happens, and the run must make progress. */
  readonly calmAt: number;
}

/** A random schedule; the same for the same seed and kind. */
export function randomSchedule(seed: number, kind: ScheduleKind): Schedule {
  const random = new Random(seed, kind);
  const between = (least: number, most: number) => least + random.uniform() * (most - least);
  const whole = (least: number, most: number) => Math.round(between(least, most));
  const chance = (p: number) => random.uniform() < p;
  const speed = () => 2 ** between(-6, -2);
  const minimumMembers = 1 + random.below(3);
  // Only where nothing is lost can a run do without time-outs.
  const timeless = kind === 'steady' && chance(0.5);
  const fragments = chance(0.5) ? 1 : 2 + random.below(2);
  const options: RoundOptions = timeless
    ? threadOptions(minimumMembers, 10)
    : machineOptions({
        steps: 10,
        minimumMembers,
        quorum: between(0.3, 1),
        grace: whole(0, 500),
        heartbeatTimeout: whole(300, 1000),
        roundTimeout: whole(1000, 4000),
        outlierFactor: chance(0.5) ? 10 : null,
        // What was begun ahead is what is done, whatever the speed has become.
        adaptiveSteps: chance(0.5) && fragments === 1,
        tokensPerStep: TOKENS_PER_STEP,
        suspension: 1500,
      });
  const calmAt = 4000;
  const actions: { at: number; action: Action }[] = [];
  const add = (at: number, action: Action) => actions.push({ at, action });
  const workers = minimumMembers + random.below(4);
  for (let i = 0; i < workers; i++)
    add(between(0, 100), { type: 'join', character: characterOf(random, timeless), speed: speed() });
  for (let i = random.below(7); i > 0; i--) {
    const at = between(0, calmAt);
    const pick = random.below(1000);
    const kinds = kind === 'steady' ? 3 : 9;
    switch (random.below(kinds)) {
      case 0:
        add(at, { type: 'join', character: characterOf(random, timeless), speed: speed() });
        break;
      case 1:
        add(at, { type: 'leave', pick });
        break;
      case 2:
        add(at, { type: chance(0.2) ? 'evict' : 'restart', pick });
        break;
      case 3:
        add(at, { type: 'crash', pick });
        break;
      case 4:
        add(at, {
          type: 'coordinator',
          downFor: between(1, 800),
          clockOffset: chance(0.5) ? whole(-300_000, 300_000) : 0,
          midway: chance(0.5),
          forgets: chance(0.2),
        });
        break;
      case 5:
        add(at, { type: 'partition', pick, lasts: between(100, 1500) });
        break;
      case 6:
        add(at, { type: 'failMerges', count: 1 + random.below(2) });
        break;
      case 7:
        add(at, { type: 'restart', pick });
        break;
      case 8:
        add(at, { type: 'full', pick, count: 1 + random.below(4) });
    }
  }
  return {
    seed,
    options,
    line: {
      delay: [1, between(2, 120)],
      duplicate: between(0, 0.3),
      loss: kind === 'chaos' ? between(0, 0.25) : 0,
    },
    transfer: between(1, 150),
    mergeTime: between(1, 100),
    damage: chance(0.3) ? 0.1 : 0,
    miss: kind === 'chaos' && chance(0.5) ? 0.1 : 0,
    fragments,
    overlap: random.below(6),
    shards: random.below(4),
    sharedLine: false,
    actions,
    calmAt,
  };
}

/** Who takes part and sends nothing would hold up a run without time-outs for ever. */
function characterOf(random: Random, timeless: boolean): Character {
  const odd: Character[] = ['idle', 'fresh', 'stubborn', 'early'];
  if (!timeless) odd.push('silent', 'fickle');
  return random.uniform() < 0.75 ? 'honest' : odd[random.below(odd.length)]!;
}
