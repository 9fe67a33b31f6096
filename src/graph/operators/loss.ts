import { apply1, formatShape, type Operator, type Tensor } from '../tensor.js';
import { add, addAll, log, mul, scale, sub } from './elementwise.js';
import { column, pick, place } from './lookup.js';
import { gemm } from './product.js';
import { reduceMax, reduceSum, softmax } from './reduction.js';
import { broadcastTo, concat, reshape, split } from './shaping.js';
import { scalar } from './source.js';

/*
 * Shape suffixes: N tokens, C width, V vocabulary.
 * Logits exist for one chunk of tokens at a time; the gradient traces the same products, which are computed once.
 */
function chunksOf(x_NC: Tensor, targets_N: Tensor, chunk: number): { x: Tensor; ids: Tensor }[] {
  const sizes: number[] = [];
  for (let left = x_NC.shape[0]!; left > 0; left -= chunk) sizes.push(Math.min(chunk, left));
  const ids = split(targets_N, 0, sizes);
  return split(x_NC, 0, sizes).map((x, i) => ({ x, ids: ids[i]! }));
}

const logitsOf = (x_NC: Tensor, w_VC: Tensor): Tensor => gemm(x_NC, w_VC, undefined, { transB: true });

export const loss = {
  linearCrossEntropy: {
    name: 'linearCrossEntropy',
    infer: ([x, w, ids]) => {
      if (x!.shape[1] !== w!.shape[1] || x!.shape[0] !== ids!.shape[0] || ids!.dtype !== 'int64') {
        throw new Error(
          `linearCrossEntropy: expected [N, C], [V, C] and int64 [N], got ` +
            `${[x, w, ids].map((t) => formatShape(t!.shape)).join(', ')}`,
        );
      }
      return [{ shape: [], dtype: 'float32' }];
    },
    gradient: (node, [g]) => {
      const [x_NC, w_VC, targets_N] = node.inputs as [Tensor, Tensor, Tensor];
      const factor = (y: Tensor) => scale(mul(y, g!), 1 / x_NC.shape[0]!);
      const dx: Tensor[] = [];
      let dw: Tensor | undefined;
      for (const { x, ids } of chunksOf(x_NC, targets_N, node.attributes.chunk as number)) {
        const minusOne = broadcastTo(scalar(-1), ids.shape);
        const d_NV = place(softmax(logitsOf(x, w_VC)), ids, minusOne);
        dx.push(gemm(d_NV, w_VC));
        const part = gemm(d_NV, x, undefined, { transA: true });
        dw = dw ? add(dw, part) : part;
      }
      return [factor(concat(dx, 0)), factor(dw!), undefined];
    },
    // log Σ exp z = max z − log max softmax(z): one pass less than from its definition, and as well conditioned, since
    // the largest probability is at least 1/V.
    decompose: (node) => {
      const [x_NC, w_VC, targets_N] = node.inputs as [Tensor, Tensor, Tensor];
      const parts = chunksOf(x_NC, targets_N, node.attributes.chunk as number).map(({ x, ids }) => {
        const logits = logitsOf(x, w_VC);
        const lse_N1 = sub(reduceMax(logits, [1], true), log(reduceMax(softmax(logits), [1], true)));
        return reduceSum(sub(lse_N1, column(pick(logits, ids))), [0, 1]);
      });
      return [reshape(scale(addAll(parts), 1 / x_NC.shape[0]!), [])];
    },
  },
} satisfies Record<string, Operator>;

/** Logits of a chunk stay below this many elements (64 MiB of float32) so that they never dominate memory. */
const CHUNK_ELEMENTS = 2 ** 24;

/**
 * The mean cross-entropy, in nats per token, of a linear head without bias: logits x wᵀ, in chunks of tokens.
 *
 * @param x_NC [N, C] the last hidden state
 * @param w_VC [V, C] the head's weight
 * @param targets_N [N] int64, the token that should come next
 * @param chunk tokens whose logits exist at once
 * @returns a scalar
 */
export function linearCrossEntropy(x_NC: Tensor, w_VC: Tensor, targets_N: Tensor, chunk?: number): Tensor {
  const tokens = x_NC.shape[0]!;
  const parts = Math.ceil((tokens * w_VC.shape[0]!) / CHUNK_ELEMENTS);
  return apply1(loss.linearCrossEntropy, [x_NC, w_VC, targets_N], { chunk: chunk ?? Math.ceil(tokens / parts) });
}
