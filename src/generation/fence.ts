import { operators } from '../graph/index.js';
import { apply, apply1, type Node, type Operator, type Tensor, topologicalOrder } from '../graph/tensor.js';

/** Passes its operand on and lets no rewriting see through; leaves no node in the ONNX graph. */
const fenceOperator: Operator = {
  name: 'fence',
  infer: ([x]) => [x!],
  lower: { onnx: (_emitter, _node, [x]) => [x!] },
};

/** The same value, which {@link simplify} does not merge with its neighbours. */
export const fence = (x: Tensor): Tensor => apply1(fenceOperator, [x]);

/**
 * The same outputs with a fence around each product of one row with a matrix. Simplification folds factors into a
 * product's `alpha`, which is free for many rows; for one row it would be dear, because ONNX Runtime's
 * matrix-vector kernel takes `alpha` 1 only, and the general one packs the matrix first (measured on GPT-2's hidden
 * layer: 7 instead of 17 GB/s).
 */
export function fenceRows(outputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const map = new Map<Tensor, Tensor>();
  for (const node of topologicalOrder(Object.values(outputs))) {
    rebuild(node, map).forEach((tensor, i) => {
      map.set(node.outputs[i]!, tensor);
    });
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, map.get(tensor)!]));
}

function rebuild(node: Node, map: ReadonlyMap<Tensor, Tensor>): readonly Tensor[] {
  const inputs = node.inputs.map((tensor) => map.get(tensor)!);
  if (node.operator === operators.gemm && node.outputs[0]!.shape[0] === 1) {
    const [row, ...others] = inputs as [Tensor, ...Tensor[]];
    return [fence(apply1(node.operator, [fence(row), ...others], node.attributes))];
  }
  const same = inputs.every((tensor, i) => tensor === node.inputs[i]);
  return same ? node.outputs : apply(node.operator, inputs, node.attributes);
}
