/*
 * Rotary position embedding (arXiv 2104.09864) and what published models do to its frequencies, as Python transformers
 * computes it (modeling_rope_utils.py). Shape suffixes: T time steps; B sequences; H heads; D width of a head, R of it
 * rotated, as pairs (i, i + R/2).
 */
import { z } from 'zod';
import { concat, constant, gather, reshape, rotary, split, type Tensor } from '../graph/index.js';
import type { ForwardInputs, Reach } from './architecture.js';
import { positive } from './config.js';
import scalings from './rotary-scalings.json' with { type: 'json' };

const number = z.number().nullish();
const above0 = z.number().positive().nullish();

/** The settings in `rope_parameters`, or `rope_scaling` as older files have it. */
export const rotaryKeys = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: above0,
  partial_rotary_factor: above0,
  factor: above0,
  original_max_position_embeddings: positive.nullish(),
  attention_factor: number,
  beta_fast: above0,
  beta_slow: above0,
  mscale: number,
  mscale_all_dim: number,
  truncate: z.boolean().nullish(),
  low_freq_factor: above0,
  high_freq_factor: above0,
  short_factor: z.array(z.number().positive()).nullish(),
  long_factor: z.array(z.number().positive()).nullish(),
});

type RotaryKeys = z.infer<typeof rotaryKeys>;

/** What a rotary embedding is made of. */
export interface RotarySettings extends RotaryKeys {
  readonly rope_type: string;
  /** The base of the angles. */
  readonly rope_theta: number;
  /** R: how much of a head is rotated. */
  readonly width: number;
  /** The longest sequence of the model, in tokens. */
  readonly positions: number;
  /** The longest that it was first trained with. */
  readonly original: number;
}

/** The keys of a whole configuration that positions follow from, in their newer and older spelling. */
export interface RotaryConfig {
  readonly rope_parameters?: RotaryKeys | null | undefined;
  readonly rope_scaling?: RotaryKeys | null | undefined;
  readonly rope_theta?: number | null | undefined;
  readonly original_max_position_embeddings?: number | null | undefined;
  readonly max_position_embeddings: number;
}

/** The settings of a configuration: in the newer spelling, the older of it, or the oldest, as the published class reads them. */
export function rotarySettings(c: RotaryConfig, width: number, theta = 10_000): RotarySettings {
  const given = (Object.keys(c.rope_scaling ?? {}).length > 0 ? c.rope_scaling : c.rope_parameters) ?? {};
  return {
    ...given,
    rope_type: given.rope_type ?? given.type ?? 'default',
    rope_theta: given.rope_theta ?? c.rope_theta ?? theta,
    width,
    positions: c.max_position_embeddings,
    original: c.original_max_position_embeddings ?? given.original_max_position_embeddings ?? c.max_position_embeddings,
  };
}

/**
 * The settings of one kind of layers, of a family that tells them so; a length beside them is not read.
 *
 * @param given with a base
 */
export const rotarySettingsOfKind = (
  c: Pick<RotaryConfig, 'max_position_embeddings'>,
  width: number,
  given: RotaryKeys,
): RotarySettings =>
  rotarySettings({ rope_parameters: given, max_position_embeddings: c.max_position_embeddings }, width);

/** Angles' cosines and sines at the positions of a forward pass: [T, 1, 1, R/2] each, or [T, B, 1, R/2]. */
export interface RotaryAngles {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** Of a forward pass: its blocks share them. */
const tables = new WeakMap<ForwardInputs, Map<RotaryEmbedding, RotaryAngles>>();

/** Positions as rotations of queries and keys. */
export class RotaryEmbedding {
  readonly #settings: RotarySettings;
  /** What was made last, [reach, R/2] each, for as long as something holds on to it anyway. */
  #last: WeakRef<{ readonly reach: number; readonly cos: Float32Array; readonly sin: Float32Array }> | undefined;

