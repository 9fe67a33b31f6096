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
  if (half) return chooseHalf(half, known, engine.name, await halves(engine, half, options));
  const { exact, gain } = await probe(engine, options);
  const instead = 'products are computed in fp32 instead of int8';
  if (!exact) {
    const notice =
      engine.target === 'cpu' || engine.target === 'wasm'
        ? `This processor adds products of 8 bits in too few (it has no VNNI): ${instead}.`
        : `${engine.name} has no products of 8 bits: ${instead}.`;
    return { precision: 'fp32', notice };
  }
  if (known === 'int8' || gain >= LEAST_GAIN) return { precision: 'int8' };
  return { precision: 'fp32', notice: `Products of 8 bits gain nothing here (${gain.toFixed(2)} ×): ${instead}.` };
}

function chooseHalf(
  half: HalfPrecision,
  known: TrainingPrecision | undefined,
  device: string,
  { right, gain, reason }: HalfProbe,
): PrecisionChoice {
  const instead = `products are computed in fp32 instead of ${half}`;
  if (!right) return { precision: 'fp32', notice: `${device} has no products in ${half} (${reason}): ${instead}.` };
  if (known === half || gain >= LEAST_GAIN) return { precision: half };
  return { precision: 'fp32', notice: `Products in ${half} gain nothing here (${gain.toFixed(2)} ×): ${instead}.` };
}
