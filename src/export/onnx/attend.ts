/*
 * Shape suffixes: T new tokens, S of them and those before; B sequences; H heads, K of keys and values, G = H / K queries
 * that a key serves; D width of a head.
 */
import {
  add,
  broadcastTo,
  constant,
  counting,
  gather,
  matmul,
  maximum,
  minimum,
  reshape,
  scalar,
  scale,
  shift,
  softcap,
  softmax,
  split,
  sub,
  type Tensor,
  transpose,
} from '../../graph/index.js';
import type { Attend, AttendSource, LayerAttention } from '../../model/architecture.js';
import type { RelativeBias } from '../../model/relative-bias.js';

/** Large enough that its exponential is exactly 0, small enough that no sum overflows. */
const MASKED = -1e9;

/** What a file's attention is given beside queries, keys and values. */
export interface GivenAttention {
  /** B, T and S. */
  readonly batch: number;
  readonly tokens: number;
  readonly all: number;
  /** 1 for a sequence's own tokens, 0 for what fills it up, [B, S] int64; left out where nothing does. */
  readonly mask_BS?: Tensor;
  /** Whether a token sees those after it. */
  readonly causal: boolean;
  /** Joins keys and values [B, K, T, D] of a layer with those before, [B, K, S, D]; left out where there are none. */
  readonly cached?: (layer: number, keys_BKTD: Tensor, values_BKTD: Tensor) => readonly [Tensor, Tensor];
}

/** Attention in a file whose sizes a run tells: masks are computed there, and nothing is repeated for grouped queries. */
export function attendInFile(given: GivenAttention): Attend {
  const masks = new Map<number | undefined, Tensor | undefined>();
  const maskOf = (window: number | undefined) => {
    if (!masks.has(window)) masks.set(window, maskFor(given, window));
    return masks.get(window);
  };
  const biases = new Map<Tensor, Tensor>();
  const biasOf = (relative: RelativeBias | undefined) => {
    if (relative === undefined) return undefined;
    const bias = biases.get(relative.table_RH) ?? biasFor(given, relative);
    biases.set(relative.table_RH, bias);
    return bias;
  };
  return (layer, q_TBHD, k_TBKD, v_TBKD, options = {}) => {
    const fresh = [toHeads(k_TBKD), toHeads(v_TBKD)] as const;
    const [keys_BKSD, values_BKSD] = given.cached?.(layer, ...fresh) ?? fresh;
    const D = q_TBHD.shape[3]!;
    const q_BHTD = toHeads(scale(q_TBHD, options.scale ?? 1 / Math.sqrt(D)));
    const terms = { mask: maskOf(options.window), bias: biasOf(options.relative) };
    return transpose(mixed(q_BHTD, keys_BKSD, values_BKSD, terms, options), [2, 0, 1, 3]);
  };
}

const toHeads = (x_TBKD: Tensor): Tensor => transpose(x_TBKD, [1, 2, 0, 3]);

/**
 * Attention to a source of S tokens, which all are seen.
 *
 * @param kept keys and values [B, K, S, D] of a layer; undefined: they are made here
 * @param made is told of those that are
 */
export function attendSourceInFile(
  given: Omit<GivenAttention, 'causal' | 'cached'>,
  x_MC: Tensor | undefined,
  keysOf: (
    layer: number,
    made: readonly [Tensor, Tensor] | undefined,
    shape: readonly number[],
  ) => readonly [Tensor, Tensor],
): AttendSource {
  const mask = maskFor({ ...given, causal: false });
  return (layer, q_TBHD, project, options = {}) => {
    const [, B, H, D] = q_TBHD.shape as [number, number, number, number];
    const [k_SBKD, v_SBKD] = x_MC ? project(x_MC) : [];
    const made = k_SBKD && v_SBKD ? ([toHeads(k_SBKD), toHeads(v_SBKD)] as const) : undefined;
    const [keys_BKSD, values_BKSD] = keysOf(layer, made, [B, H, given.all, D]);
    const q_BHTD = toHeads(scale(q_TBHD, options.scale ?? 1 / Math.sqrt(D)));
    return transpose(mixed(q_BHTD, keys_BKSD, values_BKSD, { mask }, options), [2, 0, 1, 3]);
  };
}

