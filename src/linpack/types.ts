/** The floating-point arrays that a matrix may be held in. */
export type Real = Float64Array | Float32Array;

/** The precision of a factorisation. */
export type FactorType = 'float64' | 'float32';

/** An array of zeros. */
export function zeros(type: FactorType, length: number): Real {
  return type === 'float64' ? new Float64Array(length) : new Float32Array(length);
}
