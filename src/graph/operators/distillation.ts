import { type Attributes, apply1, formatShape, type Operator, type Tensor } from '../tensor.js';
import { add, addAll, mul, scale, sub } from './elementwise.js';
import { column } from './lookup.js';
import { CHUNK_ELEMENTS, chunkRows, chunkSizes, costs, lessOne, linearScores, logSumExp } from './loss.js';
import { gemm } from './product.js';
import { reduceSum, softmax } from './reduction.js';
import { broadcastTo, concat, reshape, split } from './shaping.js';
import { scalar } from './source.js';

/*
 * Shape suffixes: N tokens, n of a chunk; C width of the student, D of the teacher; V vocabulary of the student, U ≤ V of
 * the teacher.
 */

/** A score that leaves no probability at any temperature that is of use, and still is far from where float32 ends. */
const NEVER = -1e6;

/** What is computed of some tokens: both models' scores, and what belongs to them. */
interface Chunk {
  readonly x_nC: Tensor;
  readonly student_nV: Tensor;
  /** The derivative of those scores by what they were before they were bent, where they are. */
  readonly slope_nV: Tensor | undefined;
  /** At the temperature. */
  readonly teacher_nV: Tensor;
  readonly ids_n: Tensor;
  readonly weights_n1: Tensor | undefined;
}

function chunksOf(inputs: readonly Tensor[], attributes: Attributes): Chunk[] {
  const [x_NC, w_VC, targets_N, t_ND, u_UD, weights_N] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor?];
  const { chunk, softcap, teacherSoftcap, temperature } = attributes as Record<string, number>;
  const sizes = chunkSizes(x_NC.shape[0]!, chunk!);
  const [ids, taught] = [split(targets_N, 0, sizes), split(t_ND, 0, sizes)];
  const weights = weights_N && split(weights_N, 0, sizes);
  return split(x_NC, 0, sizes).map((x_nC, i) => {
    const { scores: student_nV, slope: slope_nV } = linearScores(x_nC, w_VC, softcap);
    const known_nU = scale(linearScores(taught[i]!, u_UD, teacherSoftcap).scores, 1 / temperature!);
    const unknown = w_VC.shape[0]! - u_UD.shape[0]!;
    const teacher_nV =
      unknown === 0 ? known_nU : concat([known_nU, broadcastTo(scalar(NEVER), [sizes[i]!, unknown])], 1);
    return { x_nC, student_nV, slope_nV, teacher_nV, ids_n: ids[i]!, weights_n1: weights && column(weights[i]!) };
  });
}

