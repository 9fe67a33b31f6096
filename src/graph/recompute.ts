import { dropout } from './operators/dropout.js';
import { elementwise } from './operators/elementwise.js';
import { normalization } from './operators/normalization.js';
import { product } from './operators/product.js';
import { quantization } from './operators/quantization.js';
import { reduction } from './operators/reduction.js';
import { shaping } from './operators/shaping.js';
import { source } from './operators/source.js';
import { apply, type Node, type Operator, sizeOf, type Tensor, topologicalOrder } from './tensor.js';

/** Operators whose repetition costs little beside the matrix products around them. */
const cheap = new Set<Operator>([
  elementwise.mul,
  elementwise.scale,
  elementwise.shift,
  elementwise.sigmoid,
  elementwise.erf,
  dropout.dropoutFactors,
  normalization.layerNorm,
  normalization.rmsNorm,
  // Weights that are stored in few bits, to be expanded where they are needed and nowhere else.
  quantization.dequantizeBlocks,
  quantization.widenBfloat16,
]);

/** Copies of parts of a value, or of several as one. */
const copies = new Set<Operator>([shaping.split, shaping.concat, shaping.broadcastTo, shaping.reshape]);

/** True when a node's outputs are better made again in the backward pass than kept from the forward pass. */
function isCheap(node: Node): boolean {
  const { operator, inputs, outputs } = node;
  if (cheap.has(operator) || copies.has(operator)) return true;
  // A sum of two activations would keep both to save one; a term such as a mask is there anyway.
  if (operator === elementwise.add) return inputs.some((tensor) => tensor.node.operator === source.constant);
  // Attention scores are larger than the queries and keys that they come from; their product is no small part of a step.
  const size = (tensor: Tensor) => sizeOf(tensor.shape);
  if (operator === product.matmul) return size(outputs[0]!) > size(inputs[0]!) + size(inputs[1]!);
  return operator === reduction.softmax && isCheap(productBehind(node));
}

/** What probabilities come of, by masks, factors and bends that cost little; any other node where it is no product. */
function productBehind({ inputs }: Node): Node {
  const { node } = inputs[0]!;
  return Object.values<Operator>(elementwise).includes(node.operator) ? productBehind(node) : node;
}

/**
 * Trades operations for memory (selective recomputation, arXiv 2205.05198): what the backward pass needs of the forward
 * pass and is cheap to make is made again there, so that it need not be kept. Costs some percent of the step of a large model
 * and saves more than half of its activations.
 *
 * The engine must not merge equal nodes, as common-subexpression elimination would undo this.
 *
 * @param outputs simplified; everything else that depends on the nodes behind `forward` counts as backward
 * @param forward the loss
 */
export function recompute(outputs: readonly Tensor[], forward: Tensor): Tensor[] {
  const forwardNodes = new Set(topologicalOrder([forward]));
  const again = new Map<Node, readonly Tensor[]>();
  const map = new Map<Tensor, Tensor>();

  const repeat = (tensor: Tensor): Tensor => {
    const { node } = tensor;
    if (!isCheap(node)) return tensor;
    let results = again.get(node);
    if (!results) {
      results = apply(node.operator, node.inputs.map(repeat), node.attributes);
      again.set(node, results);
    }
    return results[tensor.index]!;
  };

  for (const node of topologicalOrder(outputs)) {
    if (forwardNodes.has(node)) continue;
    const inputs = node.inputs.map((tensor) =>
      forwardNodes.has(tensor.node) ? repeat(tensor) : (map.get(tensor) ?? tensor),
    );
    const results = apply(node.operator, inputs, node.attributes);
    node.outputs.forEach((tensor, i) => {
      map.set(tensor, results[i]!);
    });
  }
  return outputs.map((tensor) => map.get(tensor) ?? tensor);
}
