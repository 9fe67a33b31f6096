/*
 * Operators of use alone, not of training: they have no gradients, and lowerings for the CPU, where ONNX Runtime has them
 * fused.
 * Shape suffixes: N new tokens, of B sequences; T of each; S slots of a cache; H heads, K of keys and values; D width of a
 * head, E the next multiple of 8; I values of a row that come in, O that go out, Z blocks of a row of weights.
 */
import {
  apply,
  apply1,
  type Emitter,
  formatShape,
  type Lowering,
  type Node,
  type Operator,
  type Tensor,
} from '../tensor.js';
import { float32, int64s, ONNX_TYPE } from './rules.js';

const MS = { domain: 'com.microsoft' };

/** A lowering to operators of ONNX Runtime's own, which its CPU provider has natively and on WASM. */
const ownOperators = (lowering: Lowering): NonNullable<Operator['lower']> => ({ cpu: lowering, wasm: lowering });

/** GroupQueryAttention takes heads of such widths alone; zeros at the end of others change no product. */
const WIDTHS = 8;

/** Width of the rows of a cache for heads of width D. */
export const cachedWidth = (D: number): number => WIDTHS * Math.ceil(D / WIDTHS);

/** What is given: rows of queries, keys and values, or of all three side by side; caches; and what tells of sequences. */
function operands<T>(node: { readonly attributes: object }, inputs: readonly T[]) {
  const count = (node.attributes as { packed?: boolean }).packed ? 1 : 3;
  return { rows: inputs.slice(0, count), cache: inputs.slice(count, count + 2), rest: inputs.slice(count + 2) };
}

/** Shapes that fit together; with rows side by side, of a width that the cache has too. */
function expectCache(rows: readonly Tensor[], [keys, values]: readonly Tensor[], heads: number) {
  const [N, width] = rows[0]!.shape as [number, number];
  const [B, K, S, E] = keys!.shape as [number, number, number, number];
  const packed = rows.length === 1;
  const D = width / (packed ? heads + 2 * K : heads);
  const fits =
    rows[0]!.shape.length === 2 &&
    rows.slice(1).every((x) => formatShape(x.shape) === formatShape([N, K * D])) &&
    formatShape(values!.shape) === formatShape([B, K, S, E]) &&
    E === (packed ? D : cachedWidth(D)) &&
    heads % K === 0;
  if (!fits)
    throw new Error(
      `attendCached: queries [N, H · D], keys and values [N, K · D] and caches [B, K, S, E] do not fit together: got ` +
        [...rows, keys, values].map((x) => formatShape(x!.shape)).join(', '),
    );
  return { N, D, K };
}

/** Rows [N, heads · D] as [B, T, heads · E]. */
function asSequences(e: Emitter, x: string, heads: number, D: number, shape: string): string {
  const E = cachedWidth(D);
  return e.emit('Reshape', [E === D ? x : widened(e, x, heads, D, E), shape])[0]!;
}

/** [B, T, H · E] as [N, H · D]. */
function asRows(e: Emitter, x: string, H: number, D: number): string {
  const E = cachedWidth(D);
  const rows = (width: number) => e.constant(int64s([-1, width]), [2]);
  if (E === D) return e.emit('Reshape', [x, rows(H * D)])[0]!;
  const [each] = e.emit('Reshape', [x, rows(E)]);
  const bounds = [0, D, 1].map((value) => e.constant(int64s([value]), [1]));
  const [cut] = e.emit('Slice', [each!, ...bounds]);
  return e.emit('Reshape', [cut!, rows(H * D)])[0]!;
}

function widened(e: Emitter, x: string, heads: number, D: number, E: number): string {
  const [each] = e.emit('Reshape', [x, e.constant(int64s([-1, heads, D]), [3])]);
  return e.emit('Pad', [each!, e.constant(int64s([0, 0, 0, 0, 0, E - D]), [6])])[0]!;
}

