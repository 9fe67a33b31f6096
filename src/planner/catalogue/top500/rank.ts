import { UsageError } from '../../../base/errors.js';
import { findList, type Top500Entry, type Top500List } from './lists.js';

/** Where a machine would stand on a list. */
export interface Top500Rank {
  readonly list: string;
  readonly rmaxTflops: number;
  /** The rank; `null` where the shipped entries do not decide it. */
  readonly rank: number | null;
  /** The ranks that are possible by the shipped entries; `worst` is `null` where it lies below all of them. */
  readonly best: number;
  readonly worst: number | null;
  /** The last rank of which an entry is shipped. */
  readonly depth: number;
  /** The entries next above and below, of those shipped. */
  readonly above: Top500Entry | null;
  readonly below: Top500Entry | null;
  /** Below the shipped entries: a rank between them and the list's last by the line through both; see {@link method}. */
  readonly estimate: number | null;
  /** How the rank, or the estimate, was found, a sentence. */
  readonly method: string;
  /** What looks like a slip of units. */
  readonly warnings: readonly string[];
  /** `5`, `1 to 4`, `> 7`, `> 7, about 40` or `> 500`. */
  readonly text: string;
}

/**
 * The rank that a machine would have on a list, among the entries that are shipped; one with an entry's own Rmax has
 * that entry's rank.
 *
 * Below them the rank is `> N`. Where the Rmax of rank 500 is known, an estimate lies on the straight line between the
 * last shipped entry and rank 500 in log rank and log Rmax, as lists are nearly power laws there.
 *
 * @param rmaxTflops LINPACK's result in teraflops, 10¹² FLOP/s
 * @throws UsageError for an unknown list, or an Rmax that is not a positive number
 */
export function rankOf(list: string, rmaxTflops: number): Top500Rank {
  if (!(rmaxTflops > 0 && rmaxTflops < 1e12)) {
    throw new UsageError(`Expected Rmax in teraflops (10^12 FLOP/s), above 0 and below 1e12, got ${rmaxTflops}.`);
  }
  const shipped = findList(list);
  const { entries } = shipped;
  const last = entries.at(-1)!;
  const index = entries.findIndex((entry) => entry.rmaxTflops <= rmaxTflops);
  const below = index === -1 ? null : entries[index]!;
  const above = index === -1 ? last : (entries[index - 1] ?? null);
  const best = (above?.rank ?? 0) + 1;
  const worst = below?.rank ?? null;
  const known = { list, rmaxTflops, best, worst, depth: last.rank, above, below, warnings: slips(shipped, rmaxTflops) };
  const among = `among the ${entries.length} shipped entries of ${list} (down to rank ${last.rank})`;
  if (worst !== null) {
    const rank = best === worst ? best : null;
    return { ...known, rank, estimate: null, method: among, text: rank === null ? `${best} to ${worst}` : `${rank}` };
  }
  return { ...known, rank: null, ...belowShipped(shipped, last, rmaxTflops, among) };
}

function belowShipped(
  { entryLevel, list }: Top500List,
  last: Top500Entry,
  rmax: number,
  among: string,
): Pick<Top500Rank, 'estimate' | 'method' | 'text'> {
  if (!entryLevel) {
    return { estimate: null, method: `below all ${among}; the list's last is not known`, text: `> ${last.rank}` };
  }
  const level = `${entryLevel.rmaxTflops} TFLOP/s at rank ${entryLevel.rank} (${entryLevel.where})`;
  if (rmax < entryLevel.rmaxTflops) {
    return { estimate: null, method: `below the last of ${list}, ${level}`, text: `> ${entryLevel.rank}` };
  }
  const share = Math.log(last.rmaxTflops / rmax) / Math.log(last.rmaxTflops / entryLevel.rmaxTflops);
  const estimate = Math.max(last.rank + 1, Math.round(last.rank * (entryLevel.rank / last.rank) ** share));
  return {
    estimate,
    method: `on the line in log rank and log Rmax from rank ${last.rank} (${last.system}) to ${level}`,
    text: `> ${last.rank}, about ${estimate}`,
  };
}

/** An Rmax that is off the whole list by a thousand is likely in another unit. */
function slips({ entries, entryLevel, list }: Top500List, rmax: number): string[] {
  const first = entries[0]!.rmaxTflops;
  const least = entryLevel?.rmaxTflops ?? entries.at(-1)!.rmaxTflops;
  const meant = (factor: number, unit: string) =>
    `${rmax} teraflops is far ${factor > 1 ? 'below' : 'above'} the machines of ${list}; if ${rmax} ${unit} were meant, give ${rmax * factor}.`;
  if (rmax < least / 10 && rmax * 1000 >= least / 2) return [meant(1000, 'petaflops')];
  if (rmax > first * 100 && rmax / 1000 <= first * 2) return [meant(1 / 1000, 'gigaflops')];
  return [];
}
