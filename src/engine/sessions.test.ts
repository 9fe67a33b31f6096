import { expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { input, scale } from '../graph/index.js';
import { Sessions } from './sessions.js';

it('compiles a graph once for each name, even when two ask at the same time', async () => {
  const sessions = new Sessions(new NodeEngine());
  const traced: string[] = [];
  const get = (key: string, factor: number) =>
    sessions.get(key, () => {
      traced.push(key);
      return { y: scale(input('x', [1]), factor) };
    });
  const [a, b, c] = await Promise.all([get('a', 2), get('a', 3), get('b', 5)]);
  expect(traced).toEqual(['a', 'b']);
  expect(b).toBe(a);
  expect((await a.run({ x: Float32Array.of(7) })).y).toEqual(Float32Array.of(14));
  expect((await c.run({ x: Float32Array.of(7) })).y).toEqual(Float32Array.of(35));
  await sessions.dispose();
});
