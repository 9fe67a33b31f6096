/** Where {@link gmres} stops. */
export interface GmresOptions {
  /** Most iterations, the basis's size: HPL-MxP allows 50. */
  readonly iterations: number;
  /** Told the residual's norm over the first one's after each iteration; true ends the iteration. */
  readonly done: (relative: number, iteration: number) => boolean;
}

/**
 * Solves z = M⁻¹ A d for d from 0 by GMRES (Saad and Schultz, 1986) with modified Gram–Schmidt and Givens rotations.
 *
 * @param apply out ← M⁻¹ A v
 * @param z the preconditioned residual
 * @returns the correction d and how many iterations it took
 */
export async function gmres(
  apply: (v: Float64Array, out: Float64Array) => Promise<void>,
  z: Float64Array,
  { iterations, done }: GmresOptions,
): Promise<{ readonly correction: Float64Array; readonly iterations: number }> {
  const n = z.length;
  const first = norm(z);
  const correction = new Float64Array(n);
  if (first === 0) return { correction, iterations: 0 };
  const basis: Float64Array[] = [z.map((value) => value / first)];
  /** Columns of the Hessenberg matrix, made upper triangular as they come. */
  const columns: number[][] = [];
  const rotations: [number, number][] = [];
  const rhs = [first];
  let count = 0;
  while (count < iterations) {
    const w = new Float64Array(n);
    await apply(basis[count]!, w);
    const h: number[] = [];
    for (const v of basis) {
      const along = dot(v, w);
      h.push(along);
      for (let i = 0; i < n; i++) w[i] = w[i]! - along * v[i]!;
    }
    const left = norm(w);
    for (const [k, [c, s]] of rotations.entries()) {
      [h[k], h[k + 1]] = [c * h[k]! + s * h[k + 1]!, -s * h[k]! + c * h[k + 1]!];
    }
    const length = Math.hypot(h[count]!, left);
    const rotation: [number, number] = length === 0 ? [1, 0] : [h[count]! / length, left / length];
    rotations.push(rotation);
    h[count] = length;
    columns.push(h);
    rhs.push(-rotation[1] * rhs[count]!);
    rhs[count] = rotation[0] * rhs[count]!;
    count++;
    // A zero is a basis that holds the solution already; not a number is an overflow that more iterations do not mend.
    if (done(Math.abs(rhs[count]!) / first, count) || !(left > 0)) break;
    basis.push(w.map((value) => value / left));
  }
  const weights = new Array<number>(count).fill(0);
  for (let k = count - 1; k >= 0; k--) {
    let value = rhs[k]!;
    for (let j = k + 1; j < count; j++) value -= columns[j]![k]! * weights[j]!;
    weights[k] = value / columns[k]![k]!;
  }
  for (const [k, weight] of weights.entries()) {
    for (let i = 0; i < n; i++) correction[i] = correction[i]! + weight * basis[k]![i]!;
  }
  return { correction, iterations: count };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}
