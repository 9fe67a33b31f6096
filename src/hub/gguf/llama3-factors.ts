/** How Llama 3.1 slows its waves, as `rope_scaling` of `config.json` has it. */
export interface Llama3Scaling {
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

/** The original length that is taken where only ratios of it are known: that of every published model. */
const ORIGINAL = 8192;

/**
 * What the frequencies of rotary positions are divided by, [width / 2], as `rope_freqs` in a GGUF file (llama.py of
 * llama.cpp's converters).
 */
export function llama3Factors(scaling: Llama3Scaling, theta: number, width: number): Float32Array {
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original } = scaling;
  return Float32Array.from({ length: width / 2 }, (_, i) => {
    const wave = waveOf(theta, i, width);
    if (wave < original / high) return 1;
    if (wave > original / low) return factor;
    const smooth = (original / wave - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

/**
 * The scaling that divides frequencies so, which a file does not tell beside them; undefined where it is none of Llama's
 * kind. All that follows from it is known, but for the original length, which stands for a unit.
 */
export function llama3ScalingOf(factors: Float32Array, theta: number, width: number): Llama3Scaling | undefined {
  const factor = factors.at(-1)!;
  if (factors.length !== width / 2 || !(factor > 1)) return undefined;
  // 1 / f = (1 − s) / factor + s, where s = (original / wave − low) / (high − low): a line in 1 / wave.
  const between = [...factors.entries()].filter(([, f]) => f > 1 && f < factor);
  const [first, last] = [between[0], between.at(-1)];
  if (first === undefined || last === undefined || first[0] === last[0]) return undefined;
  const smooth = (f: number) => (1 / f - 1 / factor) / (1 - 1 / factor);
  const [x1, x2] = [1 / waveOf(theta, first[0], width), 1 / waveOf(theta, last[0], width)];
  const slope = (smooth(first[1]) - smooth(last[1])) / (x1 - x2);
  const span = ORIGINAL / slope;
  const low = ORIGINAL * x1 - smooth(first[1]) * span;
  // float32 leaves the last digits open.
  const tidy = (value: number) => Number(value.toPrecision(4));
  const scaling = {
    factor: tidy(factor),
    low_freq_factor: tidy(low),
    high_freq_factor: tidy(low + span),
    original_max_position_embeddings: ORIGINAL,
  };
  const again = llama3Factors(scaling, theta, width);
  return again.every((value, i) => Math.abs(value / factors[i]! - 1) < 1e-5) ? scaling : undefined;
}

/** Positions until a frequency is back where it began. */
const waveOf = (theta: number, i: number, width: number): number => 2 * Math.PI * theta ** ((2 * i) / width);
