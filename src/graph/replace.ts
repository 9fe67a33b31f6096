import { apply, type Node, type Tensor, topologicalOrder } from './tensor.js';

/**
 * The same graph with some nodes replaced.
 *
 * @param replacement what stands for a node's outputs, given its operands as they are by then; undefined where it stays
 * @returns the tensors that stand for `outputs`
 */
export function replaceNodes(
  outputs: readonly Tensor[],
  replacement: (node: Node, inputs: readonly Tensor[]) => readonly Tensor[] | undefined,
): Tensor[] {
  const map = new Map<Tensor, Tensor>();
  for (const node of topologicalOrder(outputs)) {
    const inputs = node.inputs.map((tensor) => map.get(tensor)!);
    const same = inputs.every((tensor, i) => tensor === node.inputs[i]);
    const results = replacement(node, inputs) ?? (same ? node.outputs : apply(node.operator, inputs, node.attributes));
    node.outputs.forEach((tensor, i) => {
      map.set(tensor, results[i]!);
    });
  }
  return outputs.map((tensor) => map.get(tensor)!);
}
