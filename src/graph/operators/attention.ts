/*
 * Shape suffixes: T query positions, S key positions, B batch, H heads, D width of a head.
 * Activations are time-major, [T, B, H, D]: matrix products read that layout in place, so heads need no transposition
 * on the way in.
 */
import {
  type Attributes,
  apply1,
  formatShape,
  type Lowering,
  type Operator,
  type Shape,
  type Tensor,
} from '../tensor.js';
import { add, addAll, mul, scale, sub, tanh } from './elementwise.js';
import { matmul } from './product.js';
import { reduceSum, softmax } from './reduction.js';
import { int64s } from './rules.js';
import { broadcastTo, concat, reshape, split, transpose } from './shaping.js';
import { constant, scalar } from './source.js';

/** Large enough that its exponential is exactly 0, small enough that no sum overflows. */
const MASKED = -1e9;

/** Which keys a query sees by where they stand. */
export interface AttentionSpan {
  /** Keys up to the query's own position alone. Default: true. */
  readonly causal?: boolean | undefined;
  /** Keys fewer than so many positions away alone, the query's own among them. Default: however far. */
  readonly window?: number | undefined;
}

/**
 * What keys by their place are seen, as a term for scores, [T, S]: 0, or so little that nothing is left. The queries are
 * the last T of S positions.
 */
export function attentionMask(T: number, S: number, { causal = true, window }: AttentionSpan = {}): Tensor {
  const key = [T, S, causal, window].join(' ');
  let mask = masks.get(key)?.deref();
  if (mask === undefined) {
    mask = new Float32Array(T * S).fill(MASKED);
    for (let t = 0; t < T; t++) {
      const own = S - T + t;
      const first = window === undefined ? 0 : Math.max(0, own - window + 1);
      const last = causal ? own : window === undefined ? S - 1 : Math.min(S - 1, own + window - 1);
      mask.fill(0, t * S + first, t * S + last + 1);
    }
    masks.set(key, new WeakRef(mask));
  }
  return constant(mask, [T, S]);
}

/** Every layer of every trace asks for the same: one of 4,096 tokens has 64 MB, and to compare two takes a while. */
const masks = new Map<string, WeakRef<Float32Array>>();

/** What is multiplied into the product of a query and a key. */
const factorOf = (q_TBHD: Tensor, { scale: factor }: Attributes): number =>
  (factor as number | undefined) ?? 1 / Math.sqrt(q_TBHD.shape[3]!);

/** What comes after queries, keys and values, each where there is one: mask, bias, factors of dropout. */
function termsOf(inputs: readonly Tensor[], { biased, dropped }: Attributes) {
  const terms = inputs.slice(3);
  const factors_BHTS = dropped ? terms.pop() : undefined;
  const bias_HTS = biased ? terms.pop() : undefined;
  return { mask_B1TS: terms[0], bias_HTS, factors_BHTS };
}

/** Probabilities of keys, and, with a cap, the tanh that it is made of: [B, H, T, S] each. */
function probabilities(inputs: readonly Tensor[], attributes: Attributes): { p: Tensor; tanh?: Tensor } {
  const [q_TBHD, k_SBHD] = inputs as [Tensor, Tensor];
  const { mask_B1TS, bias_HTS } = termsOf(inputs, attributes);
  const { causal = true } = attributes as AttentionSpan;
  const { window, softcap } = attributes as AttentionOptions;
  const alpha = factorOf(q_TBHD, attributes) / (softcap ?? 1);
  const product = matmul(q_TBHD, k_SBHD, { rowsFirstA: true, rowsFirstB: true, transB: true, alpha });
  const bent = softcap === undefined ? undefined : tanh(product);
  const scores_BHTS = bent === undefined ? product : scale(bent, softcap!);
  const [T, S] = [q_TBHD.shape[0]!, k_SBHD.shape[0]!];
  // First with each other: every layer adds the same.
  const masks = [
    ...(mask_B1TS ? [mask_B1TS] : []),
    ...(causal || window !== undefined ? [attentionMask(T, S, { causal, window })] : []),
  ];
  const placed_BHTS = bias_HTS ? add(scores_BHTS, bias_HTS) : scores_BHTS;
  const seen = masks.length === 0 ? placed_BHTS : add(placed_BHTS, addAll(masks));
  return { p: softmax(seen), ...(bent && { tanh: bent }) };
}

