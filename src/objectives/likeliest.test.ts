import { expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { encode, input } from '../graph/index.js';
import { likeliest } from './likeliest.js';

it('tells the largest score of a row, by however little, and of equal ones the first', async () => {
  const rows = [
    [0.5, 1, 1.0000001, -3],
    [7, 7, 7, 7],
    [-1e4, -2e4, -1e4, 0],
    [0, 3, -3, 3],
    [1e4, 1, 2, 3],
  ];
  const engine = new NodeEngine();
  const session = await engine.compile(encode({ ids: likeliest(input('logits', [5, 4])) }, engine.target));
  const { ids } = await session.run({ logits: Float32Array.from(rows.flat()) });
  await session.dispose();
  expect([...ids!].map((id) => Number(id) + 0)).toEqual([2, 0, 3, 1, 0]);
});
