import { apply, apply1, type Operator, type Tensor } from '../tensor.js';
import { add, addAll, div, exp, log, mul, scale, shift, sub } from './elementwise.js';
import { magnitude, nothing, productInt8, quantizePositive, quantizeSymmetric } from './int8.js';
import { fitsInt8, linear, weightCodes } from './linear.js';
import { column, gather, pick, scatterAdd } from './lookup.js';
import { chunkSizes, loss } from './loss.js';
import { reduceMax, reduceSum } from './reduction.js';
import { concat, reshape, split, transpose } from './shaping.js';
import { scalar } from './source.js';

/*
 * The head's cross-entropy with its three products in 8 bits. Backward, they are of probabilities, most of which are far
 * below the step of their row's codes: rounded to nearest they are 0, and a model no longer learns what does not follow
 * (its loss ends by a percent higher). So they are rounded up or down by chance, which is right in the mean.
 * Shape suffixes: N tokens, in chunks; C width, V vocabulary.
 */

/** Gives numbers between −½ and ½, each as likely as another, [rows, columns]; others at each call and each run. */
export type NoiseSource = (rows: number, columns: number) => Tensor;

/** Codes of a row's likeliest token. */
const MOST = 255;
/** Scores of a chunk that fit in the caches of a core and its neighbours, */
const CHUNK_ELEMENTS = 2 ** 20;
/** and rows from which on a product no longer spends its time on laying out the weights. */
const CHUNK_ROWS = 128;
/** Random numbers in use at once; rows of a chunk beyond share them. */
const NOISE_ELEMENTS = 2 ** 22;

interface HeadInputs {
  readonly x_NC: Tensor;
  readonly w_VC: Tensor;
  readonly targets_N: Tensor;
  readonly weights_N: Tensor | undefined;
  /** Of {@link NoiseSource}, for the rounding of the hidden states, [N, C], and of probabilities chunk by chunk. */
  readonly noise_NC: Tensor;
  readonly noise: readonly Tensor[];
}

function inputsOf(inputs: readonly Tensor[], weighted: boolean): HeadInputs {
  const [x_NC, w_VC, targets_N, noise_NC, ...rest] = inputs as [Tensor, Tensor, Tensor, Tensor, ...Tensor[]];
  const weights_N = weighted ? rest.shift() : undefined;
  return { x_NC, w_VC, targets_N, noise_NC, weights_N, noise: rest };
}

/** Sizes of chunks of tokens, as equal as can be. */
function chunksOf(tokens: number, vocabulary: number): number[] {
  const most = Math.max(CHUNK_ROWS, Math.floor(CHUNK_ELEMENTS / vocabulary));
  return chunkSizes(tokens, Math.ceil(tokens / Math.ceil(tokens / most)));
}

/** Rows of random numbers for a chunk: a divisor of its rows. */
function noiseRows(rows: number, vocabulary: number): number {
  let groups = 1;
  while (rows % groups !== 0 || (rows / groups > 1 && (rows / groups) * vocabulary > NOISE_ELEMENTS)) groups++;
  return rows / groups;
}

/** Of each chunk: scores less what makes their largest {@link MOST}' logarithm, and that; exponentials and their sums. */
function exponentials({ x_NC, w_VC }: HeadInputs) {
  return split(x_NC, 0, chunksOf(x_NC.shape[0]!, w_VC.shape[0]!)).map((x) => {
    const scores_NV = linear(x, w_VC, undefined, { transB: true });
    const base_N1 = shift(reduceMax(scores_NV, [1], true), -Math.log(MOST));
    const exponentials_NV = exp(sub(scores_NV, base_N1));
    return { scores_NV, base_N1, exponentials_NV, sums_N1: reduceSum(exponentials_NV, [1], true) };
  });
}

function meanLoss(inputs: HeadInputs): Tensor {
  const { x_NC, targets_N, weights_N } = inputs;
  const chunks = exponentials(inputs);
  const sizes = chunks.map(({ scores_NV }) => scores_NV.shape[0]!);
  const ids = split(targets_N, 0, sizes);
  const weights = weights_N && split(weights_N, 0, sizes);
  const costs = chunks.map(({ scores_NV, base_N1, sums_N1 }, i) => {
    const costs_N1 = sub(add(log(sums_N1), base_N1), column(pick(scores_NV, ids[i]!)));
    return reduceSum(weights ? mul(costs_N1, column(weights[i]!)) : costs_N1, [0, 1]);
  });
  return reshape(scale(addAll(costs), 1 / x_NC.shape[0]!), []);
}

