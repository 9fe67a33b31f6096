import { expect, it } from 'vitest';
import { compile, gather, gradients, input, mul, reduceSum } from './graph.js';

const x = input('x', [3]);
const y = reduceSum(mul(x, x), [0]);

it('computes what was traced, from any list of numbers', async () => {
  const graph = await compile({ y, slope: gradients(y, [x])[0]! });
  expect(await graph.run({ x: [1, 2, 3] })).toEqual({ y: Float32Array.of(14), slope: Float32Array.of(2, 4, 6) });
  expect((await graph.run({ x: Float32Array.of(0, 0, 1) })).y).toEqual(Float32Array.of(1));
  await graph.close();
  await graph.close();
  await expect(graph.run({ x: [1, 2, 3] })).rejects.toThrow('The graph is closed. Compile it again to go on.');
});

it('takes whole numbers for int64, and is closed by await using', async () => {
  let left: { run(feeds: Record<string, number[]>): Promise<unknown> };
  {
    await using graph = await compile({ row: gather(input('table', [2, 2]), input('ids', [1], 'int64')) });
    left = graph;
    expect(await graph.run({ table: [1, 2, 3, 4], ids: [1] })).toEqual({ row: Float32Array.of(3, 4) });
    await expect(graph.run({ table: [1, 2, 3, 4], ids: [0.5] })).rejects.toThrow(
      'Expected values of int64 for the input ids, but The number 0.5',
    );
  }
  await expect(left.run({})).rejects.toThrow('closed');
});

it('says what an input must be', async () => {
  await using graph = await compile({ y });
  await expect(graph.run({ x: [1, 2] })).rejects.toThrow(
    'Expected 3 values of float32 for the input x of shape [3], got 2.',
  );
  await expect(graph.run({})).rejects.toThrow('for the input x of shape [3], got none.');
  await expect(graph.run({ x: [1, 2, 3], z: [1] })).rejects.toThrow('There is no input z. Allowed: x.');
});
