/*
 * Shape suffixes: N tokens = T positions × B sequences, time-major; C width.
 */
import {
  add,
  broadcastTo,
  concat,
  counting,
  div,
  mul,
  reduceMax,
  reduceSum,
  reshape,
  scalar,
  scale,
  shift,
  split,
  sqrt,
  sub,
  type Tensor,
} from '../graph/index.js';
import type { HeadInputs } from './architecture.js';
import type { Pooling } from './family-names.js';

/**
 * Texts' vectors, [B, C], of their tokens' hidden states; what fills texts up takes no part.
 *
 * @param x_NC [N, C], time-major
 */
export const poolings: Readonly<Record<Pooling, (x_NC: Tensor, inputs: HeadInputs) => Tensor>> = {
  cls: (x_NC, { batch: B }) => {
    const N = x_NC.shape[0]!;
    return N === B ? x_NC : split(x_NC, 0, [B, N - B])[0]!;
  },
  mean: (x_NC, inputs) => {
    const { x_TBC, own_TB1 } = byText(x_NC, inputs);
    return div(reduceSum(mul(x_TBC, own_TB1), [0]), reduceSum(own_TB1, [0]));
  },
  max: (x_NC, inputs) => {
    const { x_TBC, own_TB1 } = byText(x_NC, inputs);
    return reduceMax(add(x_TBC, scale(shift(own_TB1, -1), FAR)), [0]);
  },
  mean_sqrt_len_tokens: (x_NC, inputs) => {
    const { x_TBC, own_TB1 } = byText(x_NC, inputs);
    return div(reduceSum(mul(x_TBC, own_TB1), [0]), sqrt(reduceSum(own_TB1, [0])));
  },
  // A token weighs as much as its place, counted from 1 (SGPT, arXiv 2202.08904 §3.1).
  weightedmean: (x_NC, inputs) => {
    const { x_TBC, own_TB1, T } = byText(x_NC, inputs);
    const places_T11 = reshape(shift(counting(T), 1), [T, 1, 1]);
    const weights_TB1 = mul(own_TB1, places_T11);
    return div(reduceSum(mul(x_TBC, weights_TB1), [0]), reduceSum(weights_TB1, [0]));
  },
  lasttoken: (x_NC, inputs) => {
    const { x_TBC, own_TB1, T, B } = byText(x_NC, inputs);
    // The last is the one that no own token follows.
    const none_1B1 = broadcastTo(scalar(0), [1, B, 1]);
    const next_TB1 = T === 1 ? none_1B1 : concat([split(own_TB1, 0, [1, T - 1])[1]!, none_1B1], 0);
    return reduceSum(mul(x_TBC, sub(own_TB1, next_TB1)), [0]);
  },
};

/** Far below every hidden state. */
const FAR = 1e9;

function byText(x_NC: Tensor, { batch: B, own_N }: HeadInputs) {
  const [N, C] = x_NC.shape as [number, number];
  const T = N / B;
  const own_TB1 = own_N ? reshape(own_N, [T, B, 1]) : broadcastTo(scalar(1), [T, B, 1]);
  return { x_TBC: reshape(x_NC, [T, B, C]), own_TB1, T, B };
}