/** The gradients of {@link meanLoss} by hidden states and weights, times g. */
function headGradients(g: Tensor, inputs: HeadInputs): Tensor[] {
  const { x_NC, w_VC, targets_N, weights_N, noise_NC, noise } = inputs;
  const each = scale(g, 1 / x_NC.shape[0]!);
  const factor = weights_N ? mul(column(weights_N), each) : each;
  const chunks = exponentials(inputs).map(({ exponentials_NV, sums_N1 }, i) => {
    const [rows, vocabulary] = exponentials_NV.shape as [number, number];
    const numbers = noise[i]!;
    const groups = reshape(exponentials_NV, [rows / numbers.shape[0]!, ...numbers.shape]);
    const noisy_NV = reshape(add(groups, numbers), [rows, vocabulary]);
    return { codes_NV: quantizePositive(noisy_NV, 1), share_N1: div(factor, sums_N1) };
  });
  const join = (tensors: readonly Tensor[]) => concat(tensors, 0);
  const codes_NV = join(chunks.map(({ codes_NV }) => codes_NV));
  // Of a row's codes to its probabilities, and to its part in the mean.
  const share_N1 = join(chunks.map(({ share_N1 }) => share_N1));
  const probabilities = { codes: codes_NV, scale: scalar(1), zero: nothing() };
  const dx_NC = sub(mul(productInt8(probabilities, weightCodes(w_VC)), share_N1), mul(gather(w_VC, targets_N), factor));
  // Rows differ in their shares by orders of magnitude, so that these are rounded by chance too.
  const shared_NC = mul(x_NC, share_N1);
  const most = magnitude(shared_NC);
  const x = quantizeSymmetric(add(shared_NC, mul(noise_NC, scale(most, 1 / 127))), most, true);
  const dw_VC = productInt8({ ...probabilities, codes: transpose(codes_NV, [1, 0]) }, x);
  return [dx_NC, scatterAdd(dw_VC, targets_N, scale(mul(x_NC, factor), -1))];
}

/** What the float32 operator of the same loss is given. */
const plainInputs = ({ x_NC, w_VC, targets_N, weights_N }: HeadInputs): Tensor[] => [
  ...[x_NC, w_VC, targets_N],
  ...(weights_N ? [weights_N] : []),
];

const plainAttributes = ({ x_NC, w_VC }: HeadInputs) => ({ chunk: chunksOf(x_NC.shape[0]!, w_VC.shape[0]!)[0]! });

export const int8Head = {
  linearCrossEntropyInt8: {
    name: 'linearCrossEntropyInt8',
    infer: (inputs, { weighted }) => loss.linearCrossEntropy.infer(plainInputs(inputsOf(inputs, weighted as boolean))),
    gradient: (node, [g]) => {
      const found = apply(int8Head.linearCrossEntropyInt8Gradient, [g!, ...node.inputs], node.attributes);
      return node.inputs.map((_, i) => found[i]);
    },
    decompose: ({ inputs, attributes }, target) => {
      const of = inputsOf(inputs, attributes.weighted as boolean);
      if (fitsInt8(target, of.x_NC.shape[1]!)) return [meanLoss(of)];
      return [apply1(loss.linearCrossEntropy, plainInputs(of), plainAttributes(of))];
    },
  },
  linearCrossEntropyInt8Gradient: {
    name: 'linearCrossEntropyInt8Gradient',
    infer: ([, x, w]) => [x!, w!].map(({ shape }) => ({ shape, dtype: 'float32' })),
    decompose: (node, target) => {
      const [g, ...inputs] = node.inputs as [Tensor, ...Tensor[]];
      const of = inputsOf(inputs, node.attributes.weighted as boolean);
      if (fitsInt8(target, ...of.x_NC.shape, ...of.w_VC.shape)) return headGradients(g, of);
      const plain = apply1(loss.linearCrossEntropy, plainInputs(of), plainAttributes(of)).node;
      return loss.linearCrossEntropy.gradient(plain, [g]).slice(0, 2) as Tensor[];
    },
  },
} satisfies Record<string, Operator>;

/**
 * The mean cross-entropy of a linear head without bias, as `linearCrossEntropy` has it, with products in 8 bits.
 *
 * @param x_NC [N, C] the last hidden state
 * @param w_VC [V, C] the head's weight
 * @param targets_N [N] int64
 * @param weights what each row's cost is multiplied by, [N]
 */
export function linearCrossEntropyInt8(
  x_NC: Tensor,
  w_VC: Tensor,
  targets_N: Tensor,
  noise: NoiseSource,
  weights?: Tensor,
): Tensor {
  const [N, C] = x_NC.shape as [number, number];
  const V = w_VC.shape[0]!;
  const numbers = chunksOf(N, V).map((rows) => noise(noiseRows(rows, V), V));
  const operands = [x_NC, w_VC, targets_N, noise(N, C), ...(weights ? [weights] : []), ...numbers];
  return apply1(int8Head.linearCrossEntropyInt8, operands, { weighted: weights !== undefined });
}
