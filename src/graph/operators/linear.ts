import { apply1, formatShape, type Operator, type Target, type Tensor } from '../tensor.js';
import { maximum } from './comparison.js';
import { add, div, elementwise, mul, scale } from './elementwise.js';
import { type Codes, MOST, magnitude, productInt8, quantizeRange, quantizeSymmetric } from './int8.js';
import { column } from './lookup.js';
import { gemm } from './product.js';
import { reduceMax, reduceSum } from './reduction.js';
import { broadcastTo, concat, shaping, transpose } from './shaping.js';
import { scalar } from './source.js';

/*
 * A linear layer whose three products are in 8 bits (SwitchBack, Wortsman et al. 2023, arXiv 2304.13013, but for the
 * weight's gradient, which stays in float32 there): weights, sums and everything else are float32.
 * Shape suffixes: N rows; I values of a row that come in; O that go out.
 */

/** Targets whose lowerings have products of 8 bits; elsewhere the same layer is computed in float32. */
const HAVE_INT8: readonly Target[] = ['cpu', 'wasm'];

/** Whether a target has products of 8 bits. */
export const hasInt8 = (target: Target): boolean => HAVE_INT8.includes(target);

/** Products of two codes of which a sum of 32 bits has surely room. */
const MOST_TERMS = Math.floor(2 ** 31 / (255 * 128));

/** Whether a target has sums in 8 bits of so many products. */
export const fitsInt8 = (target: Target, ...terms: readonly number[]): boolean =>
  hasInt8(target) && terms.every((count) => count <= MOST_TERMS);

/** How a layer's weight lies, as {@link linear} is told. */
interface LinearAttributes {
  /** A row for each output [O, I], or for each input [I, O]. */
  readonly transB: boolean;
  /** Whether what comes in has rows far larger than others, so that each needs a scale of its own. */
  readonly rowScales: boolean;
}

const attributesOf = (node: { attributes: object }) => node.attributes as LinearAttributes;
const transposed = (x: Tensor): Tensor => transpose(x, [1, 0]);

/** What a matrix was joined of side by side: such as gradients of queries, keys and values. */
const parts = (g_NO: Tensor): readonly Tensor[] =>
  g_NO.node.operator === shaping.concat && g_NO.node.attributes.axis === 1 ? g_NO.node.inputs : [g_NO];

/** A matrix of weights in codes int8 of one scale. */
export const weightCodes = (w: Tensor): Codes => quantizeSymmetric(w, magnitude(w), true);
const flipped = (c: Codes): Codes => ({ ...c, codes: transposed(c.codes) });

/**
 * x w in codes, with one scale for all of w, and one for all of x or for each of its rows: [N, O]. Measured on 4 × 128
 * after 300 steps: with rows the gradient's error falls from 12 to 6 % in a Llama and not at all in a GPT-2, which pays 3 %
 * of its time for them.
 */
function forward(x_NI: Tensor, w: Tensor, bias: Tensor | undefined, { transB, rowScales }: LinearAttributes): Tensor {
  const codes = weightCodes(w);
  const factor = transB ? flipped(codes) : codes;
  if (!rowScales) return productInt8(quantizeRange(x_NI), factor, bias);
  const { scale: scale_N, ...x } = quantizeSymmetric(x_NI, magnitude(x_NI, true), false);
  const y_NO = mul(productInt8({ ...x, scale: scalar(1) }, factor), column(scale_N));
  return bias ? add(y_NO, bias) : y_NO;
}

/** g wᵀ, with a scale for each row of g: [N, I]. */
function inputGradient(g_NO: Tensor, w: Tensor, transB: boolean): Tensor {
  const columns = parts(g_NO);
  const magnitudes_N = columns.map((part) => magnitude(part, true)).reduce(maximum);
  const coded = columns.map((part) => quantizeSymmetric(part, magnitudes_N, false));
  const { scale: scale_N, zero } = coded[0]!;
  const codes = weightCodes(w);
  const g = {
    codes: concat(
      coded.map((part) => part.codes),
      1,
    ),
    scale: scalar(1),
    zero,
  };
  // A row's scale is no factor of the product: that of the weight is.
  return mul(productInt8(g, transB ? codes : flipped(codes)), column(scale_N));
}

/** Each part of g has a scale of its own, as gradients of queries are far smaller than those of values. */
const weightGradient = (x_NI: Tensor, g_NO: Tensor, { transB, rowScales }: LinearAttributes): Tensor =>
  transB
    ? concat(
        parts(g_NO).map((part) => (rowScales ? transposed(byRows(x_NI, part)) : byRows(part, x_NI))),
        0,
      )
    : weightGradientByInputs(x_NI, g_NO);

/**
 * aᵀ b in codes, with a scale for each row of a, which the same row of b takes upon itself: [A, B]. So only how much a row
 * counts is rounded coarsely, and not what is far smaller in it than in others. Measured on a Llama of 4 × 128 after 300
 * steps, with one scale for all of each: of gates and their values the gradients are off by 9 to 17 %, by rows of g by 5
 * to 9 %; of what a gate makes narrower by 9 to 13 %, by rows of x by 7 to 8 %, as its columns differ more than those of g.
 */