const toFront = (x_BHTD: Tensor): Tensor => transpose(x_BHTD, [2, 0, 1, 3]);

/**
 * One pass where the rules make eight (measured: five times as fast). Each row of heads is a sequence of one position, as
 * a table may have fewer rows than there are tokens.
 */
const rotaryCpu: Lowering = (e, node, [x, cos, sin]) => {
  const [[T, B, H, D], [, P]] = node.inputs.map(({ shape }) => shape) as [number[], number[]];
  const reshaped = (value: string, shape: readonly number[]) =>
    e.emit('Reshape', [value, e.constant(int64s(shape), [shape.length])])[0]!;
  const places = Array.from({ length: T! * B! }, (_, n) => (P === 1 ? Math.floor(n / B!) : n));
  const tables = [cos!, sin!].map((table) => reshaped(table, [T! * P!, D! / 2]));
  const operands = [reshaped(x!, [T! * B!, 1, H! * D!]), e.constant(int64s(places), [T! * B!, 1]), ...tables];
  const [y] = e.emit('RotaryEmbedding', operands, {}, { domain: 'com.microsoft' });
  return [reshaped(y!, node.outputs[0]!.shape)];
};

export const attentionOperators = {
  attention: {
    name: 'attention',
    infer: (inputs, attributes) => {
      const [q, k, v] = inputs;
      const { causal = true, window } = attributes;
      const { mask_B1TS: mask, bias_HTS: bias, factors_BHTS: factors } = termsOf(inputs, attributes);
      const [T, B, H, D] = q!.shape;
      const S = k!.shape[0]!;
      const keys = formatShape([S, B!, H!, D!]);
      const fits = q!.shape.length === 4 && formatShape(k!.shape) === keys && formatShape(v!.shape) === keys;
      if (!fits || (causal && S < T!) || (!causal && window !== undefined && S !== T)) {
        throw new Error(
          `attention: expected [T, B, H, D] queries and [${causal ? 'S ≥ T' : window === undefined ? 'S' : 'T'}, B, H, D] keys and values, got ` +
            `${[q, k, v].map((x) => formatShape(x!.shape)).join(', ')}`,
        );
      }
      if (mask && formatShape(mask.shape) !== formatShape([B!, 1, T!, S])) {
        throw new Error(`attention: expected a mask ${formatShape([B!, 1, T!, S])}, got ${formatShape(mask.shape)}`);
      }
      if (bias && formatShape(bias.shape) !== formatShape([H!, T!, S])) {
        throw new Error(`attention: expected a bias ${formatShape([H!, T!, S])}, got ${formatShape(bias.shape)}`);
      }
      if (factors && formatShape(factors.shape) !== formatShape([B!, H!, T!, S])) {
        throw new Error(
          `attention: expected factors ${formatShape([B!, H!, T!, S])}, got ${formatShape(factors.shape)}`,
        );
      }
      return [{ shape: q!.shape, dtype: 'float32' }];
    },
    // With P the probabilities and O the output, dS = P ∘ (dP − rowsum(dO ∘ O)): no softmax gradient is needed. With
    // factors F, O = (P ∘ F) V and dP = F ∘ (dO Vᵀ), whose sum with P is the same.
    gradient: (node, [g_TBHD]) => {
      const [q, k, v] = node.inputs as [Tensor, Tensor, Tensor];
      const alpha = factorOf(q, node.attributes);
      const { p: p_BHTS, tanh: bent_BHTS } = probabilities(node.inputs, node.attributes);
      const { mask_B1TS, bias_HTS, factors_BHTS } = termsOf(node.inputs, node.attributes);
      const kept = (x_BHTS: Tensor) => (factors_BHTS ? mul(x_BHTS, factors_BHTS) : x_BHTS);
      const dp_BHTS = kept(matmul(g_TBHD!, v, { rowsFirstA: true, rowsFirstB: true, transB: true }));
      const rows_BHT1 = transpose(reduceSum(mul(g_TBHD!, node.outputs[0]!), [3], true), [1, 2, 0, 3]);
      const capped_BHTS = mul(p_BHTS, sub(dp_BHTS, rows_BHT1));
      // d/dx c tanh(x / c) = 1 − tanh²(x / c)
      const ds_BHTS = bent_BHTS ? mul(capped_BHTS, sub(scalar(1), mul(bent_BHTS, bent_BHTS))) : capped_BHTS;
      return [
        toFront(matmul(ds_BHTS, k, { rowsFirstB: true, alpha })),
        toFront(matmul(ds_BHTS, q, { transA: true, rowsFirstB: true, alpha })),
        toFront(matmul(kept(p_BHTS), g_TBHD!, { transA: true, rowsFirstB: true })),
        ...(mask_B1TS ? [undefined] : []),
        ...(bias_HTS ? [reduceSum(capped_BHTS, [0])] : []),
        ...(factors_BHTS ? [undefined] : []),
      ];
    },
    decompose: (node) => {
      const { p: p_BHTS } = probabilities(node.inputs, node.attributes);
      const { factors_BHTS } = termsOf(node.inputs, node.attributes);
      const kept_BHTS = factors_BHTS ? mul(p_BHTS, factors_BHTS) : p_BHTS;
      return [toFront(matmul(kept_BHTS, node.inputs[2]!, { rowsFirstB: true }))];
    },
  },
  /** Rotates pairs (i, i + D/2) of the last axis by position; the inverse rotation is its gradient. */
  rotary: {
    name: 'rotary',
    infer: ([x, cos, sin]) => {
      const [T, B, , D] = x!.shape;
      const tables = [1, B!].map((P) => formatShape([T!, P, 1, D! / 2]));
      const [c, s] = [formatShape(cos!.shape), formatShape(sin!.shape)];
      if (x!.shape.length !== 4 || c !== s || !tables.includes(c)) {
        throw new Error(
          `rotary: expected [T, B, H, D] and tables [T, 1, 1, D/2] or [T, B, 1, D/2], got ` +
            `${[x, cos, sin].map((y) => formatShape(y!.shape)).join(', ')}`,
        );
      }
      return [{ shape: x!.shape, dtype: 'float32' }];
    },
    gradient: (node, [g]) => [rotary(g!, node.inputs[1]!, scale(node.inputs[2]!, -1)), undefined, undefined],
    lower: { cpu: rotaryCpu },
    decompose: (node) => {
      const [x, cos, sin] = node.inputs as [Tensor, Tensor, Tensor];
      const half = x.shape[3]! / 2;
      const [a, b] = split(x, 3, [half, half]) as [Tensor, Tensor];
      return [concat([sub(mul(a, cos), mul(b, sin)), add(mul(b, cos), mul(a, sin))], 3)];
    },
  },
} satisfies Record<string, Operator>;

