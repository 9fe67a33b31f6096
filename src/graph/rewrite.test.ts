import { describe, expect, it } from 'vitest';
import { gemm, input, matmul, scale } from './operators/index.js';
import { simplify } from './simplify.js';
import { topologicalOrder } from './tensor.js';

const operatorsOf = (y: ReturnType<typeof input>) =>
  topologicalOrder(simplify([y], 'cpu')).map(({ operator }) => operator.name);

describe('rewrite', () => {
  it('moves factors into products of several rows', () => {
    const y = scale(gemm(scale(input('x', [2, 3]), 3), input('w', [3, 4])), 0.5);
    const [result] = simplify([y], 'cpu');
    expect(operatorsOf(y)).toEqual(['input', 'input', 'gemm']);
    expect(result!.node.attributes.alpha).toBe(1.5);
    const z = matmul(scale(input('a', [5, 2, 3]), 3), input('b', [5, 3, 4]));
    expect(operatorsOf(z)).toEqual(['input', 'input', 'matmul']);
  });

  it('keeps them out of products of a single row, which have a kernel of their own', () => {
    const y = scale(gemm(scale(input('x', [1, 3]), 3), input('w', [3, 4])), 0.5);
    const [result] = simplify([y], 'cpu');
    expect(operatorsOf(y)).toEqual(['input', 'scale', 'input', 'gemm', 'scale']);
    expect(result!.node.inputs[0]!.node.attributes.alpha).toBe(1);
    const z = matmul(scale(input('a', [5, 1, 3]), 3), input('b', [5, 3, 4]));
    expect(operatorsOf(z)).toContain('scale');
  });
});