/** The queries that share a key are rows of one product. */
function mixed(
  q_BHTD: Tensor,
  keys_BKSD: Tensor,
  values_BKSD: Tensor,
  { mask: mask_B1TS, bias: bias_HTS }: { readonly mask: Tensor | undefined; readonly bias?: Tensor | undefined },
  { softcap: cap }: LayerAttention,
): Tensor {
  const [B, H, T, D] = q_BHTD.shape as [number, number, number, number];
  const [, K, S] = keys_BKSD.shape as [number, number, number];
  const G = H / K;
  const products = matmul(reshape(q_BHTD, [B, K, G * T, D]), keys_BKSD, { transB: true });
  const bent = cap === undefined ? products : softcap(products, cap);
  const scores = bias_HTS === undefined ? bent : add(bent, reshape(bias_HTS, [K, G * T, S]));
  if (mask_B1TS === undefined) return reshape(matmul(softmax(scores), values_BKSD), [B, H, T, D]);
  if (G === 1) return matmul(softmax(add(scores, mask_B1TS)), values_BKSD);
  const p_BKGTS = softmax(add(reshape(scores, [B, K, G, T, S]), reshape(mask_B1TS, [B, 1, 1, T, S])));
  return reshape(matmul(reshape(p_BKGTS, [B, K, G * T, S]), values_BKSD), [B, H, T, D]);
}

/** How far each key stands before its query, [T, S]; the queries are the last of all. */
function backOf({ tokens: T, all: S }: Pick<GivenAttention, 'tokens' | 'all'>): Tensor {
  const places_S = counting(S);
  const places_T = T === S ? places_S : split(places_S, 0, [S - T, T])[1]!;
  return sub(reshape(places_T, [T, 1]), places_S);
}

/**
 * What is added to scores by how far a key stands from its query, [H, T, S]. Distances that follow each other and share a
 * bucket are one row of an indicator, 1 where a distance is among them, which picks the bucket's numbers exactly.
 */
function biasFor(given: GivenAttention, { table_RH, bucket, farthest }: RelativeBias): Tensor {
  const { tokens: T, all: S } = given;
  const ranges: { readonly from: number; readonly bucket: number }[] = [];
  for (let distance = -farthest; distance <= farthest; distance++)
    if (ranges.at(-1)?.bucket !== bucket(distance)) ranges.push({ from: distance, bucket: bucket(distance) });
  const J = ranges.length;
  // Beyond either end every distance belongs to the last range there.
  const FAR = 1e9;
  const from = ranges.map((range, j) => (j === 0 ? -FAR : range.from));
  const to = ranges.map((_, j) => ranges[j + 1]?.from ?? FAR);
  const column = (values: readonly number[]) => constant(Float32Array.from(values), [J, 1]);
  const distance_T1S = reshape(scale(backOf(given), -1), [T, 1, S]);
  const within = minimum(shift(sub(distance_T1S, column(from)), 1), sub(column(to), distance_T1S));
  const is_TJS = minimum(maximum(within, scalar(0)), scalar(1));
  const rows_JH = gather(
    table_RH,
    constant(
      BigInt64Array.from(ranges, (range) => BigInt(range.bucket)),
      [J],
    ),
  );
  const H = rows_JH.shape[1]!;
  const rows_THJ = broadcastTo(reshape(transpose(rows_JH, [1, 0]), [1, H, J]), [T, H, J]);
  return transpose(matmul(rows_THJ, is_TJS), [1, 0, 2]);
}

/** What a query sees, as a term for scores, [B, 1, T, S]: 0, or so little that nothing is left; undefined where it sees all. */
function maskFor(given: GivenAttention, window?: number): Tensor | undefined {
  const { batch: B, all: S, mask_BS, causal } = given;
  const own_B11S =
    mask_BS && reshape(gather(constant(Float32Array.of(MASKED, 0), [2]), reshape(mask_BS, [B * S])), [B, 1, 1, S]);
  // Keys of a source stand nowhere beside their queries.
  if (!causal && window === undefined) return own_B11S;
  const back_TS = backOf(given);
  // 0 for what is seen, −1 for what is not: of whole numbers.
  const unless = (x: Tensor) => minimum(maximum(x, scalar(-1)), scalar(0));
  const terms = [
    ...(causal ? [unless(back_TS)] : []),
    ...(window === undefined ? [] : [unless(shift(scale(back_TS, -1), window - 1))]),
    ...(window === undefined || causal ? [] : [unless(shift(back_TS, window - 1))]),
  ];
  return terms.reduce<Tensor | undefined>((mask, term) => {
    const scaled = scale(term, -MASKED);
    return mask ? add(mask, scaled) : scaled;
  }, own_B11S);
}