/**
 * Queries of a block: shorter blocks skip more masked products, but small products run less well and are more pieces to cut
 * and join (measured with 256 tokens: two blocks are 2 % of a step faster than four). With a window shorter ones skip far more.
 */
const BLOCK = 128;
const WINDOWED_BLOCK = 64;
/** More blocks than this cost more in copies of keys than they skip. */
const MOST_BLOCKS = 4;

/** How scores come of queries and keys, beside what a query sees. */
export interface AttentionOptions extends AttentionSpan {
  /** What is multiplied into the product of a query and a key. Default: 1/√D. */
  readonly scale?: number | undefined;
  /** Bends scores x to c tanh(x / c), before the mask (Gemma 2, arXiv 2408.00118). Default: none. */
  readonly softcap?: number | undefined;
  /** Added to the scores of every sequence, [H, T, S]: T5's positions (arXiv 1910.10683). Default: none. */
  readonly bias?: Tensor | undefined;
}

/**
 * Scaled dot-product attention (arXiv 1706.03762), time-major: causal, where keys may be more than queries, as with a
 * cache; or of every query to every key. Either may be held to a window.
 *
 * A long causal sequence is cut into blocks of queries, each against the keys that it may see: with four blocks three eighths
 * of all products are skipped, and more with a window.
 *
 * @param q_TBHD [T, B, H, D]
 * @param k_SBHD [S, B, H, D]; if causal, S ≥ T and query t stands at position S − T + t; else S = T with a window
 * @param mask_B1TS added to the scores as well: 0 where a query sees a key, −10⁹ or less where not. It has no gradient
 * @param factors makes what the probabilities [B, H, T, S] of some queries and keys are multiplied by, as dropout does;
 * they have no gradient. A sequence that is cut asks for those of each block
 * @returns [T, B, H, D]
 */
