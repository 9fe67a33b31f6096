import { describe, expect, it } from 'vitest';
import { Consing } from './consing.js';
import { add, constant, input, mul, simplify, split, type Tensor } from './index.js';

const a = input('a', [2, 2]);
const b = input('b', [2, 2]);

describe('sharing of equal expressions', () => {
  it('finds them however deep, and keeps those that differ in an operand, an attribute or a name', () => {
    const consing = new Consing();
    const map = new Map<Tensor, Tensor>();
    const share = (tensor: Tensor) => consing.share(tensor, map);
    expect(share(add(mul(a, b), a))).toBe(share(add(mul(a, b), a)));
    expect(share(add(mul(a, b), a))).not.toBe(share(add(mul(a, b), b)));
    expect(share(add(mul(a, b), a))).not.toBe(share(add(mul(b, a), a)));
    expect(share(input('a', [2, 2]))).toBe(share(a));
    expect(share(input('a', [4]))).not.toBe(share(a));
    expect(share(input('a shape=2,2', [2]))).not.toBe(share(input('a', [2])));
  });

  it('tells constants by their bytes: type, length, and the sign of zero', () => {
    const distinct = [
      constant(Float32Array.of(0), [1]),
      constant(Float32Array.of(-0), [1]),
      constant(BigInt64Array.of(0n), [1]),
      constant(Float32Array.of(0, 0), [2]),
      constant(Float32Array.of(0), []),
      constant(Float32Array.of(Number.NaN), [1]),
    ];
    expect(new Set(simplify(distinct, 'cpu')).size).toBe(distinct.length);
    const large = () =>
      constant(
        Float32Array.from({ length: 5000 }, (_, i) => i),
        [5000],
      );
    const changed = Float32Array.from({ length: 5000 }, (_, i) => (i === 4999 ? 0 : i));
    expect(new Set(simplify([large(), large(), constant(changed, [5000])], 'cpu')).size).toBe(2);
  });

  it('tells inputs and outputs of one node apart', () => {
    const [left, right] = split(a, 1, [1, 1]) as [Tensor, Tensor];
    expect(new Set(simplify([left, right, a, b], 'cpu')).size).toBe(4);
    expect(new Set(simplify([split(a, 1, [1, 1])[0]!, left], 'cpu')).size).toBe(1);
  });
});
