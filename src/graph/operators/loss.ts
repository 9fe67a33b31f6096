import { type Attributes, apply1, formatShape, type Operator, type Tensor } from '../tensor.js';
import { add, addAll, log, mul, scale, shift, sub, tanh } from './elementwise.js';
import { column, pick, place } from './lookup.js';
import { gemm } from './product.js';
import { reduceMax, reduceSum, softmax } from './reduction.js';
import { broadcastTo, concat, reshape, split } from './shaping.js';
import { scalar } from './source.js';

/** Logits of a chunk stay below this many elements (128 MiB of float32) so that they never dominate memory. */
export const CHUNK_ELEMENTS = 2 ** 25;

/**
 * Rows of each chunk, where there must be so many at least: equal ones where up to twice as many are, since a chunk lies in
 * the memory of one that is done with only where it is as large.
 */
export function chunkRows(rows: number, least: number): number {
  for (let parts = least; parts <= 2 * least; parts++) if (rows % parts === 0) return rows / parts;
  return Math.ceil(rows / least);
}

/** Sizes of chunks of `most` rows, the last perhaps smaller, that make `rows` together. */
export function chunkSizes(rows: number, most: number): number[] {
  return Array.from({ length: Math.ceil(rows / most) }, (_, i) => Math.min(most, rows - i * most));
}

/*
 * Shape suffixes: N tokens, C width, V vocabulary.
 * Logits exist for one chunk of tokens at a time; the gradient traces the same products, which are computed once.
 */
function chunksOf([x_NC, , targets_N, weights_N]: readonly Tensor[], { chunk }: Attributes) {
  const sizes = chunkSizes(x_NC!.shape[0]!, chunk as number);
  const ids = split(targets_N!, 0, sizes);
  const weights = weights_N && split(weights_N, 0, sizes);
  return split(x_NC!, 0, sizes).map((x, i) => ({ x, ids: ids[i]!, weights: weights && column(weights[i]!) }));
}

/**
 * log Σ exp z of each row, [N, 1], as max z − log max softmax(z): one pass less than from its definition, and as well
 * conditioned, since the largest probability is at least 1/V.
 */
export const logSumExp = (logits_NV: Tensor): Tensor =>
  sub(reduceMax(logits_NV, [1], true), log(reduceMax(softmax(logits_NV), [1], true)));

/** log Σ exp z − z[target] of each row, [N, 1]. */
export const costs = (logits_NV: Tensor, targets_N: Tensor): Tensor =>
  sub(logSumExp(logits_NV), column(pick(logits_NV, targets_N)));

/** Probabilities less 1 at each row's target: the gradient of its cost by its logits. */
export const lessOne = (p_NV: Tensor, targets_N: Tensor, ones_N = broadcastTo(scalar(-1), targets_N.shape)): Tensor =>
  place(p_NV, targets_N, ones_N);

/**
 * −1 for each row, [N], made of the rows' costs: so what is placed by them comes after the costs, and whoever orders the
 * graph ends a chunk's loss before its gradient. Finite costs change no bit.
 */
export const onesAfter = (costs_N1: Tensor): Tensor => shift(scale(reshape(costs_N1, [costs_N1.shape[0]!]), 0), -1);

/** Scores of a linear head, bent to a cap where there is one, and then their slope by what they were: [N, V] each. */
export function linearScores(x_NC: Tensor, w_VC: Tensor, softcap?: number): { scores: Tensor; slope?: Tensor } {
  const product = gemm(x_NC, w_VC, undefined, { transB: true });
  if (softcap === undefined) return { scores: product };
  const bent = tanh(scale(product, 1 / softcap));
  // d/dx c tanh(x / c) = 1 − tanh²(x / c)
  return { scores: scale(bent, softcap), slope: sub(scalar(1), mul(bent, bent)) };
}