  constructor(settings: RotarySettings) {
    this.#settings = settings;
  }

  /** Why the settings cannot be; undefined where they can. */
  get fault(): string | undefined {
    const { rope_type: type, width } = this.#settings;
    if (!Object.hasOwn(scalings, type)) {
      return `rope_type is ${JSON.stringify(type)}; allowed: ${Object.keys(scalings).join(', ')}`;
    }
    const missing = scalings[type as keyof typeof scalings].required.find((key) => this.#settings[key] == null);
    if (missing !== undefined) return `positions of rope_type ${type} need ${missing}`;
    if (width % 2 !== 0)
      return `what is rotated of a head (head_dim, or hidden_size over num_attention_heads) must be even, got ${width}`;
    if (type === 'dynamic' && width < 4)
      return `positions of rope_type dynamic need 4 elements of a head, got ${width}`;
    const { short_factor: short, long_factor: long } = this.#settings;
    if (type === 'longrope' && (short!.length !== width / 2 || long!.length !== width / 2)) {
      return `short_factor and long_factor need ${width / 2} numbers each, got ${short!.length} and ${long!.length}`;
    }
    return undefined;
  }

  /**
   * The longest sequence up to which a token's angles are the same whatever follows it. LongRoPE has other frequencies for
   * sequences longer than the original length, dynamic scaling for those longer than the model's own.
   */
  get longest(): number {
    const { rope_type, original, positions } = this.#settings;
    return rope_type === 'longrope' ? Math.min(original, positions) : positions;
  }

  /**
   * How far sequences may go. Those that are written stay within {@link longest} under dynamic scaling: its frequencies
   * move with every token, and what was cached before would have to be made anew for each.
   */
  get reach(): Reach {
    const { rope_type, factor, positions } = this.#settings;
    const read = rope_type === 'dynamic' ? Math.max(positions, Math.floor(factor! * positions)) : positions;
    return { read, written: positions };
  }

  /** Cosines and sines of the angles at the positions of a forward pass. */
  angles(inputs: ForwardInputs): RotaryAngles {
    const known = tables.get(inputs)?.get(this);
    if (known) return known;
    const { positions_T, ids_N, batch } = inputs;
    const T = ids_N.shape[0]! / batch;
    const reach = Math.max(this.longest, inputs.reach ?? 0);
    const { frequencies, amplitude } = scaled(this.#settings, reach);
    const half = frequencies.length;
    const table = (f: (angle: number) => number) => {
      const table = new Float32Array(reach * half);
      for (let i = 0; i < table.length; i++) {
        table[i] = amplitude * f(Math.floor(i / half) * frequencies[i % half]!);
      }
      return table;
    };
    // Traces follow each other, and a long reach takes longer than all else of one.
    let last = this.#last?.deref();
    if (last?.reach !== reach) {
      last = { reach, cos: table(Math.cos), sin: table(Math.sin) };
      this.#last = new WeakRef(last);
    }
    const shape = [T, positions_T.shape[0]! / T, 1, half];
    const rows = (values: Float32Array) => reshape(gather(constant(values, [reach, half]), positions_T), shape);
    const made = { cos: rows(last.cos), sin: rows(last.sin) };
    if (!tables.has(inputs)) tables.set(inputs, new Map());
    tables.get(inputs)!.set(this, made);
    return made;
  }
}

/** Queries or keys [T, B, H, D] turned by their positions; what is beyond R stays. */
export function rotate(x_TBHD: Tensor, { cos, sin }: RotaryAngles): Tensor {
  const R = 2 * cos.shape[3]!;
  const D = x_TBHD.shape[3]!;
  if (R === D) return rotary(x_TBHD, cos, sin);
  const [turned, rest] = split(x_TBHD, 3, [R, D - R]) as [Tensor, Tensor];
  return concat([rotary(turned, cos, sin), rest], 3);
}

/** Frequencies in radians a position, [R/2], and what cosines and sines are multiplied by. */
interface Scaled {
  readonly frequencies: Float64Array;
  readonly amplitude: number;
}

/** Frequencies as the settings scale them for a sequence of so many tokens. */
function scaled(settings: RotarySettings, reach: number): Scaled {
  const plain = plainFrequencies(settings.rope_theta, settings.width);
  const scaling = scalers[settings.rope_type];
  return scaling ? scaling(plain, settings, reach) : { frequencies: plain, amplitude: 1 };
}

const plainFrequencies = (theta: number, width: number): Float64Array =>
  Float64Array.from({ length: width / 2 }, (_, i) => theta ** (-i / (width / 2)));

const scalers: Readonly<Record<string, (plain: Float64Array, settings: RotarySettings, reach: number) => Scaled>> = {
  linear: (plain, { factor }) => ({ frequencies: plain.map((f) => f / factor!), amplitude: 1 }),
  dynamic,
  llama3,
  yarn,
  longrope,
};

/** Llama 3.1: long waves are slowed by the factor, short ones stay, those between are mixed. */
function llama3(plain: Float64Array, settings: RotarySettings): Scaled {
  const { factor, low_freq_factor: low, high_freq_factor: high, original } = settings;
  const frequencies = plain.map((f) => {
    const wave = (2 * Math.PI) / f;
    if (wave < original / high!) return f;
    if (wave > original / low!) return f / factor!;
    const smooth = (original / wave - low!) / (high! - low!);
    return ((1 - smooth) * f) / factor! + smooth * f;
  });
  return { frequencies, amplitude: 1 };
}

/** YaRN (arXiv 2309.00071): a ramp between frequencies that stay and those that are slowed, and a larger amplitude. */
function yarn(plain: Float64Array, settings: RotarySettings): Scaled {
  const { rope_theta, width, original, factor, mscale, mscale_all_dim } = settings;
  const magnify = (by = 1) => (factor! <= 1 ? 1 : 0.1 * by * Math.log(factor!) + 1);
  const inferred = mscale && mscale_all_dim ? magnify(mscale) / magnify(mscale_all_dim) : magnify();
  /** The pair that turns so many times over the original length. */
  const pairOf = (turns: number) => (width * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(rope_theta));
  const bounds = [pairOf(settings.beta_fast ?? 32), pairOf(settings.beta_slow ?? 1)] as const;
  const [from, to] = settings.truncate === false ? bounds : [Math.floor(bounds[0]), Math.ceil(bounds[1])];
  const low = Math.max(from, 0);
  const high = Math.min(to, width - 1);
  // No division by 0.
  const length = low === high ? 0.001 : high - low;
  const frequencies = plain.map((f, i) => {
    const ramp = Math.min(1, Math.max(0, (i - low) / length));
    return (f / factor!) * ramp + f * (1 - ramp);
  });
  return { frequencies, amplitude: settings.attention_factor ?? inferred };
}

/** NTK-aware scaling by the length: a larger base beyond the model's own. */
function dynamic(_plain: Float64Array, settings: RotarySettings, reach: number): Scaled {
  const { rope_theta, width, positions, factor } = settings;
  const stretch = (factor! * Math.max(reach, positions)) / positions - (factor! - 1);
  return { frequencies: plainFrequencies(rope_theta * stretch ** (width / (width - 2)), width), amplitude: 1 };
}

/** LongRoPE (arXiv 2402.13753): a divisor for each frequency, another beyond the original length. */
function longrope(plain: Float64Array, settings: RotarySettings, reach: number): Scaled {
  const { original, positions } = settings;
  const divisors = reach > original ? settings.long_factor! : settings.short_factor!;
  const factor = settings.factor ?? positions / original;
  const inferred = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  return { frequencies: plain.map((f, i) => f / divisors[i]!), amplitude: settings.attention_factor ?? inferred };
}
