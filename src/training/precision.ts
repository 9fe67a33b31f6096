import type { Engine, SessionOptions } from '../engine/engine.js';
import { type HalfProbe, probeHalf } from '../engine/half-probe.js';
import { type Int8Probe, probeInt8 } from '../engine/int8-probe.js';
import { type HalfPrecision, halfOf, type TrainingPrecision } from './precision-names.js';

/** Below this gain of a layer nothing is left of a step's. */
const LEAST_GAIN = 1.1;

/** What a run is computed in, and why that is not what was wanted. */
export interface PrecisionChoice {
  readonly precision: TrainingPrecision;
  readonly notice?: string;
}

/**
 * What is wanted, where the engine can do it; else float32, which every one can.
 *
 * @param known what the run was computed in so far: that is kept wherever it is exact, however fast it is there, so that a
 * run that is resumed goes on to the bit
 */
export async function choosePrecision(
  wanted: TrainingPrecision,
  engine: Engine,
  { known, ...options }: SessionOptions & { readonly known?: TrainingPrecision | undefined } = {},
  probe: (engine: Engine, options: SessionOptions) => Promise<Int8Probe> = probeInt8,
  halves: typeof probeHalf = probeHalf,
): Promise<PrecisionChoice> {
  if (wanted === 'fp32' || known === 'fp32') return { precision: 'fp32' };
  const half = halfOf(wanted);
  const { fault, gain } = half
    ? halfTried(engine, half, await halves(engine, half, options))
    : int8Tried(engine, await probe(engine, options));
  const instead = `products are computed in fp32 instead of ${wanted}`;
  if (fault !== undefined) return { precision: 'fp32', notice: `${fault}: ${instead}.` };
  if (known === wanted || gain >= LEAST_GAIN) return { precision: wanted };
  const products = half ? `Products in ${half}` : 'Products of 8 bits';
  return { precision: 'fp32', notice: `${products} gain nothing here (${gain.toFixed(2)} ×): ${instead}.` };
}

/** What came of a probe. */
interface Tried {
  /** Why there are no such products. */
  readonly fault: string | undefined;
  readonly gain: number;
}

function int8Tried({ name, target }: Engine, { exact, gain }: Int8Probe): Tried {
  const fault =
    target === 'cpu' || target === 'wasm'
      ? 'This processor adds products of 8 bits in too few (it has no VNNI)'
      : `${name} has no products of 8 bits`;
  return { fault: exact ? undefined : fault, gain };
}

function halfTried({ name }: Engine, half: HalfPrecision, { right, gain, reason }: HalfProbe): Tried {
  return { fault: right ? undefined : `${name} has no products in ${half} (${reason})`, gain };
}