export const loss = {
  crossEntropy: {
    name: 'crossEntropy',
    infer: ([logits, ids]) => {
      if (logits!.shape.length !== 2 || ids!.dtype !== 'int64' || formatShape(ids!.shape) !== `[${logits!.shape[0]}]`) {
        throw new Error(
          `crossEntropy: expected [N, V] and int64 [N], got ${formatShape(logits!.shape)} and ${ids!.dtype} ` +
            formatShape(ids!.shape),
        );
      }
      return [{ shape: ids!.shape, dtype: 'float32' }];
    },
    gradient: (node, [g_N]) => {
      const [logits_NV, targets_N] = node.inputs as [Tensor, Tensor];
      return [mul(lessOne(softmax(logits_NV), targets_N), column(g_N!)), undefined];
    },
    decompose: (node) => {
      const [logits_NV, targets_N] = node.inputs as [Tensor, Tensor];
      return [reshape(costs(logits_NV, targets_N), targets_N.shape)];
    },
  },
  linearCrossEntropy: {
    name: 'linearCrossEntropy',
    infer: (inputs) => {
      const [x, w, ids, weights] = inputs as [Tensor, Tensor, Tensor, Tensor?];
      const fits = weights === undefined || formatShape(weights.shape) === `[${x.shape[0]}]`;
      if (x.shape[1] !== w.shape[1] || x.shape[0] !== ids.shape[0] || ids.dtype !== 'int64' || !fits) {
        throw new Error(
          'linearCrossEntropy: expected [N, C], [V, C] and int64 [N], perhaps weights [N], got ' +
            inputs.map((t) => formatShape(t.shape)).join(', '),
        );
      }
      return [{ shape: [], dtype: 'float32' }];
    },
    gradient: (node, [g]) => {
      const [x_NC, w_VC] = node.inputs as [Tensor, Tensor];
      const factor = (y: Tensor) => scale(mul(y, g!), 1 / x_NC.shape[0]!);
      const dx: Tensor[] = [];
      let dw: Tensor | undefined;
      for (const { x, ids, weights } of chunksOf(node.inputs, node.attributes)) {
        const { scores, slope } = linearScores(x, w_VC, node.attributes.softcap as number | undefined);
        const capped_NV = lessOne(softmax(scores), ids, onesAfter(costs(scores, ids)));
        const plain_NV = slope ? mul(capped_NV, slope) : capped_NV;
        const d_NV = weights ? mul(plain_NV, weights) : plain_NV;
        dx.push(gemm(d_NV, w_VC));
        const part = gemm(d_NV, x, undefined, { transA: true });
        dw = dw ? add(dw, part) : part;
      }
      return [factor(concat(dx, 0)), factor(dw!), undefined, undefined].slice(0, node.inputs.length);
    },
    decompose: (node) => {
      const [x_NC, w_VC] = node.inputs as [Tensor, Tensor];
      const parts = chunksOf(node.inputs, node.attributes).map(({ x, ids, weights }) => {
        const { scores } = linearScores(x, w_VC, node.attributes.softcap as number | undefined);
        const costs_N1 = costs(scores, ids);
        return reduceSum(weights ? mul(costs_N1, weights) : costs_N1, [0, 1]);
      });
      return [reshape(scale(addAll(parts), 1 / x_NC.shape[0]!), [])];
    },
  },
} satisfies Record<string, Operator>;

/**
 * The cross-entropy of each row, in nats.
 *
 * @param logits_NV [N, V]
 * @param targets_N [N] int64
 * @returns [N]
 */
export const crossEntropy = (logits_NV: Tensor, targets_N: Tensor): Tensor =>
  apply1(loss.crossEntropy, [logits_NV, targets_N]);

/** What a linear head's cross-entropy may be given beside its inputs. */
export interface LinearCrossEntropyOptions {
  /** Tokens whose logits exist at once. Default: by the size of the vocabulary. */
  readonly chunk?: number | undefined;
  /** Logits x are bent to c tanh(x / c). Default: they stay as they are. */
  readonly softcap?: number | undefined;
  /** What each row's cost is multiplied by before the mean over all N, [N]; it has no gradient. Default: 1. */
  readonly weights?: Tensor | undefined;
}

/**
 * The mean cross-entropy, in nats per token, of a linear head without bias: logits x wᵀ, in chunks of tokens.
 *
 * @param x_NC [N, C] the last hidden state
 * @param w_VC [V, C] the head's weight
 * @param targets_N [N] int64, the token that should come next
 * @returns a scalar
 */
export function linearCrossEntropy(
  x_NC: Tensor,
  w_VC: Tensor,
  targets_N: Tensor,
  { chunk, softcap, weights }: LinearCrossEntropyOptions = {},
): Tensor {
  const tokens = x_NC.shape[0]!;
  const parts = Math.ceil((tokens * w_VC.shape[0]!) / CHUNK_ELEMENTS);
  return apply1(loss.linearCrossEntropy, [x_NC, w_VC, targets_N, ...(weights ? [weights] : [])], {
    chunk: chunk ?? chunkRows(tokens, parts),
    ...(softcap !== undefined && { softcap }),
  });
}
