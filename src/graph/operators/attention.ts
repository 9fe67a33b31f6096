/*
 * Shape suffixes: T query positions, S key positions, B batch, H heads, D width of a head.
 * Activations are time-major, [T, B, H, D]: matrix products read that layout in place, so heads need no transposition
 * on the way in.
 */
import { type Attributes, apply1, formatShape, type Operator, type Tensor } from '../tensor.js';
import { add, mul, scale, sub } from './elementwise.js';
import { matmul } from './product.js';
import { reduceSum, softmax } from './reduction.js';
import { broadcastTo, concat, reshape, split, transpose } from './shaping.js';
import { constant } from './source.js';

/** Large enough that its exponential is exactly 0, small enough that no sum overflows. */
const MASKED = -1e9;

/** The causal mask as a term for scores, [T, S]: query t, the last T of S positions, sees keys up to its own. */
export function causalMask(T: number, S: number): Tensor {
  const key = `${T} ${S}`;
  let mask = masks.get(key)?.deref();
  if (mask === undefined) {
    mask = new Float32Array(T * S);
    for (let t = 0; t < T; t++) mask.fill(MASKED, t * S + (S - T) + t + 1, (t + 1) * S);
    masks.set(key, new WeakRef(mask));
  }
  return constant(mask, [T, S]);
}

/** Every layer of every trace asks for the same: one of 4,096 tokens has 64 MB, and to compare two takes a while. */
const masks = new Map<string, WeakRef<Float32Array>>();

function probabilities(q_TBHD: Tensor, k_SBHD: Tensor, { causal = true }: Attributes): Tensor {
  const scores_BHTS = matmul(q_TBHD, k_SBHD, {
    rowsFirstA: true,
    rowsFirstB: true,
    transB: true,
    alpha: 1 / Math.sqrt(q_TBHD.shape[3]!),
  });
  if (!causal) return softmax(scores_BHTS);
  return softmax(add(scores_BHTS, causalMask(q_TBHD.shape[0]!, k_SBHD.shape[0]!)));
}

const toFront = (x_BHTD: Tensor): Tensor => transpose(x_BHTD, [2, 0, 1, 3]);

export const attentionOperators = {
  attention: {
    name: 'attention',
    infer: ([q, k, v], { causal = true }) => {
      const [T, B, H, D] = q!.shape;
      const S = k!.shape[0]!;
      const keys = formatShape([S, B!, H!, D!]);
      const fits = q!.shape.length === 4 && formatShape(k!.shape) === keys && formatShape(v!.shape) === keys;
      if (!fits || (causal && S < T!)) {
        throw new Error(
          `attention: expected [T, B, H, D] queries and [${causal ? 'S ≥ T' : 'S'}, B, H, D] keys and values, got ` +
            `${[q, k, v].map((x) => formatShape(x!.shape)).join(', ')}`,
        );
      }
      return [{ shape: q!.shape, dtype: 'float32' }];
    },
    // With P the probabilities and O the output, dS = P ∘ (dP − rowsum(dO ∘ O)): no softmax gradient is needed.
    gradient: (node, [g_TBHD]) => {
      const [q, k, v] = node.inputs as [Tensor, Tensor, Tensor];
      const alpha = 1 / Math.sqrt(q.shape[3]!);
      const p_BHTS = probabilities(q, k, node.attributes);
      const dp_BHTS = matmul(g_TBHD!, v, { rowsFirstA: true, rowsFirstB: true, transB: true });
      const rows_BHT1 = transpose(reduceSum(mul(g_TBHD!, node.outputs[0]!), [3], true), [1, 2, 0, 3]);
      const ds_BHTS = mul(p_BHTS, sub(dp_BHTS, rows_BHT1));
      return [
        toFront(matmul(ds_BHTS, k, { rowsFirstB: true, alpha })),
        toFront(matmul(ds_BHTS, q, { transA: true, rowsFirstB: true, alpha })),
        toFront(matmul(p_BHTS, g_TBHD!, { transA: true, rowsFirstB: true })),
      ];
    },
    decompose: (node) => {
      const [q, k, v] = node.inputs as [Tensor, Tensor, Tensor];
      return [toFront(matmul(probabilities(q, k, node.attributes), v, { rowsFirstB: true }))];
    },
  },
  /** Rotates pairs (i, i + D/2) of the last axis by position; the inverse rotation is its gradient. */
  rotary: {
    name: 'rotary',
    infer: ([x, cos, sin]) => {
      const [T, , , D] = x!.shape;
      const table = formatShape([T!, 1, 1, D! / 2]);
      if (x!.shape.length !== 4 || formatShape(cos!.shape) !== table || formatShape(sin!.shape) !== table) {
        throw new Error(
          `rotary: expected [T, B, H, D] and tables [T, 1, 1, D/2], got ` +
            `${[x, cos, sin].map((y) => formatShape(y!.shape)).join(', ')}`,
        );
      }
      return [{ shape: x!.shape, dtype: 'float32' }];
    },
    gradient: (node, [g]) => [rotary(g!, node.inputs[1]!, scale(node.inputs[2]!, -1)), undefined, undefined],
    decompose: (node) => {
      const [x, cos, sin] = node.inputs as [Tensor, Tensor, Tensor];
      const half = x.shape[3]! / 2;
      const [a, b] = split(x, 3, [half, half]) as [Tensor, Tensor];
      return [concat([sub(mul(a, cos), mul(b, sin)), add(mul(b, cos), mul(a, sin))], 3)];
    },
  },
} satisfies Record<string, Operator>;

