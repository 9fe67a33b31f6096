import { type Tensor, topologicalOrder } from './tensor.js';

/** The graph inputs that some tensors depend on, by their names. */
export function reachedInputs(outputs: readonly Tensor[]): Map<string, Tensor> {
  const nodes = topologicalOrder(outputs).filter(({ operator }) => operator.name === 'input');
  return new Map(nodes.map((node) => [node.attributes.name as string, node.outputs[0]!]));
}
