import { countOf, joined, type SampleRange, sorted, takeFirst, within } from './ranges.js';
import type { Lease, Ledger } from './schema.js';

/** Samples of one epoch: places of its order, from `start` up to, not including, `end`. */
export interface EpochRange extends SampleRange {
  /** From 0. */
  readonly epoch: number;
}

/** What has become of the samples of an epoch; the four numbers add up to `samples`. */
export interface EpochCoverage {
  readonly epoch: number;
  readonly samples: number;
  /** Trained on and committed. */
  readonly done: number;
  /** With workers. */
  readonly leased: number;
  /** Came back, and will be given out next. */
  readonly returned: number;
  /** Not given out yet. */
  readonly untouched: number;
}

/** @param samples of an epoch @param seed of the order that its places are in */
export function createLedger({ samples, seed }: Pick<Ledger, 'samples' | 'seed'>): Ledger {
  if (!Number.isSafeInteger(samples) || samples < 1) throw new RangeError(`samples must be 1 or more, not ${samples}`);
  return { version: 1, samples, seed, next: 0, free: [], leases: [] };
}

/**
 * Gives a worker samples for a round, until it has `samples` in all for that round, so that asking again changes nothing:
 * first those that came back, so that an epoch ends, then new ones, of the next epoch too where this one is used up.
 *
 * @returns the ledger, and all that the worker has for the round
 */
export function lease(
  ledger: Ledger,
  worker: string,
  round: number,
  samples: number,
): { ledger: Ledger; ranges: EpochRange[] } {
  const own = ledger.leases.find((one) => one.worker === worker && one.round === round);
  const missing = samples - countOf(own?.ranges ?? []);
  if (missing <= 0) return { ledger, ranges: byEpoch(ledger, own?.ranges ?? []) };
  const { taken, rest } = takeFirst(ledger.free, missing);
  const next = ledger.next + missing - countOf(taken);
  const fresh = next > ledger.next ? [{ start: ledger.next, end: next }] : [];
  const ranges = joined([...(own?.ranges ?? []), ...taken, ...fresh]);
  const others = ledger.leases.filter((one) => one !== own);
  return {
    ledger: { ...ledger, next, free: rest, leases: [...others, { worker, round, ranges }] },
    ranges: byEpoch(ledger, ranges),
  };
}

/**
 * The round counts with what these workers had; what others had for it comes back. A worker that made fewer steps than
 * it was leased samples for is given as `{ worker, samples }`: the first `samples` of its lease count, the rest comes
 * back.
 */
export function commit(
  ledger: Ledger,
  round: number,
  contributors: readonly (string | { readonly worker: string; readonly samples: number })[],
): Ledger {
  const trained = new Map(
    contributors.map((one) =>
      typeof one === 'string' ? [one, Number.POSITIVE_INFINITY] : [one.worker, Math.max(0, one.samples)],
    ),
  );
  const leases = ledger.leases.flatMap((one) => {
    if (one.round !== round) return one;
    const { rest } = takeFirst(one.ranges, trained.get(one.worker) ?? 0);
    return rest.length > 0 ? { ...one, ranges: rest } : [];
  });
  return release({ ...ledger, leases }, { round });
}

/** What a round, a worker, or a worker in a round has comes back, to be given out again. */
export function release(ledger: Ledger, of: { readonly round?: number; readonly worker?: string }): Ledger {
  const returns = (one: Lease) =>
    (of.round === undefined || one.round === of.round) && (of.worker === undefined || one.worker === of.worker);
  const back = ledger.leases.filter(returns).flatMap(({ ranges }) => ranges);
  return {
    ...ledger,
    free: sorted([...ledger.free, ...back]),
    leases: ledger.leases.filter((one) => !returns(one)),
  };
}

/** What is known of each epoch from the first that is not done up to the last that was begun; at least one. */
export function coverage(ledger: Ledger): EpochCoverage[] {
  const { samples, next, free, leases } = ledger;
  const leased = leases.flatMap(({ ranges }) => ranges);
  const first = Math.floor([...free, ...leased].reduce((least, { start }) => Math.min(least, start), next) / samples);
  const last = Math.max(first, Math.ceil(next / samples) - 1);
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const epoch = first + i;
    const count = (ranges: readonly SampleRange[]) => countOf(within(ranges, epoch * samples, (epoch + 1) * samples));
    const given = Math.min(samples, Math.max(0, next - epoch * samples));
    const [out, returned] = [count(leased), count(free)];
    return { epoch, samples, done: given - out - returned, leased: out, returned, untouched: samples - given };
  });
}

function byEpoch({ samples }: Ledger, ranges: readonly SampleRange[]): EpochRange[] {
  return ranges.flatMap(({ start, end }) => {
    const parts: EpochRange[] = [];
    for (let epoch = Math.floor(start / samples); epoch * samples < end; epoch++) {
      const origin = epoch * samples;
      parts.push({ epoch, start: Math.max(0, start - origin), end: Math.min(samples, end - origin) });
    }
    return parts;
  });
}