/** Queries of a block: shorter blocks skip more masked products, but small products run less well. */
const BLOCK = 64;
/** More blocks than this cost more in copies of keys than they skip. */
const MOST_BLOCKS = 4;

/** What a query sees. */
export interface AttentionOptions {
  /** Keys up to the query's own position alone. Default: true. */
  readonly causal?: boolean;
}

/**
 * Scaled dot-product attention (arXiv 1706.03762), time-major: causal, where keys may be more than queries, as with a
 * cache; or of every query to every key.
 *
 * A long causal sequence is cut into blocks of queries, each against the keys that it may see: with four blocks three eighths
 * of all products are skipped.
 *
 * @param q_TBHD [T, B, H, D]
 * @param k_SBHD [S, B, H, D]; if causal, S ≥ T and query t stands at position S − T + t
 * @returns [T, B, H, D]
 */
export function attention(
  q_TBHD: Tensor,
  k_SBHD: Tensor,
  v_SBHD: Tensor,
  { causal = true }: AttentionOptions = {},
): Tensor {
  if (!causal) return apply1(attentionOperators.attention, [q_TBHD, k_SBHD, v_SBHD], { causal });
  const T = q_TBHD.shape[0]!;
  const blocks = Math.min(MOST_BLOCKS, Math.floor(T / BLOCK));
  if (blocks < 2 || k_SBHD.shape[0] !== T) return apply1(attentionOperators.attention, [q_TBHD, k_SBHD, v_SBHD]);
  const bounds = Array.from({ length: blocks + 1 }, (_, i) => Math.round((i * T) / blocks));
  const sizes = bounds.slice(1).map((end, i) => end - bounds[i]!);
  const keys = split(k_SBHD, 0, sizes);
  const values = split(v_SBHD, 0, sizes);
  const parts = split(q_TBHD, 0, sizes).map((q, i) => {
    const seen = [concat(keys.slice(0, i + 1), 0), concat(values.slice(0, i + 1), 0)];
    return apply1(attentionOperators.attention, [q, ...seen]);
  });
  return concat(parts, 0);
}

/**
 * Rotary position embedding in Hugging Face's layout (arXiv 2104.09864): pairs are (i, i + D/2).
 *
 * @param x [T, B, H, D]
 * @param cos and `sin`: [T, 1, 1, D/2]
 */
export function rotary(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  return apply1(attentionOperators.rotary, [x, cos, sin]);
}

/** Repeats each key or value head for its group of query heads: [T, B, K, D] to [T, B, K · groups, D]. */
export function repeatHeads(x_TBKD: Tensor, groups: number): Tensor {
  if (groups === 1) return x_TBKD;
  const [T, B, K, D] = x_TBKD.shape as [number, number, number, number];
  return reshape(broadcastTo(reshape(x_TBKD, [T, B, K, 1, D]), [T, B, K, groups, D]), [T, B, K * groups, D]);
}
