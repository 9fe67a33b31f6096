import { add } from './operators/elementwise.js';
import { scalar } from './operators/source.js';
import { formatShape, type Node, type Tensor, topologicalOrder } from './tensor.js';

/**
 * Reverse-mode differentiation: traces the gradient of a scalar with respect to each tensor of `wrt`.
 *
 * @param loss a float32 tensor of no axes
 * @returns one tensor for each of `wrt`, in its shape
 * @throws Error when `loss` does not depend on one of them, or an operator on the way has no gradient
 *
 * @example
 * const x = input('x', [3]);
 * const [dx] = gradients(reduceSum(mul(x, x), [0]), [x]); // 2x
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (loss.shape.length !== 0) throw new Error(`gradients: expected a scalar loss, got ${formatShape(loss.shape)}`);
  const order = topologicalOrder([loss]);
  const reaches = new Set<Node>(wrt.map((tensor) => tensor.node));
  for (const node of order) if (node.inputs.some((tensor) => reaches.has(tensor.node))) reaches.add(node);

  const total = new Map<Tensor, Tensor>([[loss, scalar(1)]]);
  for (const node of order.reverse()) {
    if (!reaches.has(node) || node.inputs.length === 0) continue;
    const outputs = node.outputs.map((tensor) => total.get(tensor));
    if (outputs.every((gradient) => gradient === undefined)) continue;
    if (!node.operator.gradient) throw new Error(`gradients: ${node.operator.name} has no gradient`);
    node.operator.gradient(node, outputs).forEach((gradient, i) => {
      const tensor = node.inputs[i]!;
      if (!gradient || !reaches.has(tensor.node)) return;
      const sum = total.get(tensor);
      total.set(tensor, sum ? add(sum, gradient) : gradient);
    });
  }
  return wrt.map((tensor) => {
    const gradient = total.get(tensor);
    if (!gradient) throw new Error('gradients: the loss does not depend on one of the tensors asked for');
    return gradient;
  });
}