const attendCachedFused = (e: Emitter, node: Node, inputs: readonly string[]): string[] => {
  const given = operands(node, inputs);
  const [lengths, longest, shape, cos, sin] = given.rest as string[];
  const { heads: H, scale: factor, softcap, window } = node.attributes as unknown as CachedAttention;
  const types = operands(node, node.inputs);
  const { D, K } = expectCache(types.rows, types.cache, H);
  const scale = factor ?? 1 / Math.sqrt(D);
  const [q, k, v] = given.rows.map((x, i) => asSequences(e, x, i === 0 ? H : K, D, shape!)) as [
    string,
    string?,
    string?,
  ];
  const tables = cos === undefined ? [] : [cos, sin!];
  const [o, newKeys, newValues] = e.emit(
    'GroupQueryAttention',
    [q, k ?? '', v ?? '', ...given.cache, lengths!, longest!, ...tables],
    {
      num_heads: H,
      kv_num_heads: K,
      scale: { float: scale },
      ...(cos === undefined ? {} : { do_rotary: 1 }),
      ...(softcap === undefined ? {} : { softcap: { float: softcap } }),
      ...(window === undefined ? {} : { local_window_size: window }),
    },
    { ...MS, outputs: 3 },
  );
  return [asRows(e, o!, H, D), newKeys!, newValues!];
};

const blockOf = (node: { attributes: object }) => node.attributes as { bits: 4 | 8; inputs: number };

/** What a block of codes stands for in rows of bytes, [N, Z, block]. */
function expectBlocks(
  name: string,
  codes: Tensor,
  scales: Tensor,
  { bits, inputs: I }: { bits: number; inputs: number },
) {
  const [O, Z, bytes] = codes.shape as [number, number, number];
  const block = (bytes * 8) / bits;
  const fits =
    codes.dtype === 'uint8' &&
    codes.shape.length === 3 &&
    Z === Math.ceil(I / block) &&
    formatShape(float32(name, scales).shape) === formatShape([O, Z]);
  if (!fits)
    throw new Error(
      `${name}: expected uint8 codes [O, Z, bytes] and scales [O, Z] for ${I} values a row, got ${codes.dtype} ` +
        `${formatShape(codes.shape)} and ${formatShape(scales.shape)}`,
    );
  return { O, Z, block };
}

