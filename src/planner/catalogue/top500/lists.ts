import { UsageError } from '../../../base/errors.js';
import table from './lists.json' with { type: 'json' };

/** A machine on a list. Rmax is what LINPACK reached, Rpeak what the hardware could; both in 10¹² FLOP/s of fp64. */
export interface Top500Entry {
  readonly rank: number;
  readonly system: string;
  readonly rmaxTflops: number;
  readonly rpeakTflops: number;
  readonly powerKilowatts: number | null;
  /** What of the row was verified, and how. */
  readonly status: string;
}

/** What of a list is shipped: its first machines, and the last one's Rmax where it is known. */
export interface Top500List {
  /** Year and month of the list. */
  readonly list: string;
  readonly entries: readonly Top500Entry[];
  readonly entryLevel?: { readonly rank: number; readonly rmaxTflops: number; readonly where: string };
}

interface ShippedList {
  readonly entries: readonly {
    readonly rank: number;
    readonly system: string;
    readonly rmax_TFLOPS: number;
    readonly rpeak_TFLOPS: number;
    readonly power_kW: number | null;
    readonly status: string;
  }[];
  readonly entryLevel?: { readonly rank: number; readonly rmax_TFLOPS: number; readonly where: string };
}

const shipped = table as unknown as Readonly<Record<string, ShippedList>>;

/** The lists of which entries are shipped, oldest first, as `2020-06`. */
export const top500Lists: readonly string[] = Object.keys(shipped).sort();

/**
 * What is shipped of a list.
 *
 * @throws UsageError naming the lists there are
 */
export function findList(list: string): Top500List {
  if (!Object.hasOwn(shipped, list)) {
    throw new UsageError(
      `No entries of the list ${JSON.stringify(list.slice(0, 40))}. Allowed: ${top500Lists.join(', ')}.`,
    );
  }
  const { entries, entryLevel } = shipped[list]!;
  return {
    list,
    entries: entries.map((e) => ({
      rank: e.rank,
      system: e.system,
      rmaxTflops: e.rmax_TFLOPS,
      rpeakTflops: e.rpeak_TFLOPS,
      powerKilowatts: e.power_kW,
      status: e.status,
    })),
    ...(entryLevel
      ? { entryLevel: { rank: entryLevel.rank, rmaxTflops: entryLevel.rmax_TFLOPS, where: entryLevel.where } }
      : {}),
  };
}
