import { describe, expect, it } from 'vitest';
import { minimize, type ObjectiveFunction } from './lbfgs.js';

/** Rosenbrock's valley in any even number of dimensions: 0 at (1, …, 1). */
const rosenbrock: ObjectiveFunction = (x, gradient) => {
  let sum = 0;
  for (let i = 0; i < x.length; i += 2) {
    const [a, b] = [x[i]!, x[i + 1]!];
    sum += 100 * (b - a * a) ** 2 + (1 - a) ** 2;
    gradient[i] = -400 * a * (b - a * a) - 2 * (1 - a);
    gradient[i + 1] = 200 * (b - a * a);
  }
  return sum;
};

describe('minimize', () => {
  it.each([2, 10, 100])('follows the valley of Rosenbrock in %i dimensions', (n) => {
    const start = Array.from({ length: n }, (_, i) => (i % 2 === 0 ? -1.2 : 1));
    const found = minimize(rosenbrock, start, { valueTolerance: 0 });
    expect(found.converged).toBe(true);
    expect(found.value).toBeLessThan(1e-18);
    for (const x of found.x) expect(x).toBeCloseTo(1, 8);
    expect(found.iterations).toBeLessThan(100);
  });

  it('solves a badly scaled parabola', () => {
    const scales = [1, 1e3, 1e6];
    const objective: ObjectiveFunction = (x, gradient) => {
      let sum = 0;
      scales.forEach((scale, i) => {
        sum += (scale * (x[i]! - i) ** 2) / 2;
        gradient[i] = scale * (x[i]! - i);
      });
      return sum;
    };
    const found = minimize(objective, [5, 5, 5], { valueTolerance: 0, gradientTolerance: 1e-8 });
    expect(found.converged).toBe(true);
    scales.forEach((_, i) => {
      expect(found.x[i]).toBeCloseTo(i, 7);
    });
  });

  it('steps back from where the function is not finite', () => {
    // ln is no number below 0, and the first step from 0.1 goes there.
    const objective: ObjectiveFunction = (x, gradient) => {
      gradient[0] = 1 - 2 / x[0]!;
      return x[0]! - 2 * Math.log(x[0]!);
    };
    expect(minimize(objective, [0.01]).x[0]).toBeCloseTo(2, 6);
  });

  it('says so when the iterations run out, and when nothing goes down', () => {
    expect(minimize(rosenbrock, [-1.2, 1], { iterations: 3 })).toMatchObject({ converged: false, iterations: 3 });
    const lies: ObjectiveFunction = (x, gradient) => {
      gradient[0] = -1;
      return x[0]!;
    };
    expect(minimize(lies, [0])).toMatchObject({ converged: false, value: 0 });
  });

  it('leaves a minimum where it is', () => {
    expect(minimize(rosenbrock, [1, 1])).toMatchObject({ converged: true, iterations: 0, value: 0 });
  });
});