export const decoding = {
  attendCached: {
    name: 'attendCached',
    infer: (inputs, attributes) => {
      const { rows, cache } = operands({ attributes }, inputs);
      const heads = attributes.heads as number;
      const { N, D } = expectCache(rows, cache, heads);
      const written = { shape: cache[0]!.shape, dtype: 'float32' as const };
      return [{ shape: [N, heads * D], dtype: 'float32' }, written, written];
    },
    lower: ownOperators(attendCachedFused),
  },
  blockProduct: {
    name: 'blockProduct',
    infer: ([x, codes, scales, bias], attributes) => {
      const { bits, inputs: I } = blockOf({ attributes });
      const { O } = expectBlocks('blockProduct', codes!, scales!, { bits, inputs: I });
      const [N, width] = float32('blockProduct', x!).shape;
      if (x!.shape.length !== 2 || width !== I)
        throw new Error(`blockProduct: expected rows [N, ${I}], got ${formatShape(x!.shape)}`);
      if (bias && formatShape(float32('blockProduct', bias).shape) !== formatShape([O]))
        throw new Error(`blockProduct: expected a bias [${O}], got ${formatShape(bias.shape)}`);
      return [{ shape: [N!, O], dtype: 'float32' }];
    },
    // Level 4: rows are rounded to 8 bits in blocks as well, and products are those of whole numbers.
    lower: ownOperators((e, node, [x, codes, scales, bias]) => {
      const { bits, inputs: K } = blockOf(node);
      const inputs = [x!, codes!, scales!, ...(bias === undefined ? [] : ['', '', bias])];
      const { O: N, block } = expectBlocks('blockProduct', node.inputs[1]!, node.inputs[2]!, blockOf(node));
      return e.emit('MatMulNBits', inputs, { K, N, bits, block_size: block, accuracy_level: 4 }, MS);
    }),
  },
  blockRows: {
    name: 'blockRows',
    infer: ([codes, scales, ids], attributes) => {
      expectBlocks('blockRows', codes!, scales!, blockOf({ attributes }));
      if (blockOf({ attributes }).bits !== 8) throw new Error('blockRows: rows are kept in 8 bits');
      return [{ shape: [ids!.shape[0]!, blockOf({ attributes }).inputs], dtype: 'float32' }];
    },
    lower: {
      onnx: (e, node, [codes, scales, ids]) => {
        const { inputs: I } = blockOf(node);
        const { Z, block } = expectBlocks('blockRows', node.inputs[0]!, node.inputs[1]!, blockOf(node));
        const [bytes] = e.emit('Gather', [codes!, ids!], { axis: 0 });
        const [some] = e.emit('Gather', [scales!, ids!], { axis: 0 });
        const [numbers] = e.emit('Cast', [bytes!], { to: ONNX_TYPE.FLOAT });
        const [signed] = e.emit('Sub', [numbers!, e.constant(Float32Array.of(128), [])]);
        const [each] = e.emit('Unsqueeze', [some!, e.constant(int64s([2]), [1])]);
        const [values] = e.emit('Mul', [signed!, each!]);
        const [rows] = e.emit('Reshape', [values!, e.constant(int64s([-1, Z * block]), [2])]);
        if (Z * block === I) return [rows!];
        const bounds = [0, I, 1].map((value) => e.constant(int64s([value]), [1]));
        return e.emit('Slice', [rows!, ...bounds]);
      },
    },
  },
  attendTexts: {
    name: 'attendTexts',
    infer: ([q, k, v, lengths]) => {
      const [shape, B] = [q!.shape, lengths!.shape[0]!];
      const alike = [k, v].every((x) => formatShape(x!.shape) === formatShape(shape));
      if (shape.length !== 4 || !alike || shape[0] !== B)
        throw new Error(
          `attendTexts: expected queries, keys and values [B, T, H, D] and lengths [B], got ` +
            [q, k, v, lengths].map((x) => formatShape(x!.shape)).join(', '),
        );
      return [{ shape, dtype: 'float32' }];
    },
    lower: ownOperators((e, node, [q, k, v, lengths]) => {
      const [, , H, D] = node.inputs[0]!.shape as [number, number, number, number];
      const joined = (x: string) => e.emit('Reshape', [x, e.constant(int64s([0, 0, H * D]), [3])])[0]!;
      const [o] = e.emit(
        'MultiHeadAttention',
        [joined(q!), joined(k!), joined(v!), '', lengths!],
        { num_heads: H, scale: { float: (node.attributes.scale as number | undefined) ?? 1 / Math.sqrt(D) } },
        MS,
      );
      return e.emit('Reshape', [o!, e.constant(int64s([0, 0, H, D]), [4])]);
    }),
  },
  addNorm: {
    name: 'addNorm',
    infer: ([x, y, weight, bias]) => {
      const [shape, width] = [formatShape(float32('addNorm', x!).shape), `[${x!.shape.at(-1)}]`];
      const vectors = bias ? [weight, bias] : [weight];
      if (formatShape(float32('addNorm', y!).shape) !== shape || vectors.some((v) => formatShape(v!.shape) !== width))
        throw new Error(
          `addNorm: expected two of the same shape and vectors as long as their rows, got ` +
            [x, y, ...vectors].map((each) => formatShape(each!.shape)).join(', '),
        );
      const type = { shape: x!.shape, dtype: 'float32' as const };
      return [type, type];
    },
    lower: ownOperators((e, node, inputs) => {
      const operator = node.inputs.length > 3 ? 'SkipLayerNormalization' : 'SkipSimplifiedLayerNormalization';
      const epsilon = { float: node.attributes.epsilon as number };
      const [normal, , , sum] = e.emit(operator, inputs, { epsilon }, { ...MS, outputs: 4 });
      return [normal!, sum!];
    }),
  },
  fusedGelu: {
    name: 'fusedGelu',
    infer: ([x, bias]) => {
      const { shape } = float32('fusedGelu', x!);
      if (bias && formatShape(float32('fusedGelu', bias).shape) !== `[${shape.at(-1)}]`)
        throw new Error(`fusedGelu: expected a bias [${shape.at(-1)}], got ${formatShape(bias.shape)}`);
      return [{ shape, dtype: 'float32' }];
    },
    lower: ownOperators((e, _node, inputs) => e.emit(inputs.length > 1 ? 'BiasGelu' : 'Gelu', inputs, {}, MS)),
  },
  fastGelu: {
    name: 'fastGelu',
    infer: ([x]) => [{ shape: float32('fastGelu', x!).shape, dtype: 'float32' }],
    lower: ownOperators((e, _node, inputs) => e.emit('FastGelu', inputs, {}, MS)),
  },
} satisfies Record<string, Operator>;

/** How {@link attendCached} scores. */
export interface CachedAttention {
  /** H. */
  readonly heads: number;
  /** What is multiplied into the product of a query and a key. Default: 1/√D. */
  readonly scale?: number | undefined;
  /** Bends scores x to c tanh(x / c). Default: none. */
  readonly softcap?: number | undefined;
  /** Keys fewer than so many positions away alone. Default: however far. */
  readonly window?: number | undefined;
}

