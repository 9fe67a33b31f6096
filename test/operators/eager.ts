import type { HostArray, HostArrays } from '../../src/engine/engine.js';
import { NodeEngine } from '../../src/engine/node/engine.js';
import { encode, input, type Tensor } from '../../src/graph/index.js';
import { apply, topologicalOrder } from '../../src/graph/tensor.js';

const engine = new NodeEngine();

/** Runs a graph of one or more outputs as it is encoded, simplified. */
export async function run(outputs: readonly Tensor[], feeds: HostArrays): Promise<number[][]> {
  const program = encode(Object.fromEntries(outputs.map((y, i) => [`y${i}`, y])), 'cpu');
  const session = await engine.compile(program);
  const results = await session.run(feeds);
  await session.dispose();
  return outputs.map((_, i) => Array.from(results[`y${i}`]!, Number));
}

/** Computes a graph node by node, each in a file of its own, so that nothing can be simplified. */
export async function runNodeByNode(outputs: readonly Tensor[], feeds: HostArrays): Promise<number[][]> {
  const values = new Map<Tensor, HostArray>();
  for (const node of topologicalOrder(outputs)) {
    const operands = node.inputs.map((tensor, i) => input(`x${i}`, tensor.shape, tensor.dtype));
    const results = apply(node.operator, operands, node.attributes);
    const session = await engine.compile(encode(Object.fromEntries(results.map((y, i) => [`y${i}`, y])), 'cpu'));
    const arrays = Object.fromEntries(node.inputs.map((tensor, i) => [`x${i}`, values.get(tensor)!]));
    const named = await session.run({ ...feeds, ...arrays });
    await session.dispose();
    node.outputs.forEach((tensor, i) => {
      values.set(tensor, named[`y${i}`]!);
    });
  }
  return outputs.map((tensor) => Array.from(values.get(tensor)!, Number));
}
