import { apply, formatShape, type Node, type Operator, type Shape, type Target, type Tensor } from '../tensor.js';
import { add, div, mul, shift, sqrt, sub } from './elementwise.js';
import { reduceMean, reduceSum } from './reduction.js';
import { float32 } from './rules.js';
import { scalar } from './source.js';

const statistics = (x: Tensor): Shape => x.shape.with(-1, 1);

function expectVector(name: string, x: Tensor, ...vectors: Tensor[]): void {
  for (const vector of vectors) {
    if (formatShape(float32(name, vector).shape) !== `[${x.shape.at(-1)}]`) {
      throw new Error(`${name}: expected a vector [${x.shape.at(-1)}], got ${formatShape(vector.shape)}`);
    }
  }
}

/** Sums over every axis but the last. */
function sumRows(x: Tensor): Tensor {
  return reduceSum(
    x,
    Array.from({ length: x.shape.length - 1 }, (_, axis) => axis),
  );
}

const float = (node: Node) => ({ float: node.attributes.epsilon as number });

function decomposeLayerNorm(node: Node, _target: Target): Tensor[] {
  const [x, weight, bias] = node.inputs as [Tensor, Tensor, Tensor];
  const mean = reduceMean(x, [-1], true);
  const centred = sub(x, mean);
  const deviation = sqrt(shift(reduceMean(mul(centred, centred), [-1], true), node.attributes.epsilon as number));
  const inverse = div(scalar(1), deviation);
  return [add(mul(mul(centred, inverse), weight), bias), mean, inverse];
}

function decomposeRmsNorm(node: Node, _target: Target): Tensor[] {
  const [x, weight] = node.inputs as [Tensor, Tensor];
  const root = sqrt(shift(reduceMean(mul(x, x), [-1], true), node.attributes.epsilon as number));
  const inverse = div(scalar(1), root);
  return [mul(mul(x, inverse), weight), inverse];
}

export const normalization = {
  /** Outputs: the normalised value, and per row the mean and the inverse standard deviation for the gradient. */
  layerNorm: {
    name: 'layerNorm',
    infer: ([x, weight, bias]) => {
      expectVector('layerNorm', x!, weight!, bias!);
      const row = { shape: statistics(x!), dtype: 'float32' as const };
      return [{ shape: x!.shape, dtype: 'float32' }, row, row];
    },
    // With n = (x − mean) / σ and g the gradient times the weight: dx = (g − mean(g) − n mean(g n)) / σ
    gradient: (node, [gy]) => {
      const [x, weight] = node.inputs as [Tensor, Tensor];
      const [, mean, inverse] = node.outputs as [Tensor, Tensor, Tensor];
      const n = mul(sub(x, mean), inverse);
      const g = mul(gy!, weight);
      const along = mul(n, reduceMean(mul(g, n), [-1], true));
      const dx = mul(sub(sub(g, reduceMean(g, [-1], true)), along), inverse);
      return [dx, sumRows(mul(gy!, n)), sumRows(gy!)];
    },
    lower: {
      cpu: (e, node, inputs) =>
        e.emit('LayerNormalization', inputs, { axis: -1, epsilon: float(node) }, { outputs: 3 }),
      portable: (e, node, inputs) => e.emit('LayerNormalization', inputs, { axis: -1, epsilon: float(node) }),
    },
    decompose: decomposeLayerNorm,
  },
  /** Outputs: the normalised value, and per row the inverse root mean square for the gradient. */
  rmsNorm: {
    name: 'rmsNorm',
    infer: ([x, weight]) => {
      expectVector('rmsNorm', x!, weight!);
      return [
        { shape: x!.shape, dtype: 'float32' },
        { shape: statistics(x!), dtype: 'float32' },
      ];
    },
    // With n = x / rms: dx = (g − n mean(g n)) / rms
    gradient: (node, [gy]) => {
      const [x, weight] = node.inputs as [Tensor, Tensor];
      const inverse = node.outputs[1]!;
      const n = mul(x, inverse);
      const g = mul(gy!, weight);
      const along = mul(n, reduceMean(mul(g, n), [-1], true));
      return [mul(sub(g, along), inverse), sumRows(mul(gy!, n))];
    },
    lower: {
      cpu: (e, node, inputs) =>
        e.emit('SimplifiedLayerNormalization', inputs, { axis: -1, epsilon: float(node) }, { outputs: 2 }),
      portable: (e, node, inputs) => e.emit('SimplifiedLayerNormalization', inputs, { axis: -1, epsilon: float(node) }),
    },
    decompose: decomposeRmsNorm,
  },
} satisfies Record<string, Operator>;

/** Normalises rows of `x` [..., C] to mean 0 and variance 1, then weight ∘ x + bias, each [C] (arXiv 1607.06450). */
export const layerNorm = (x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor =>
  apply(normalization.layerNorm, [x, weight, bias], { epsilon })[0]!;

/** Divides rows of `x` [..., C] by their root mean square, then times weight [C] (arXiv 1910.07467). */
export const rmsNorm = (x: Tensor, weight: Tensor, epsilon: number): Tensor =>
  apply(normalization.rmsNorm, [x, weight], { epsilon })[0]!;
