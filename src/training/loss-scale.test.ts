import { expect, it } from 'vitest';
import { LossScale } from './loss-scale.js';

it('is halved by each step that is not finite, down to 1, where that is a failure', () => {
  const scale = new LossScale();
  const first = scale.state.scale;
  expect(scale.next(false)).toBe(true);
  expect(scale.state).toEqual({ scale: first / 2, steps: 0 });
  while (scale.state.scale > 1) expect(scale.next(false)).toBe(true);
  expect(scale.next(false)).toBe(false);
  expect(scale.state.scale).toBe(1);
});

it('is doubled after 2,000 steps in a row, up to a limit', () => {
  const scale = new LossScale();
  const first = scale.state.scale;
  for (let step = 0; step < 1999; step++) expect(scale.next(true)).toBe(false);
  scale.next(false);
  for (let step = 0; step < 1999; step++) scale.next(true);
  expect(scale.state).toEqual({ scale: first / 2, steps: 1999 });
  scale.next(true);
  expect(scale.state).toEqual({ scale: first, steps: 0 });
  for (let step = 0; step < 40_000; step++) scale.next(true);
  expect(scale.state.scale).toBe(2 ** 24);
});

it('goes on from where it stood, and from nothing else', () => {
  const scale = new LossScale();
  scale.restore({ scale: 8, steps: 1999 });
  scale.next(true);
  expect(scale.state).toEqual({ scale: 16, steps: 0 });
  for (const bad of [0, 3, 2 ** 25, Number.NaN, -2, 0.5])
    expect(() => scale.restore({ scale: bad, steps: 0 }), `${bad}`).toThrow('power of two');
});
