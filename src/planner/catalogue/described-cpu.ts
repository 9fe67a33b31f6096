import type { Accelerator } from '../types.js';
import { given } from './sources.js';

/** A processor as it was measured: what a plan for it needs. */
export interface MeasuredCpu {
  /** As its maker calls it. */
  readonly model: string;
  readonly cores: number;
  /** FLOP/s of float32 products, all cores at once. */
  readonly rate: number;
  /** Bytes a second that copying in memory reads and writes. */
  readonly memoryBandwidth: number;
}

/** When it was made is not known; nothing but the likeness of runs is taken from it. */
const YEAR = 2024;
/** Watts of a core under load, with its share of the package. */
const WATTS = 10;

/** A measured processor in words that {@link describedCpu} reads: the value of `accel` in a table of measurements. */
export function cpuInWords({ model, cores, rate, memoryBandwidth }: MeasuredCpu): string {
  const name =
    model
      .replace(/[(),"\r\n]/g, ' ')
      .replace(/ +/g, ' ')
      .trim()
      .slice(0, 80) || 'unknown';
  const count = `${cores} ${cores === 1 ? 'core' : 'cores'}`;
  return `CPU (${name}, ${count}, ${(rate / 1e9).toPrecision(4)} GFLOP/s, ${(memoryBandwidth / 1e9).toPrecision(4)} GB/s)`;
}

const WORDS =
  /^ *CPU *\((.{1,80}), *(\d{1,4}) cores?, *(\d{1,9}(?:\.\d{1,9})?) *GFLOP\/s, *(\d{1,9}(?:\.\d{1,9})?) *GB\/s\) *$/i;

/**
 * A processor from its measured figures: `CPU (AMD EPYC, 2 cores, 208 GFLOP/s, 21 GB/s)`. Its name is without the
 * figures, which differ from one measurement to the next: what was fitted to it is found again.
 *
 * @param memoryGB what it has, 10⁹ bytes
 * @returns undefined for other names, and for figures of nothing
 */
export function describedCpu(text: string, memoryGB = 8): Accelerator | undefined {
  const [, model, cores, gigaflops, gigabytes] = WORDS.exec(text.slice(0, 200)) ?? [];
  const figures = [Number(cores), Number(gigaflops), Number(gigabytes)];
  if (model === undefined || !figures.every((figure) => figure > 0)) return undefined;
  const [count, rate, bandwidth] = figures as [number, number, number];
  const measured = { kind: 'measured' as const, where: 'this processor' };
  return {
    name: `CPU (${model.trim()}, ${count} ${count === 1 ? 'core' : 'cores'})`,
    year: YEAR,
    kind: 'cpu',
    memory: memoryGB * 1e9,
    memoryBandwidth: bandwidth * 1e9,
    rates: { fp32: rate * 1e9 },
    measuredRates: { fp32: rate * 1e9 },
    fp64: null,
    scaleUp: null,
    power: WATTS * count,
    price: null,
    sources: { memoryBandwidth: measured, rates: measured, power: given(`${WATTS} W a core`) },
  };
}
