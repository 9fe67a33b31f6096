/** A function to minimise: its value at `x`; its gradient is written into `gradient`. */
export type ObjectiveFunction = (x: Float64Array, gradient: Float64Array) => number;

/** When to stop, and how much curvature to remember. */
export interface MinimizeOptions {
  /** Most iterations; 1,000. */
  readonly iterations?: number;
  /** Stop when no component of the gradient exceeds this; 1e-9. */
  readonly gradientTolerance?: number;
  /** Stop when an iteration gains less than this share of the value; 1e-15. */
  readonly valueTolerance?: number;
  /** Pairs of steps and gradient differences kept; 10. */
  readonly memory?: number;
}

/** Where the search ended. */
export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  readonly iterations: number;
  /** Whether a tolerance was met: false where the iterations ran out or no step went down any further. */
  readonly converged: boolean;
}

/** Armijo's and Wolfe's constants, as Nocedal and Wright recommend them for quasi-Newton steps. */
const ENOUGH_DECREASE = 1e-4;
const ENOUGH_CURVATURE = 0.9;

/**
 * Minimises a smooth function without constraints by L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm
 * 7.5) with a line search that meets the strong Wolfe conditions (algorithms 3.5 and 3.6, by bisection). Values that
 * are not finite are taken for a step too far.
 */
export function minimize(
  objective: ObjectiveFunction,
  start: ArrayLike<number>,
  options: MinimizeOptions = {},
): Minimum {
  const { iterations = 1000, gradientTolerance = 1e-9, valueTolerance = 1e-15, memory = 10 } = options;
  let x = Float64Array.from(start);
  let gradient = new Float64Array(x.length);
  let value = objective(x, gradient);
  const pairs: Pair[] = [];
  for (let i = 0; i < iterations; i++) {
    if (largest(gradient) <= gradientTolerance) return { x, value, iterations: i, converged: true };
    let direction = quasiNewton(gradient, pairs);
    if (!(dot(direction, gradient) < 0)) {
      pairs.length = 0;
      direction = gradient.map((g) => -g);
    }
    // Without curvature the gradient's length says nothing about the step's.
    const first = pairs.length === 0 ? Math.min(1, 1 / Math.sqrt(dot(gradient, gradient))) : 1;
    const found = search(objective, x, value, gradient, direction, first);
    if (!found) {
      // The remembered curvature may be at fault: once more along the gradient alone.
      if (pairs.length === 0) return { x, value, iterations: i, converged: false };
      pairs.length = 0;
      continue;
    }
    remember(pairs, memory, minus(found.x, x), minus(found.gradient, gradient));
    const gain = value - found.value;
    ({ x, value, gradient } = found);
    if (gain <= valueTolerance * Math.max(1, Math.abs(value))) return { x, value, iterations: i + 1, converged: true };
  }
  return { x, value, iterations, converged: false };
}

interface Pair {
  readonly s: Float64Array;
  readonly y: Float64Array;
  readonly rho: number;
}

function remember(pairs: Pair[], memory: number, s: Float64Array, y: Float64Array): void {
  const curvature = dot(s, y);
  if (curvature <= 1e-300) return;
  pairs.push({ s, y, rho: 1 / curvature });
  if (pairs.length > memory) pairs.shift();
}

/** The two-loop recursion (algorithm 7.4). */
function quasiNewton(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const q = gradient.map((g) => -g);
  const alphas: number[] = [];
  for (let k = pairs.length - 1; k >= 0; k--) {
    const { s, y, rho } = pairs[k]!;
    alphas[k] = rho * dot(s, q);
    addScaled(q, -alphas[k]!, y);
  }
  const last = pairs.at(-1);
  if (last) {
    const scale = dot(last.s, last.y) / dot(last.y, last.y);
    for (let i = 0; i < q.length; i++) q[i]! *= scale;
  }
  pairs.forEach(({ s, y, rho }, k) => {
    addScaled(q, alphas[k]! - rho * dot(y, q), s);
  });
  return q;
}

interface Point {
  readonly x: Float64Array<ArrayBuffer>;
  readonly value: number;
  readonly gradient: Float64Array<ArrayBuffer>;
}

/**
 * A step along `direction` that meets the strong Wolfe conditions, or the best decrease that bisection finds; null when
 * there is none in double precision.
 */
function search(
  objective: ObjectiveFunction,
  x: Float64Array,
  value: number,
  gradient: Float64Array,
  direction: Float64Array,
  first: number,
): Point | null {
  const slope = dot(gradient, direction);
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let length = first;
  let best: Point | null = null;
  for (let trial = 0; trial < 60; trial++) {
    const at = Float64Array.from(x, (v, i) => v + length * direction[i]!);
    const g = new Float64Array(x.length);
    const f = objective(at, g);
    const slopeHere = dot(g, direction);
    if (!(f <= value + ENOUGH_DECREASE * length * slope)) high = length;
    else {
      if (!best || f < best.value) best = { x: at, value: f, gradient: g };
      if (Math.abs(slopeHere) <= -ENOUGH_CURVATURE * slope)
        return best.value < f ? best : { x: at, value: f, gradient: g };
      if (slopeHere > 0) high = length;
      else low = length;
    }
    length = high === Number.POSITIVE_INFINITY ? 2 * length : (low + high) / 2;
    if (best && trial >= 20) return best;
    if (length === low || length === high) break;
  }
  return best;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function minus(a: Float64Array, b: Float64Array): Float64Array {
  return Float64Array.from(a, (v, i) => v - b[i]!);
}

function addScaled(to: Float64Array, factor: number, by: Float64Array): void {
  for (let i = 0; i < to.length; i++) to[i]! += factor * by[i]!;
}

function largest(a: Float64Array): number {
  return a.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
}