export const distillation = {
  linearDistillation: {
    name: 'linearDistillation',
    infer: (inputs) => {
      const [x, w, ids, t, u, weights] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor?];
      const rows = x.shape[0];
      const fits =
        [ids, t, ...(weights ? [weights] : [])].every((one) => one.shape[0] === rows) &&
        x.shape[1] === w.shape[1] &&
        t.shape[1] === u.shape[1] &&
        u.shape[0]! <= w.shape[0]!;
      if (!fits || ids.dtype !== 'int64') {
        throw new Error(
          'linearDistillation: expected [N, C], [V, C], int64 [N], [N, D] and [V or fewer, D], perhaps weights [N], got ' +
            inputs.map(({ shape }) => formatShape(shape)).join(', '),
        );
      }
      return [{ shape: [], dtype: 'float32' }];
    },
    gradient: (node, [g]) => {
      const [x_NC, w_VC] = node.inputs as [Tensor, Tensor];
      const { share, temperature } = node.attributes as Record<string, number>;
      const factor = (y: Tensor) => scale(mul(y, g!), 1 / x_NC.shape[0]!);
      const dx: Tensor[] = [];
      let dw: Tensor | undefined;
      for (const { x_nC, student_nV, slope_nV, teacher_nV, ids_n, weights_n1 } of chunksOf(
        node.inputs,
        node.attributes,
      )) {
        const told_nV = lessOne(softmax(student_nV), ids_n);
        const apart_nV = sub(softmax(scale(student_nV, 1 / temperature!)), softmax(teacher_nV));
        // d/ds T² KL(p‖softmax(s / T)) = T (softmax(s / T) − p)
        const scores_nV = add(scale(told_nV, 1 - share!), scale(apart_nV, share! * temperature!));
        const plain_nV = slope_nV ? mul(scores_nV, slope_nV) : scores_nV;
        const d_nV = weights_n1 ? mul(plain_nV, weights_n1) : plain_nV;
        dx.push(gemm(d_nV, w_VC));
        const part = gemm(d_nV, x_nC, undefined, { transA: true });
        dw = dw ? add(dw, part) : part;
      }
      // Nothing is learned by the teacher.
      return [factor(concat(dx, 0)), factor(dw!), ...node.inputs.slice(2).map(() => undefined)];
    },
    decompose: (node) => {
      const { share, temperature } = node.attributes as Record<string, number>;
      const parts = chunksOf(node.inputs, node.attributes).map(({ student_nV, teacher_nV, ids_n, weights_n1 }) => {
        const soft_nV = scale(student_nV, 1 / temperature!);
        // Σ p (log p − log q), with log p = z − log Σ exp z, and log q likewise.
        const apart_n1 = add(
          reduceSum(mul(softmax(teacher_nV), sub(teacher_nV, soft_nV)), [1], true),
          sub(logSumExp(soft_nV), logSumExp(teacher_nV)),
        );
        const costs_n1 = add(
          scale(costs(student_nV, ids_n), 1 - share!),
          scale(apart_n1, share! * temperature! * temperature!),
        );
        return reduceSum(weights_n1 ? mul(costs_n1, weights_n1) : costs_n1, [0, 1]);
      });
      return [reshape(scale(addAll(parts), 1 / node.inputs[0]!.shape[0]!), [])];
    },
  },
} satisfies Record<string, Operator>;

/** How much a teacher counts, and what both heads are given. */
export interface LinearDistillationOptions {
  /** w, the share of the teacher in the loss, from 0 to 1. */
  readonly share: number;
  /** T, by which both models' scores are divided where they are compared; above 0. */
  readonly temperature: number;
  /** Tokens whose logits exist at once. Default: by the size of the vocabulary. */
  readonly chunk?: number | undefined;
  /** The student's logits x are bent to c tanh(x / c). Default: they stay as they are. */
  readonly softcap?: number | undefined;
  /** The teacher's likewise. */
  readonly teacherSoftcap?: number | undefined;
  /** What each row's cost is multiplied by before the mean over all N, [N]; it has no gradient. Default: 1. */
  readonly weights?: Tensor | undefined;
}

/**
 * What a student of a teacher loses: the mean of (1 − w) times its cross-entropy, in nats per token, and w T² times the
 * divergence KL(p‖q) of its probabilities q from the teacher's p, both at temperature T (Hinton et al. 2015, arXiv
 * 1503.02531 §2). Both heads are linear, without bias, and their logits exist for a chunk of tokens at a time.
 *
 * @param x_NC [N, C] the student's last hidden state
 * @param w_VC [V, C] its head's weight
 * @param targets_N [N] int64, the token that should come next
 * @param t_ND [N, D] the teacher's last hidden state; no gradient reaches it
 * @param u_UD [U, D] its head's weight, U ≤ V: what it does not know has no probability; no gradient reaches it
 * @returns a scalar
 */
export function linearDistillation(
  x_NC: Tensor,
  w_VC: Tensor,
  targets_N: Tensor,
  t_ND: Tensor,
  u_UD: Tensor,
  { share, temperature, chunk, softcap, teacherSoftcap, weights }: LinearDistillationOptions,
): Tensor {
  const tokens = x_NC.shape[0]!;
  const parts = Math.ceil((2 * tokens * w_VC.shape[0]!) / CHUNK_ELEMENTS);
  const inputs = [x_NC, w_VC, targets_N, t_ND, u_UD, ...(weights ? [weights] : [])];
  return apply1(distillation.linearDistillation, inputs, {
    ...{ share, temperature, chunk: chunk ?? chunkRows(tokens, parts) },
    ...(softcap !== undefined && { softcap }),
    ...(teacherSoftcap !== undefined && { teacherSoftcap }),
  });
}
