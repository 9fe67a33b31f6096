import { describe, expect, it } from 'vitest';
import { huberObjective, lawOf, lossOf, type ParametricLaw, vectorOf } from './parametric.js';

const law: ParametricLaw = { E: 1.69, A: 406.4, B: 410.7, alpha: 0.34, beta: 0.28 };

describe('lossOf', () => {
  it('gives the sum of its three terms', () => {
    // Chinchilla: 70 billion parameters, 1.4 trillion tokens; 1.69 + 0.0836 + 0.1632 by hand.
    expect(lossOf(law, 7e10, 1.4e12)).toBeCloseTo(1.9368, 3);
  });
});

describe('vectorOf and lawOf', () => {
  it('are each other’s inverse', () => {
    const back = lawOf(vectorOf(law));
    for (const key of ['E', 'A', 'B', 'alpha', 'beta'] as const) expect(back[key]).toBeCloseTo(law[key], 10);
  });
});

describe('huberObjective', () => {
  const at = (factor: number) => [{ parameters: 1e9, tokens: 2e10, loss: lossOf(law, 1e9, 2e10) * factor }];

  it('is half the square within δ and a line beyond', () => {
    const gradient = new Float64Array(5);
    const x = Float64Array.from(vectorOf(law));
    expect(huberObjective(at(1), 1e-3)(x, gradient)).toBeCloseTo(0, 15);
    expect(huberObjective(at(Math.exp(5e-4)), 1e-3)(x, gradient)).toBeCloseTo(5e-4 ** 2 / 2, 15);
    expect(huberObjective(at(Math.exp(0.1)), 1e-3)(x, gradient)).toBeCloseTo(1e-3 * (0.1 - 5e-4), 12);
  });

  it('is a sum over the points, not their mean', () => {
    const gradient = new Float64Array(5);
    const x = Float64Array.from(vectorOf(law));
    const [one] = at(1.1);
    const single = huberObjective([one!], 1e-3)(x, gradient);
    expect(huberObjective([one!, one!, one!], 1e-3)(x, gradient)).toBeCloseTo(3 * single, 14);
  });

  it('has the gradient that finite differences give', () => {
    const points = [...at(1.1), ...at(1.0003), { parameters: 3e7, tokens: 5e9, loss: 3.6 }];
    const objective = huberObjective(points, 1e-3);
    const x = [5.5, 6.5, 0.4, 0.33, 0.29];
    const gradient = new Float64Array(5);
    objective(Float64Array.from(x), gradient);
    const scratch = new Float64Array(5);
    for (let i = 0; i < 5; i++) {
      const moved = (by: number) =>
        objective(
          Float64Array.from(x, (v, j) => (j === i ? v + by : v)),
          scratch,
        );
      expect((moved(1e-6) - moved(-1e-6)) / 2e-6).toBeCloseTo(gradient[i]!, 7);
    }
  });
});
