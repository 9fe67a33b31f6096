import { Consing } from './consing.js';
import { rewrite } from './rewrite.js';
import { apply, type Node, type Target, type Tensor, topologicalOrder } from './tensor.js';

/**
 * Prepares a traced graph for a target: composite operators are decomposed where the target has no lowering of their
 * own, equal subexpressions become one, factors known now move into matrix products (whose `alpha` is free), what no
 * output needs is left out, and what the target has a faster expression for becomes that.
 *
 * @returns the tensors that stand for `outputs`
 */
export function simplify(outputs: readonly Tensor[], target: Target): Tensor[] {
  return settle(faster(settle(decompose(outputs, target)), target));
}

/** Rules feed each other (a scale that leaves a product may enter the next); few rounds are ever needed. */
function settle(outputs: readonly Tensor[]): Tensor[] {
  let current = [...outputs];
  for (let round = 0; round < 16; round++) {
    const { results, changed } = pass(current);
    current = results;
    if (!changed) break;
  }
  return current;
}

/** Each node as the target computes it fastest. */
function faster(outputs: readonly Tensor[], target: Target): Tensor[] {
  const map = new Map<Tensor, Tensor>();
  for (const node of topologicalOrder(outputs)) {
    const results = rebuilt(node, map);
    const better = node.operator.faster?.[target]?.(results[0]!.node);
    node.outputs.forEach((tensor, i) => {
      map.set(tensor, better ?? results[i]!);
    });
  }
  return outputs.map((tensor) => map.get(tensor)!);
}

/** True when a node cannot be emitted for the target as it stands. */
function isComposite(node: Node, target: Target): boolean {
  const { lower } = node.operator;
  return !(lower?.[target] ?? lower?.onnx);
}

function decompose(outputs: readonly Tensor[], target: Target): Tensor[] {
  let current = [...outputs];
  for (;;) {
    const order = topologicalOrder(current);
    if (!order.some((node) => isComposite(node, target))) return current;
    const map = new Map<Tensor, Tensor>();
    for (const node of order) {
      let results: readonly Tensor[] = rebuilt(node, map);
      if (isComposite(node, target)) {
        if (!node.operator.decompose) throw new Error(`${node.operator.name} cannot be lowered to ${target}`);
        results = node.operator.decompose(results[0]!.node, target);
      }
      node.outputs.forEach((tensor, i) => {
        map.set(tensor, results[i]!);
      });
    }
    current = current.map((tensor) => map.get(tensor)!);
  }
}

/** The node's outputs over mapped inputs; the node itself where none of them changed. */
function rebuilt(node: Node, map: Map<Tensor, Tensor>): readonly Tensor[] {
  const inputs = node.inputs.map((tensor) => map.get(tensor)!);
  return inputs.every((tensor, i) => tensor === node.inputs[i])
    ? node.outputs
    : apply(node.operator, inputs, node.attributes);
}

/** One bottom-up round of rewriting and sharing. */
function pass(outputs: readonly Tensor[]): { results: Tensor[]; changed: boolean } {
  const order = topologicalOrder(outputs);
  const uses = new Map<Tensor, number>();
  const use = (tensor: Tensor) => uses.set(tensor, (uses.get(tensor) ?? 0) + 1);
  for (const node of order) node.inputs.forEach(use);
  outputs.forEach(use);

  const consing = new Consing();
  const map = new Map<Tensor, Tensor>();
  let changed = false;
  for (const node of order) {
    const better = rewrite(node, (tensor) => uses.get(tensor) === 1);
    if (better) changed = true;
    const results = better ? [better] : node.outputs;
    node.outputs.forEach((tensor, i) => {
      map.set(tensor, consing.share(results[i]!, map));
    });
  }
  const results = outputs.map((tensor) => map.get(tensor)!);
  // What became one has fewer users before it, which may let a rule in that waits for a single user.
  return { results, changed: changed || topologicalOrder(results).length < order.length };
}
