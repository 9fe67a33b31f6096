import { describe, expect, it } from 'vitest';
import { MeanfieldError } from '../base/errors.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Distribution } from './blocks.js';
import { fillFrom, KINDS, type Kind, makeSystem } from './matrices.test-support.js';
import { type Fill, MOST_ITERATIONS, measure, operations, RESIDUAL_BOUND } from './measure.js';
import { Alone } from './team.js';
import type { FactorType } from './types.js';

const solve = (type: FactorType, n: number, nb: number, fill?: Fill) =>
  measure(new NodeEngine(), new Alone(n), { distribution: new Distribution(n, nb, 1), type, ...(fill && { fill }) });

it('counts the operations of HPL', () => {
  expect(operations(3)).toBe(18 + 13.5);
});

describe.each(['float64', 'float32'] as const)("HPL's matrix with factors in %s", (type) => {
  it.each([
    [1, 1],
    [7, 7],
    [8, 3],
    [65, 16],
    [100, 64],
    [300, 256],
    [1100, 128],
  ])('n %i in blocks of %i passes', async (n, nb) => {
    const { residual, iterations, x } = await solve(type, n, nb);
    expect(residual).toBeLessThan(RESIDUAL_BOUND);
    expect(iterations).toBeLessThanOrEqual(type === 'float64' ? 0 : MOST_ITERATIONS);
    expect(x.every(Number.isFinite)).toBe(true);
  });
});

it.each(KINDS)('fp64 passes on %s matrices of many sizes and blocks', async (kind: Kind) => {
  for (let seed = 0; seed < 12; seed++) {
    const n = 2 + ((seed * 37) % 130);
    const system = makeSystem(kind, n, seed);
    const { residual } = await solve('float64', n, Math.min(n, [5, 16, 33][seed % 3]!), fillFrom(system));
    expect(residual, `seed ${seed}`).toBeLessThan(RESIDUAL_BOUND);
  }
});

it('the bits of a solution depend on the blocks alone, not on how often it is run', async () => {
  const [one, two] = [await solve('float64', 200, 64), await solve('float64', 200, 64)];
  expect(one.x).toEqual(two.x);
});

describe('a singular matrix', () => {
  const flat: Fill = (out, n, columns, first) => {
    for (let i = 0; i < n; i++)
      for (let j = 0; j < columns; j++) out[i * columns + j] = first + j === 30 ? 0 : 1 / (i + first + j + 1);
  };

  it('is named, with its column', async () => {
    const zeros: Fill = (out) => void out.fill(0);
    await expect(solve('float64', 20, 8, zeros)).rejects.toThrow(MeanfieldError);
    await expect(solve('float64', 20, 8, zeros)).rejects.toThrow(/singular.*column 1 holds nothing but zeros/);
    await expect(solve('float64', 60, 16, flat)).rejects.toThrow(/singular/);
  });

  it('of values that are not numbers is named as that', async () => {
    const broken: Fill = (out) => void out.fill(Number.NaN);
    await expect(solve('float64', 20, 8, broken)).rejects.toThrow(/values that are not numbers/);
  });
});
