import { apply1, type Operator, type Tensor } from '../tensor.js';
import { abs, maximum, minimum } from './comparison.js';
import { add, erf, exp, log, mul, scale, shift, sigmoid, sub, tanh } from './elementwise.js';
import { float32 } from './rules.js';
import { scalar } from './source.js';

/*
 * gelu(x) = x σ(a x + b x³), a = 2√(2/π), b = 0.044715 a: the tanh form of GPT-2, since ½(1 + tanh u) = σ(2u).
 * With X = k x and k = b^(1/3) the cubic loses a coefficient: X (X² + r), r = a/k; so gelu(x) = X σ(X (X² + r)) / k.
 * Both outer factors vanish into the neighbouring matrix products, and each pass over the widest activation that is
 * saved counts: ONNX Runtime's CPU provider runs such passes one by one, at the price of some 14 multiply-adds each.
 */
const a = 2 * Math.sqrt(2 / Math.PI);
const k = Math.cbrt(0.044715 * a);
const r = a / k;

function geluParts(x: Tensor) {
  const X = scale(x, k);
  const X2 = mul(X, X);
  const s = sigmoid(mul(shift(X2, r), X));
  return { X, X2, s, Y: mul(X, s) };
}

/** Φ(x), the distribution of the normal law. */
const normalBelow = (x: Tensor): Tensor => scale(shift(erf(scale(x, Math.SQRT1_2)), 1), 0.5);

const infer: Operator['infer'] = ([x]) => [{ shape: float32('activation', x!).shape, dtype: 'float32' }];

export const activation = {
  gelu: {
    name: 'gelu',
    infer,
    // d/dX X s(u) = s + X s (1 − s) (3X² + r) = 3 s (1/3 + (X − Y) (X² + r/3))
    gradient: (node, [g]) => {
      const { X, X2, s, Y } = geluParts(node.inputs[0]!);
      const slope = mul(shift(mul(sub(X, Y), shift(X2, r / 3)), 1 / 3), s);
      return [scale(mul(slope, g!), 3)];
    },
    decompose: (node) => [scale(geluParts(node.inputs[0]!).Y, 1 / k)],
  },
  geluErf: {
    name: 'geluErf',
    infer,
    // d/dx x Φ(x) = Φ(x) + x φ(x), φ(x) = exp(−x²/2) / √(2π)
    gradient: (node, [g]) => {
      const x = node.inputs[0]!;
      const density = scale(exp(scale(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return [mul(add(normalBelow(x), mul(x, density)), g!)];
    },
    decompose: (node) => [mul(node.inputs[0]!, normalBelow(node.inputs[0]!))],
  },
  silu: {
    name: 'silu',
    infer,
    // d/dx x s = s + x s (1 − s) = s (1 + (x − y))
    gradient: (node, [g]) => {
      const x = node.inputs[0]!;
      const s = sigmoid(x);
      return [mul(mul(shift(sub(x, mul(x, s)), 1), s), g!)];
    },
    decompose: (node) => [mul(node.inputs[0]!, sigmoid(node.inputs[0]!))],
  },
  softplus: {
    name: 'softplus',
    infer,
    gradient: (node, [g]) => [mul(sigmoid(node.inputs[0]!), g!)],
    // log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|), which neither overflows nor loses what is small.
    decompose: (node) => {
      const x = node.inputs[0]!;
      return [add(maximum(x, scalar(0)), log(shift(exp(scale(abs(x), -1)), 1)))];
    },
  },
  relu: {
    name: 'relu',
    infer,
    // 1 above 0, 0 elsewhere: x times the largest float, cut to what lies between.
    gradient: (node, [g]) => [mul(minimum(maximum(scale(node.inputs[0]!, 3e38), scalar(0)), scalar(1)), g!)],
    decompose: (node) => [maximum(node.inputs[0]!, scalar(0))],
  },
} satisfies Record<string, Operator>;

/** max(x, 0); its slope at 0 is 0, as PyTorch has it. */
export const relu = (x: Tensor): Tensor => apply1(activation.relu, [x]);

/** log(1 + eˣ), which is −log σ(−x). */
export const softplus = (x: Tensor): Tensor => apply1(activation.softplus, [x]);

/** GELU in the tanh form that GPT-2 uses (`gelu_new`; Hendrycks and Gimpel, arXiv 1606.08415). */
export const gelu = (x: Tensor): Tensor => apply1(activation.gelu, [x]);

/** GELU by its definition, x Φ(x), that BERT uses (`gelu`; Hendrycks and Gimpel, arXiv 1606.08415). */
export const geluErf = (x: Tensor): Tensor => apply1(activation.geluErf, [x]);

/** x σ(x), also called swish (arXiv 1702.03118). */
export const silu = (x: Tensor): Tensor => apply1(activation.silu, [x]);

/** Bends values x to `cap` · tanh(x / cap), which stays below the cap (Gemma 2, arXiv 2408.00118). */
export const softcap = (x: Tensor, cap: number): Tensor => scale(tanh(scale(x, 1 / cap)), cap);
