import { describe, expect, it } from 'vitest';
import { run } from '../../test/operators/eager.js';
import { add, gather, gradients, input, mul, reduceMax, reduceSum, scale, split, stopGradient } from './index.js';

const x = input('x', [3]);
const feeds = { x: Float32Array.of(1, 2, -3), y: Float32Array.of(5, 7, 11) };
const total = (t: typeof x) => reduceSum(t, [0]);

describe('gradients', () => {
  it('differentiates the example of its documentation', async () => {
    expect(await run(gradients(total(mul(x, x)), [x]), feeds)).toEqual([[2, 4, -6]]);
  });

  it('sums over every way to the loss', async () => {
    const square = mul(x, x);
    const loss = total(add(add(square, mul(square, x)), scale(x, 4)));
    expect(await run(gradients(loss, [x]), feeds)).toEqual([[2 + 3 + 4, 4 + 12 + 4, -6 + 27 + 4]]);
  });

  it('gives gradients of values on the way, and of the loss itself', async () => {
    const square = mul(x, x);
    const loss = total(mul(square, square));
    const [ofSquare, ofLoss] = gradients(loss, [square, loss]);
    expect(await run([ofSquare!, ofLoss!], feeds)).toEqual([[2, 8, 18], [1]]);
  });

  it('fills in zeros for parts of a split that nothing uses', async () => {
    const [first] = split(x, 0, [1, 2]);
    expect(await run(gradients(total(mul(first!, first!)), [x]), feeds)).toEqual([[2, 0, 0]]);
  });

  it('differentiates twice', async () => {
    const [slope] = gradients(total(mul(mul(x, x), x)), [x]);
    expect(await run(gradients(total(slope!), [x]), feeds)).toEqual([[6, 12, -18]]);
  });

  it('takes stopped values as constants', async () => {
    expect(await run(gradients(total(mul(x, stopGradient(mul(x, x)))), [x]), feeds)).toEqual([[1, 4, 9]]);
  });

  it('adds rows that a lookup takes twice', async () => {
    const ids = input('ids', [3], 'int64');
    const loss = total(mul(gather(x, ids), input('y', [3])));
    expect(await run(gradients(loss, [x]), { ...feeds, ids: BigInt64Array.of(2n, 0n, 2n) })).toEqual([[7, 0, 16]]);
  });

  it('refuses a loss of several numbers, one that does not depend, and operators without a gradient', () => {
    expect(() => gradients(mul(x, x), [x])).toThrow('gradients: expected a scalar loss, got [3]');
    expect(() => gradients(total(x), [input('y', [3])])).toThrow(/does not depend on one of the tensors/);
    expect(() => gradients(total(stopGradient(x)), [x])).toThrow(/does not depend/);
    expect(() => gradients(reduceMax(x, [0]), [x])).toThrow('gradients: reduceMax has no gradient');
  });
});
