import type { ParameterLayout } from '../model/layout.js';
import type { ReplicaHandle } from './replica-thread.js';
import { Team, type TeamSetup } from './team.js';

/** How the cores are shared out. */
export interface ThreadArrangement {
  readonly replicas: number;
  /** Of each replica. */
  readonly threads: number;
}

/** More replicas than this on one machine cost quality before they bring speed. */
const MOST_REPLICAS = 8;
const WARM_UP_STEPS = 2;
/** A look at an arrangement is so long, or one step. */
const LOOK_MILLISECONDS = 400;
/** Looks at each arrangement: fewer, but never under three, where they are long. */
const LOOKS = 5;
const FEWEST_LOOKS = 3;
const LONG_MILLISECONDS = 10_000;

/** About how long {@link measureSpeeds} takes for two arrangements of a small model, in seconds. */
export const MEASURE_SECONDS = (2 * LOOKS * LOOK_MILLISECONDS) / 1000;

/** What `--replicas auto` chooses from: one replica on all cores, or as many as there are cores. */
export function candidates(cores: number, threads: number | undefined): ThreadArrangement[] {
  const single = { replicas: 1, threads: threads ?? cores };
  const replicas = Math.min(MOST_REPLICAS, Math.floor(cores / (threads ?? 1)));
  if (replicas < 2) return [single];
  return [single, { replicas, threads: threads ?? Math.floor(cores / replicas) }];
}

/**
 * Trains by each arrangement in turn, A B A B ..., so that what else the machine does meets them alike, and throws the
 * results away.
 *
 * @param parameters what to start from; called for each team, which takes it
 * @param together whether all teams fit in memory at once; else each is started anew for each look
 * @returns the looks at each, in tokens or samples per second over all replicas, averaging included
 */
export async function measureSpeeds(
  setups: readonly TeamSetup[],
  layout: ParameterLayout,
  parameters: () => Promise<Float32Array>,
  together: boolean,
  start?: () => ReplicaHandle,
): Promise<number[][]> {
  const open = async (setup: TeamSetup) => Probe.start(setup, layout, await parameters(), start);
  const looks: number[][] = setups.map(() => []);
  const probes: Probe[] = [];
  const begun = performance.now();
  try {
    if (together) for (const setup of setups) probes.push(await open(setup));
    for (let look = 0; look < LOOKS; look++) {
      if (look >= FEWEST_LOOKS && performance.now() - begun > LONG_MILLISECONDS) break;
      for (const [i, setup] of setups.entries()) {
        const probe = probes[i] ?? (await open(setup));
        try {
          looks[i]!.push(await probe.look());
        } finally {
          if (!together) await probe.close();
        }
      }
    }
    return looks;
  } finally {
    for (const probe of probes) await probe.close();
  }
}

/** A team that is trained for a moment at a time. */
class Probe {
  #step = WARM_UP_STEPS;

  private constructor(
    private readonly setup: TeamSetup,
    private readonly team: Team,
  ) {}

  static async start(setup: TeamSetup, layout: ParameterLayout, parameters: Float32Array, start?: () => ReplicaHandle) {
    const team = await Team.start(setup, layout, { round: 0, parameters, moments: [], samplers: [] }, start);
    try {
      for (let step = 0; step < WARM_UP_STEPS; step++) await team.rounds.runRound(step, 1);
    } catch (error) {
      await team.close();
      throw error;
    }
    return new Probe(setup, team);
  }

  /** Tokens or samples a second over a moment. */
  async look(): Promise<number> {
    let steps = 0;
    let [training, averaging] = [0, 0];
    for (; training + averaging < LOOK_MILLISECONDS; steps++) {
      const begun = performance.now();
      let trained = begun;
      await this.team.rounds.runRound(this.#step++, 1, () => {
        trained = performance.now();
      });
      training += trained - begun;
      averaging += performance.now() - trained;
    }
    // Averaged after each step here, after H in the run.
    const milliseconds = (training + averaging / this.setup.stepsPerRound) / steps;
    const { replicas, batchSize, perSample, gradAccum } = this.setup;
    return (1000 * replicas * batchSize * perSample * gradAccum) / milliseconds;
  }

  close(): Promise<void> {
    return this.team.close();
  }
}

/** What looks at arrangements tell. */
export interface ArrangementComparison {
  /** Of each, tokens or samples per second. */
  readonly medians: readonly number[];
  /** The fastest by its median. */
  readonly fastest: number;
  /** Whether its looks lie above those of all others, but for the most extreme one of each. */
  readonly clear: boolean;
}

/** @param looks at each arrangement, all as many */
export function compareLooks(looks: readonly (readonly number[])[]): ArrangementComparison {
  const sorted = looks.map((some) => [...some].sort((a, b) => a - b));
  const medians = sorted.map((some) => some[some.length >> 1]!);
  const fastest = medians.indexOf(Math.max(...medians));
  const cut = sorted[0]!.length > FEWEST_LOOKS ? 1 : 0;
  const least = sorted[fastest]![cut]!;
  const clear = sorted.every((some, i) => i === fastest || some.at(-1 - cut)! < least);
  return { medians, fastest, clear };
}
