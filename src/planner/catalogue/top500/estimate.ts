import type { Cluster } from '../../types.js';
import table from './efficiency.json' with { type: 'json' };
import { geometricMedian } from './statistics.js';

/** What a cluster would reach in LINPACK, 10¹² FLOP/s of fp64; without figures, why it cannot be estimated. */
export type RmaxEstimate =
  | {
      readonly rmaxTflops: number;
      /** As far below and above as listed machines lie from what the others of their card reached. */
      readonly lowTflops: number;
      readonly highTflops: number;
      /** The cards' fp64 rate alone, without the hosts'. */
      readonly rpeakTflops: number;
      /** Rmax over Rpeak. */
      readonly efficiency: number;
      readonly where: string;
    }
  | { readonly rmaxTflops: null; readonly reason: string };

/** A listed machine; `efficiency` is its Rmax over the fp64 rate of all its cards. */
interface Machine {
  readonly system: string;
  readonly maker: string;
  readonly series: string;
  readonly efficiency: number;
}

/** LINPACK needs a network: the machines of the lists do 800 to 2,000 fp64 FLOP a byte that leaves a node. */
const SLOWEST_NETWORK = 10_000;

/** A card needs so many listed machines to speak for itself; below that all machines of its maker do. */
const ENOUGH = 2;

const machines: readonly Machine[] = table.machines.map(({ system, maker, series, ...m }) => ({
  system,
  maker,
  series,
  efficiency: m.rmax_TFLOPS / (m.cards * m.fp64_TFLOPS),
}));

const seriesOf = (accelerator: string): string | undefined =>
  Object.entries(table.series).find(([, starts]) => starts.some((start) => accelerator.startsWith(start)))?.[0];

/** Those of a list that speak for a card: its own series', else its maker's, else all. */
function peers(among: readonly Machine[], series: string | undefined, maker: string | undefined): readonly Machine[] {
  const own = among.filter((machine) => machine.series === series);
  if (own.length >= ENOUGH) return own;
  const made = among.filter((machine) => machine.maker === maker);
  return made.length > 0 ? made : among;
}

/**
 * Of each listed machine, what it reached over what the others would have it reach (their median). Machines differ by
 * their network, by the share of the cards that ran, and by how long somebody tuned: a range of one card's two or three
 * machines misses the next one. Leaving each of these out, the others' range holds 17 of 19.
 */
export function leftOutRatios(): readonly number[] {
  return machines.map((machine) => {
    const others = machines.filter((other) => other !== machine);
    return machine.efficiency / geometricMedian(efficiencies(peers(others, machine.series, machine.maker)));
  });
}

const efficiencies = (of: readonly Machine[]): readonly number[] => of.map(({ efficiency }) => efficiency);

/**
 * The Rmax that a cluster would reach: its accelerators' fp64 rate (tensor units where they have them) times the median
 * share that listed machines of the same accelerator reached; from the least to the most that a listed machine lies
 * below or above the others of its card.
 */
export function estimateRmax({ accelerator, accelerators, perNode, interNode }: Cluster): RmaxEstimate {
  const { fp64, name, kind } = accelerator;
  if (fp64 === null) return { rmaxTflops: null, reason: `${name} has no fp64 rate that is published` };
  const flopPerByte = (perNode * fp64) / interNode;
  if (accelerators > perNode && flopPerByte > SLOWEST_NETWORK) {
    const reason = `the network is too slow for LINPACK: ${Math.round(flopPerByte)} FLOP a byte, where listed machines do 800 to 2,000`;
    return { rmaxTflops: null, reason };
  }
  const series = seriesOf(name);
  const maker =
    machines.find((machine) => machine.series === series)?.maker ??
    (kind === 'cpu' ? 'CPU' : name.startsWith('MI') ? 'AMD' : 'NVIDIA');
  const known = peers(machines, series, maker);
  const efficiency = geometricMedian(efficiencies(known));
  const ratios = leftOutRatios();
  const rpeakTflops = (accelerators * fp64) / 1e12;
  const rmaxTflops = rpeakTflops * efficiency;
  const own = known.every((machine) => machine.series === series);
  return {
    rmaxTflops,
    lowTflops: rmaxTflops * Math.min(...ratios),
    highTflops: Math.min(rpeakTflops, rmaxTflops * Math.max(...ratios)),
    rpeakTflops,
    efficiency,
    where:
      `${own ? '' : `No machine of this card is listed here: `}median of Rmax over the fp64 rate of the cards: ` +
      `${known.map((m) => `${m.system} ${m.efficiency.toFixed(2)}`).join(', ')}; the range is how far ` +
      `${machines.length} listed machines lie from the others of their card`,
  };
}
