import { describe, expect, it } from 'vitest';
import { run } from '../../test/operators/eager.js';
import { attention, gradients, input, mul, reduceSum, sigmoid, simplify, type Tensor } from './index.js';
import { recompute } from './recompute.js';
import { topologicalOrder } from './tensor.js';

const x = input('x', [3]);
const w = input('w', [3]);
const feeds = { x: Float32Array.of(1, -2, 0.5), w: Float32Array.of(2, 1, -1) };

/** A loss whose gradient needs the sigmoid of the forward pass. */
function trace(): [Tensor, ...Tensor[]] {
  const loss = reduceSum(mul(sigmoid(mul(x, w)), w), [0]);
  return simplify([loss, ...gradients(loss, [x, w])], 'cpu') as [Tensor, ...Tensor[]];
}

const count = (outputs: readonly Tensor[], name: string) =>
  topologicalOrder(outputs).filter(({ operator }) => operator.name === name).length;

describe('recompute', () => {
  it('makes cheap values of the forward pass again behind it, once, and changes no result', async () => {
    const outputs = trace();
    const again = recompute(outputs, outputs[0]);
    expect(count(outputs, 'sigmoid')).toBe(1);
    expect(count(again, 'sigmoid')).toBe(2);
    expect(again[0]).toBe(outputs[0]);
    const names = [x.node, w.node];
    for (const node of names) expect(topologicalOrder(again)).toContain(node);
    const { results, plain } = { results: await run(outputs, feeds), plain: trace() };
    expect(await run(plain, feeds)).toEqual(results);
  });

  it('leaves the backward pass with nothing of the forward pass but its inputs', () => {
    const outputs = trace();
    const [loss, ...backward] = recompute(outputs, outputs[0]);
    const forward = new Set(topologicalOrder([loss!]));
    const shared = topologicalOrder(backward).filter((node) => forward.has(node));
    expect(shared.map(({ operator }) => operator.name)).toEqual(['input', 'input']);
  });

  it('makes scores, probabilities and copies of keys again, and changes no result', async () => {
    const T = 512;
    const [q, k, v] = ['q', 'k', 'v'].map((name) => input(name, [T, 1, 1, 64])) as [Tensor, Tensor, Tensor];
    const loss = reduceSum(attention(q, k, v), [0, 1, 2, 3]);
    const outputs = simplify([loss, ...gradients(loss, [q, k, v])], 'cpu');
    const again = recompute(outputs, outputs[0]!);
    // Of four blocks the first has scores no larger than its queries and keys.
    expect([count(outputs, 'softmax'), count(again, 'softmax')]).toEqual([4, 7]);
    expect(count(again, 'matmul') - count(outputs, 'matmul')).toBe(3);
    expect(count(again, 'split')).toBeGreaterThan(count(outputs, 'split'));
    const some = (seed: number) => Float32Array.from({ length: T * 64 }, (_, i) => Math.sin(seed * i + seed));
    const feeds = { q: some(1.3), k: some(0.7), v: some(2.1) };
    expect(await run(again, feeds)).toEqual(await run(outputs, feeds));
  });
});
