/*
 * Shape suffixes: T new tokens, S of them and those before; B sequences; H heads, K of keys and values, G = H / K queries
 * that a key serves; D width of a head.
 */
import {
  add,
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
import type { Attend, LayerAttention } from '../../model/architecture.js';

/** Large enough that its exponential is exactly 0, small enough that no sum overflows. */
const MASKED = -1e9;

/** What a file's attention is given beside queries, keys and values. */
export interface GivenAttention {
  /** B, T and S. */
  readonly batch: number;
  readonly tokens: number;
  readonly all: number;
  /** 1 for a sequence's own tokens, 0 for what fills it up, [B, S] int64. */
  readonly mask_BS: Tensor;
  /** Whether a token sees those after it. */
  readonly causal: boolean;
  /** Joins keys and values [B, K, T, D] of a layer with those before, [B, K, S, D]; left out where there are none. */
  readonly cached?: (layer: number, keys_BKTD: Tensor, values_BKTD: Tensor) => readonly [Tensor, Tensor];
}

/** Attention in a file whose sizes a run tells: masks are computed there, and nothing is repeated for grouped queries. */
export function attendInFile(given: GivenAttention): Attend {
  const masks = new Map<number | undefined, Tensor>();
  const maskOf = (window: number | undefined) => {
    const mask = masks.get(window) ?? maskFor(given, window);
    masks.set(window, mask);
    return mask;
  };
  const toHeads = (x_TBKD: Tensor) => transpose(x_TBKD, [1, 2, 0, 3]);
  return (layer, q_TBHD, k_TBKD, v_TBKD, options = {}) => {
    const fresh = [toHeads(k_TBKD), toHeads(v_TBKD)] as const;
    const [keys_BKSD, values_BKSD] = given.cached?.(layer, ...fresh) ?? fresh;
    const D = q_TBHD.shape[3]!;
    const q_BHTD = toHeads(scale(q_TBHD, options.scale ?? 1 / Math.sqrt(D)));
    return transpose(mixed(q_BHTD, keys_BKSD, values_BKSD, maskOf(options.window), options), [2, 0, 1, 3]);
  };
}

/** The queries that share a key are rows of one product. */
function mixed(
  q_BHTD: Tensor,
  keys_BKSD: Tensor,
  values_BKSD: Tensor,
  mask_B1TS: Tensor,
  { softcap: cap }: LayerAttention,
): Tensor {
  const [B, H, T, D] = q_BHTD.shape as [number, number, number, number];
  const [, K, S] = keys_BKSD.shape as [number, number, number];
  const G = H / K;
  const products = matmul(reshape(q_BHTD, [B, K, G * T, D]), keys_BKSD, { transB: true });
  const scores = cap === undefined ? products : softcap(products, cap);
  if (G === 1) return matmul(softmax(add(scores, mask_B1TS)), values_BKSD);
  const p_BKGTS = softmax(add(reshape(scores, [B, K, G, T, S]), reshape(mask_B1TS, [B, 1, 1, T, S])));
  return reshape(matmul(reshape(p_BKGTS, [B, K, G * T, S]), values_BKSD), [B, H, T, D]);
}

/** What a query sees, as a term for scores, [B, 1, T, S]: 0, or so little that nothing is left. */
function maskFor({ batch: B, tokens: T, all: S, mask_BS, causal }: GivenAttention, window?: number): Tensor {
  const own_BS = gather(constant(Float32Array.of(MASKED, 0), [2]), reshape(mask_BS, [B * S]));
  const own_B11S = reshape(own_BS, [B, 1, 1, S]);
  const places_S = counting(S);
  // The queries are the last of all.
  const places_T = T === S ? places_S : split(places_S, 0, [S - T, T])[1]!;
  const back_TS = sub(reshape(places_T, [T, 1]), places_S);
  // 0 for what is seen, −1 for what is not: of whole numbers.
  const unless = (x: Tensor) => minimum(maximum(x, scalar(-1)), scalar(0));
  const terms = [
    ...(causal ? [unless(back_TS)] : []),
    ...(window === undefined ? [] : [unless(shift(scale(back_TS, -1), window - 1))]),
    ...(window === undefined || causal ? [] : [unless(shift(back_TS, window - 1))]),
  ];
  return terms.reduce((mask, term) => add(mask, scale(term, -MASKED)), own_B11S);
}