function byRows(a_NA: Tensor, b_NB: Tensor): Tensor {
  const { scale: scale_N, ...a } = quantizeSymmetric(a_NA, magnitude(a_NA, true), false);
  const most = reduceMax(mul(magnitude(b_NB, true), scale_N), [0]);
  // In codes of scale · b: where b's own step is so much wider.
  const { codes } = quantizeSymmetric(b_NB, div(most, scale_N), true);
  return productInt8(flipped({ ...a, scale: scalar(1) }), { codes, scale: scale(most, 1 / MOST) });
}

/** xᵀ g, [I, O]. */
function weightGradientByInputs(x_NI: Tensor, g_NO: Tensor): Tensor {
  const of = parts(g_NO).map((part) => quantizeSymmetric(part, reduceMax(magnitude(part, true), [0]), true));
  const scale_O = of.map(({ scale, codes }) => broadcastTo(scale, [codes.shape[1]!]));
  const g = {
    codes: concat(
      of.map(({ codes }) => codes),
      1,
    ),
    scale: of.length === 1 ? of[0]!.scale : concat(scale_O, 0),
  };
  return productInt8(flipped(quantizeRange(x_NI)), g);
}

/** Sums of columns, part by part, so that nobody needs them side by side. */
const columnSums = (g_NO: Tensor): Tensor =>
  concat(
    parts(g_NO).map((part) => reduceSum(part, [0])),
    0,
  );

export const linearOperators = {
  linear: {
    name: 'linear',
    infer: ([x, w, b], attributes) => {
      const { transB } = attributesOf({ attributes });
      const [inputs, outputs] = transB ? [w!.shape[1], w!.shape[0]] : [w!.shape[0], w!.shape[1]];
      const flat = x!.shape.length === 2 && w!.shape.length === 2;
      if (!flat || x!.shape[1] !== inputs || (b && formatShape(b.shape) !== `[${outputs}]`))
        throw new Error(
          `linear: shapes ${[x, w, b].flatMap((t) => (t ? [formatShape(t.shape)] : [])).join(', ')} do not fit together`,
        );
      return [{ shape: [x!.shape[0]!, outputs!], dtype: 'float32' }];
    },
    gradient: (node, [g]): Tensor[] => {
      const [x, w, b] = node.inputs as [Tensor, Tensor, Tensor?];
      const dx = apply1(linearOperators.linearInputGradient, [g!, w], node.attributes);
      const dw = apply1(linearOperators.linearWeightGradient, [x, g!], node.attributes);
      return b ? [dx, dw, apply1(linearOperators.columnSums, [g!])] : [dx, dw];
    },
    decompose: (node, target) => {
      const [x, w, b] = node.inputs as [Tensor, Tensor, Tensor?];
      const attributes = attributesOf(node);
      const { transB } = attributes;
      return [fitsInt8(target, x.shape[1]!) ? forward(x, w, b, attributes) : gemm(x, w, b, { transB })];
    },
  },
  linearInputGradient: {
    name: 'linearInputGradient',
    infer: ([g, w], attributes) => [
      { shape: [g!.shape[0]!, w!.shape[attributesOf({ attributes }).transB ? 1 : 0]!], dtype: 'float32' },
    ],
    decompose: (node, target) => {
      const [g, w] = node.inputs as [Tensor, Tensor];
      const { transB } = attributesOf(node);
      return [fitsInt8(target, g.shape[1]!) ? inputGradient(g, w, transB) : gemm(g, w, undefined, { transB: !transB })];
    },
  },
  linearWeightGradient: {
    name: 'linearWeightGradient',
    infer: ([x, g], attributes) => {
      const [I, O] = [x!.shape[1]!, g!.shape[1]!];
      return [{ shape: attributesOf({ attributes }).transB ? [O, I] : [I, O], dtype: 'float32' }];
    },
    decompose: (node, target) => {
      const [x, g] = node.inputs as [Tensor, Tensor];
      const attributes = attributesOf(node);
      const { transB } = attributes;
      if (fitsInt8(target, x.shape[0]!)) return [weightGradient(x, g, attributes)];
      return [transB ? gemm(g, x, undefined, { transA: true }) : gemm(x, g, undefined, { transA: true })];
    },
  },
  columnSums: {
    name: 'columnSums',
    infer: ([g]) => [{ shape: [g!.shape[1]!], dtype: 'float32' }],
    decompose: (node) => [columnSums(node.inputs[0]!)],
  },
} satisfies Record<string, Operator>;

/**
 * A linear layer x w + b whose products, and those of its gradients, are in 8 bits where the target has such; each comes
 * with an error of some percent of its size.
 *
 * @param x_NI [N, I]
 * @param w [I, O], or [O, I] with `transB`
 * @param b [O]
 * @returns [N, O]
 */
export function linear(x_NI: Tensor, w: Tensor, b?: Tensor, { transB = false } = {}): Tensor {
  // A product of activations, such as a gate's and its values, has far larger outliers than either.
  const rowScales = x_NI.node.operator === elementwise.mul;
  return apply1(linearOperators.linear, b ? [x_NI, w, b] : [x_NI, w], { transB, rowScales });
}