/** What {@link attendCached} is told of its sequences. */
export interface CachedSequences {
  /** Tokens of each sequence less 1, the new ones included: [B] int32. */
  readonly lengths: Tensor;
  /** The most of {@link lengths}, and 1: [] int32. */
  readonly longest: Tensor;
  /** B, new tokens of each sequence, and −1: [3] int64. Either is 1, unless no sequence had tokens before. */
  readonly shape: Tensor;
  /** Cosines and sines of all positions, [P, D/2] each: queries and keys are turned by where they stand. */
  readonly turned?: { readonly cos: Tensor; readonly sin: Tensor } | undefined;
}

/**
 * Causal attention of new tokens to those before them, whose keys and values stand in a cache: the new ones are written
 * behind them. Fed and written at the same place, a cache is not copied.
 *
 * @param rows queries [N, H · D], sequence after sequence, keys and values [N, K · D]; or the three side by side,
 * [N, (H + 2 K) · D], where E is D
 * @param keys_BKSE [B, K, S, E], as `values`
 * @returns [N, H · D], and keys and values with the new ones, [B, K, S, E]
 */
export function attendCached(
  rows: readonly [Tensor, Tensor, Tensor] | readonly [Tensor],
  [keys_BKSE, values_BKSE]: readonly [Tensor, Tensor],
  { lengths, longest, shape, turned }: CachedSequences,
  { heads, scale, softcap, window }: CachedAttention,
): readonly [o: Tensor, keys: Tensor, values: Tensor] {
  const tables = turned ? [turned.cos, turned.sin] : [];
  const inputs = [...rows, keys_BKSE, values_BKSE, lengths, longest, shape, ...tables];
  const attributes = { heads, scale, softcap, window, ...(rows.length === 1 && { packed: true }) };
  return apply(decoding.attendCached, inputs, attributes) as readonly [Tensor, Tensor, Tensor];
}

/** Weights in blocks along what is summed over, as MatMulNBits of ONNX Runtime has them: code · scale less half the codes. */
export interface BlockWeights {
  /** [O, Z, bytes of a block] uint8; of 4 bits two a byte, the lower half first. */
  readonly codes: Tensor;
  /** [O, Z] */
  readonly scales: Tensor;
  readonly bits: 4 | 8;
  /** I. */
  readonly inputs: number;
}

/** x · Wᵀ + b, [N, O], of rows [N, I], weights in few bits and, where there is one, a bias [O]. */
export const blockProduct = (x_NI: Tensor, { codes, scales, bits, inputs }: BlockWeights, bias_O?: Tensor): Tensor =>
  apply1(decoding.blockProduct, [x_NI, codes, scales, ...(bias_O ? [bias_O] : [])], { bits, inputs });

/** Rows of weights in 8 bits by their numbers [N] int64: [N, I]. */
export const blockRows = ({ codes, scales, bits, inputs }: BlockWeights, ids_N: Tensor): Tensor =>
  apply1(decoding.blockRows, [codes, scales, ids_N], { bits, inputs });

/**
 * `layerNorm` of x + y, or without a bias `rmsNorm`, and x + y, in one node: so a residual stream goes on.
 *
 * @param vectors weight and, for `layerNorm`, bias, of as many values as rows of x and y
 */
export const addNorm = (x: Tensor, y: Tensor, vectors: readonly Tensor[], epsilon: number) =>
  apply(decoding.addNorm, [x, y, ...vectors], { epsilon }) as readonly [normal: Tensor, sum: Tensor];

/** What `gelu` computes, in one node. */
export const fastGelu = (x: Tensor): Tensor => apply1(decoding.fastGelu, [x]);

/** What `geluErf` computes of x and, where there is one, a bias of its rows, in one node. */
export const fusedGelu = (x: Tensor, bias?: Tensor): Tensor => apply1(decoding.fusedGelu, bias ? [x, bias] : [x]);

/**
 * Attention of every token of a text to all of that text.
 *
 * @param q [B, T, H, D], as keys and values
 * @param lengths tokens of each text, [B] int32: what stands behind them fills up
 * @returns [B, T, H, D]
 */
export const attendTexts = (
  [q, k, v]: readonly [Tensor, Tensor, Tensor],
  lengths: Tensor,
  scale?: number | undefined,
): Tensor => apply1(decoding.attendTexts, [q, k, v, lengths], { scale });
