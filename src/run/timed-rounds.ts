import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const count = z.int().nonnegative();

/** A round of a run that ends by time. Its learning rates follow from this record alone. */
export const timedRoundSchema = z.strictObject({
  /** Steps done before it, and its own. */
  step: count,
  steps: count.min(1),
  /** Which parts of the time the schedule goes through in it, 0 to 1. */
  from: z.number().min(0).max(1),
  to: z.number().min(0).max(1),
});

/** A round of a run that ends by time. */
export type TimedRound = z.infer<typeof timedRoundSchema>;

/**
 * Cuts a run that ends by time into rounds: how many steps still fit, and how far the schedule goes in each. Rounds that
 * were recorded, but lie after the checkpoint from which a run goes on, are gone through again as they were.
 */
export class TimedRounds {
  readonly #limit: number;
  readonly #longest: number;
  readonly #recorded: ReadonlyMap<number, TimedRound>;
  /** Seconds of a step, by the last round. */
  #pace: number | undefined;
  /** Seconds that the evaluation at the end will take. */
  #reserve = 0;

  /**
   * @param limit seconds of the whole run
   * @param longest the most steps of a round
   * @param recorded rounds to be gone through again
   */
  constructor(limit: number, longest: number, recorded: readonly TimedRound[] = []) {
    this.#limit = limit;
    this.#longest = longest;
    this.#recorded = new Map(recorded.map((round) => [round.step, round]));
  }

  /**
   * The next round; undefined when the time is over.
   *
   * @param step steps done
   * @param seconds spent so far
   */
  next(step: number, seconds: number): TimedRound | undefined {
    const known = this.#recorded.get(step);
    if (known) return known;
    const limit = this.#limit - this.#reserve;
    if (seconds >= limit) return undefined;
    const from = seconds / limit;
    // How long a step takes is not known yet: the first round is one of them.
    if (this.#pace === undefined) return { step, steps: 1, from, to: from };
    const fitting = Math.ceil((limit - seconds) / this.#pace);
    const steps = Math.max(1, Math.min(this.#longest, fitting));
    return { step, steps, from, to: Math.min(1, from + (steps * this.#pace) / limit) };
  }

  /** Seconds until the last round ends. */
  left(seconds: number): number {
    return Math.max(0, this.#limit - this.#reserve - seconds);
  }

  /** An evaluation has taken so many seconds; one more is to come at the end, within the limit. */
  evaluated(seconds: number): void {
    this.#reserve = Math.min(seconds, this.#limit / 2);
  }

  /** A round has taken so many seconds. */
  done({ steps }: TimedRound, seconds: number): void {
    this.#pace = Math.max(seconds, 1e-6) / steps;
  }
}

/** The rounds that `metrics.jsonl` records from a step on; lines that are torn or strange are passed over. */
export async function readTimedRounds(metrics: string, step: number): Promise<TimedRound[]> {
  const found: TimedRound[] = [];
  try {
    for await (const line of createInterface({
      input: createReadStream(metrics),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      if (!line.includes('"timed_rounds"')) continue;
      found.push(...roundsOf(line).filter((round) => round.step >= step));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return found;
}

function roundsOf(line: string): TimedRound[] {
  try {
    return z.object({ timed_rounds: z.array(timedRoundSchema) }).parse(JSON.parse(line)).timed_rounds;
  } catch {
    return [];
  }
}