export function attention(
  q_TBHD: Tensor,
  k_SBHD: Tensor,
  v_SBHD: Tensor,
  { bias: bias_HTS, ...options }: AttentionOptions = {},
  mask_B1TS?: Tensor,
  factors?: (shape: Shape) => Tensor,
): Tensor {
  const given = Object.entries({ ...options, biased: bias_HTS && true, dropped: factors && true }).filter(
    ([name, value]) => value !== undefined && !(name === 'causal' && value),
  );
  const whole = (q: Tensor, k: Tensor, v: Tensor, ...terms: readonly Tensor[]) => {
    const [T, B, H] = q.shape as [number, number, number];
    const last = factors ? [factors([B, H, T, k.shape[0]!])] : [];
    return apply1(attentionOperators.attention, [q, k, v, ...terms, ...last], Object.fromEntries(given));
  };
  const masks = mask_B1TS ? [mask_B1TS] : [];
  const biases = bias_HTS ? [bias_HTS] : [];
  const T = q_TBHD.shape[0]!;
  const blocks = Math.min(MOST_BLOCKS, Math.floor(T / (options.window === undefined ? BLOCK : WINDOWED_BLOCK)));
  if (options.causal === false || blocks < 2 || k_SBHD.shape[0] !== T)
    return whole(q_TBHD, k_SBHD, v_SBHD, ...masks, ...biases);
  const bounds = Array.from({ length: blocks + 1 }, (_, i) => Math.round((i * T) / blocks));
  const sizes = bounds.slice(1).map((end, i) => end - bounds[i]!);
  const keys = split(k_SBHD, 0, sizes);
  const values = split(v_SBHD, 0, sizes);
  // A mask's queries are its third axis, a bias's the second; keys are the last of both.
  const rows = [...masks.map((mask) => split(mask, 2, sizes)), ...biases.map((bias) => split(bias, 1, sizes))];
  const parts = split(q_TBHD, 0, sizes).map((q, i) => {
    const farthest = options.window === undefined ? 0 : bounds[i]! - options.window + 1;
    // The first block that holds a key which the block's first query sees.
    const from = bounds.findIndex((_, j) => j === i || bounds[j + 1]! > farthest);
    const own = rows.map((parts) => {
      const last = parts[i]!.shape.length - 1;
      return concat(split(parts[i]!, last, sizes).slice(from, i + 1), last);
    });
    return whole(q, concat(keys.slice(from, i + 1), 0), concat(values.slice(from, i + 1), 0), ...own);
  });
  return concat(parts, 0);
}

/**
 * Rotary position embedding in Hugging Face's layout (arXiv 2104.09864): pairs are (i, i + D/2).
 *
 * @param x [T, B, H, D]
 * @param cos and `sin`: [T, 1, 1, D/2], or [T, B, 1, D/2]
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
