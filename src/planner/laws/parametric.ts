import type { ObjectiveFunction } from './lbfgs.js';

/** A training run: what was trained, on how much, and the final loss. */
export interface LossPoint {
  readonly parameters: number;
  readonly tokens: number;
  /** Nats a token. */
  readonly loss: number;
}

/** L(N, D) = E + A/N^alpha + B/D^beta, in nats a token; N parameters, D tokens (arXiv 2203.15556, equation 2). */
export interface ParametricLaw {
  readonly E: number;
  readonly A: number;
  readonly B: number;
  readonly alpha: number;
  readonly beta: number;
}

/** Expected loss, nats a token. */
export function lossOf(law: ParametricLaw, parameters: number, tokens: number): number {
  return law.E + law.A / parameters ** law.alpha + law.B / tokens ** law.beta;
}

/** The vector that the search moves: (ln A, ln B, ln E, alpha, beta), the form of arXiv 2203.15556, equation 3. */
export function lawOf(x: ArrayLike<number>): ParametricLaw {
  return { A: Math.exp(x[0]!), B: Math.exp(x[1]!), E: Math.exp(x[2]!), alpha: x[3]!, beta: x[4]! };
}

/** The inverse of {@link lawOf}. */
export function vectorOf({ A, B, E, alpha, beta }: ParametricLaw): number[] {
  return [Math.log(A), Math.log(B), Math.log(E), alpha, beta];
}

/**
 * The sum over the points of Huber_δ(LSE(a − α ln N, b − β ln D, e) − ln L), with LSE the logarithm of the sum of
 * exponentials: the predicted log loss (arXiv 2203.15556, equation 3). Summed, not averaged: with the mean, the
 * tolerances of usual optimisers stop before convergence (arXiv 2404.10102).
 *
 * @param delta where Huber's loss turns from a parabola into a line, in nats of log loss
 */
export function huberObjective(points: readonly LossPoint[], delta: number): ObjectiveFunction {
  const count = points.length;
  const n = Float64Array.from(points, ({ parameters }) => Math.log(parameters));
  const d = Float64Array.from(points, ({ tokens }) => Math.log(tokens));
  const l = Float64Array.from(points, ({ loss }) => Math.log(loss));
  return (x, gradient) => {
    const a = x[0]!;
    const b = x[1]!;
    const e = x[2]!;
    const alpha = x[3]!;
    const beta = x[4]!;
    gradient.fill(0);
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const u = a - alpha * n[i]!;
      const v = b - beta * d[i]!;
      const most = Math.max(u, v, e);
      const eu = Math.exp(u - most);
      const ev = Math.exp(v - most);
      const total = eu + ev + Math.exp(e - most);
      const residual = most + Math.log(total) - l[i]!;
      const size = Math.abs(residual);
      sum += size <= delta ? (residual * residual) / 2 : delta * (size - delta / 2);
      const slope = Math.max(-delta, Math.min(delta, residual));
      const pu = (slope * eu) / total;
      const pv = (slope * ev) / total;
      gradient[0]! += pu;
      gradient[1]! += pv;
      gradient[2]! += slope - pu - pv;
      gradient[3]! -= pu * n[i]!;
      gradient[4]! -= pv * d[i]!;
    }
    return sum;
  };
}
