import { expect, it } from 'vitest';
import { chinchillaPoints } from './chinchilla.js';

it('ships the 245 runs of the replication, with plausible figures', () => {
  const points = chinchillaPoints();
  expect(points).toHaveLength(245);
  expect(points[0]).toEqual({
    parameters: 6795600349.289497,
    tokens: expect.closeTo(2.45e8, -6),
    loss: 5.005581996196243,
  });
  for (const { parameters, tokens, loss } of points) {
    expect(parameters).toBeGreaterThan(4e7);
    expect(parameters).toBeLessThan(1.7e10);
    expect(tokens).toBeGreaterThan(1e8);
    expect(tokens).toBeLessThan(1e12);
    expect(loss).toBeGreaterThan(1.8);
    expect(loss).toBeLessThan(5.1);
  }
});
