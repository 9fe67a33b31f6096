import { Arena, type Chunk } from './arena.js';
import { elementwise } from './operators/elementwise.js';
import { shaping } from './operators/shaping.js';
import { source } from './operators/source.js';
import { type Node, type Operator, sizeOf, type Tensor, type TensorType } from './tensor.js';

const BYTES = { float32: 4, float64: 8, int64: 8, int32: 4, int8: 1, uint8: 1, uint16: 2 } as const;

/** Operators whose result is the very memory of their first operand. */
const aliases = new Set<Operator>([shaping.reshape, shaping.stopGradient]);
/** Operators that write their result over an operand of its shape that nobody needs any more. */
const inPlace = new Set<Operator>(Object.values(elementwise));
/** What the caller holds, or the file does. */
const given = new Set<Operator>([source.input, source.constant]);

/** Memory that one value after another lies in. */
interface Buffer {
  readonly bytes: number;
  /** Uses to come of the value in it. */
  uses: number;
  /** The nodes of the run that ask for it, and that give it back. */
  readonly first: number;
  last: number;
}

/**
 * The bytes that intermediate values take of the machine while a program runs again and again. Inputs, outputs (which
 * are written where the caller says) and constants are not counted.
 *
 * ONNX Runtime plans ahead which buffer each value lies in: that of an operand, where the operator allows it; one of the
 * same shape that has become free, the latest first; or else a new one. A buffer that is taken again later stays
 * allocated in between, so the sum over shapes counts, not what is alive at one time (`allocation_planner.cc`).
 *
 * @param order nodes in the order of the file, from which that of the run follows: see {@link executionOrder}
 * @param outputs what the program gives
 */
export function peakBytes(order: readonly Node[], outputs: readonly Tensor[]): number {
  const executed = executionOrder(order).filter((node) => !given.has(node.operator));
  const uses = new Map<Tensor, number>();
  for (const node of executed) for (const tensor of node.inputs) uses.set(tensor, (uses.get(tensor) ?? 0) + 1);
  const isOutput = new Set(outputs);
  const buffers = new Map<Tensor, Buffer>();
  const all: Buffer[] = [];
  const free = new Map<string, Buffer[]>();
  const lay = (tensor: Tensor, buffer: Buffer) => {
    buffer.uses += uses.get(tensor) ?? 0;
    buffers.set(tensor, buffer);
  };
  for (const [at, node] of executed.entries()) {
    const operands = node.inputs.map((tensor) => buffers.get(tensor));
    for (const output of node.outputs) {
      if (isOutput.has(output)) continue;
      const alias = aliases.has(node.operator) ? operands[0] : undefined;
      // A view of what the caller holds needs no memory either.
      if (aliases.has(node.operator) && !alias) continue;
      const over = inPlace.has(node.operator)
        ? node.inputs.findIndex((tensor, i) => operands[i]?.uses === 1 && keyOf(tensor) === keyOf(output))
        : -1;
      let buffer = alias ?? operands[over] ?? free.get(keyOf(output))?.pop();
      if (!buffer) {
        buffer = { bytes: bytesOf(output), uses: 0, first: at, last: at };
        all.push(buffer);
      }
      lay(output, buffer);
    }
    node.inputs.forEach((tensor, i) => {
      const buffer = operands[i];
      if (!buffer) return;
      buffer.last = at;
      if (--buffer.uses === 0) release(tensor, buffer);
    });
    for (const output of node.outputs) {
      const buffer = buffers.get(output);
      if (!buffer) continue;
      buffer.last = at;
      if (!uses.has(output) && buffer.uses === 0) release(output, buffer);
    }
  }

  function release(tensor: Tensor, buffer: Buffer): void {
    const key = keyOf(tensor);
    const same = free.get(key);
    if (same) same.push(buffer);
    else free.set(key, [buffer]);
  }
  return touchedBytes(all);
}

/** Runs after which an arena has settled: the second finds other chunks free than the first did. */
const RUNS = 3;

/** What an arena takes of the machine for these, run after run. */
function touchedBytes(buffers: readonly Buffer[]): number {
  const arena = new Arena();
  const changes = buffers.flatMap((buffer) => [
    { at: buffer.first, buffer, ends: false },
    { at: buffer.last + 0.5, buffer, ends: true },
  ]);
  changes.sort((a, b) => a.at - b.at);
  const chunks = new Map<Buffer, Chunk>();
  for (let run = 0; run < RUNS; run++) {
    for (const { buffer, ends } of changes) {
      if (ends) arena.release(chunks.get(buffer)!);
      else chunks.set(buffer, arena.allocate(buffer.bytes));
    }
  }
  return arena.touchedBytes;
}

const keyOf = ({ shape, dtype }: TensorType) => `${dtype} ${shape.join()}`;

/** Bytes of a tensor. */
export function bytesOf({ shape, dtype }: TensorType): number {
  return BYTES[dtype] * sizeOf(shape);
}

/**
 * The order in which ONNX Runtime runs the nodes of a file: it walks back from those that nothing uses, the last of the
 * file first, and from each node to its operands, the latest first (`Graph::ReverseDFSFrom`).
 */
function executionOrder(order: readonly Node[]): Node[] {
  const at = new Map(order.map((node, i) => [node, i]));
  const used = new Set(order.flatMap((node) => node.inputs.map((tensor) => tensor.node)));
  const stack = order.filter((node) => !used.has(node)).map((node) => ({ node, leave: false }));
  const seen = new Set<Node>();
  const executed: Node[] = [];
  while (stack.length > 0) {
    const { node, leave } = stack.pop()!;
    if (leave) {
      executed.push(node);
      continue;
    }
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push({ node, leave: true });
    const operands = [...new Set(node.inputs.map((tensor) => tensor.node))].sort((a, b) => at.get(a)! - at.get(b)!);
    for (const operand of operands) if (!seen.has(operand)) stack.push({ node: operand, leave: false });
  }
  return executed;
}
