import { describe, expect, it } from 'vitest';
import {
  add,
  attention,
  broadcastTo,
  concat,
  constant,
  dequantize,
  dequantizeBlocks,
  gather,
  gemm,
  input,
  layerNorm,
  linearCrossEntropy,
  linearDistillation,
  matmul,
  pick,
  place,
  quantize,
  reduceSum,
  reshape,
  rotary,
  scatterAdd,
  split,
  sqrt,
  transpose,
  widenBfloat16,
} from './index.js';
import { formatShape, sizeOf, topologicalOrder } from './tensor.js';

const x = input('x', [2, 3]);
const ids = input('ids', [2], 'int64');
const heads = (T: number, D = 4) => input('heads', [T, 1, 2, D]);

describe('shape rules', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['add', () => add(x, input('y', [2])), /add: shapes \[2, 3\] and \[2\] do not broadcast/],
    ['sqrt', () => sqrt(ids), /sqrt: expected float32, got int64/],
    ['reshape', () => reshape(x, [4]), /\[2, 3\] does not hold as many elements as \[4\]/],
    ['transpose', () => transpose(x, [0, 0]), /\[0,0\] is no permutation of the axes of \[2, 3\]/],
    ['broadcastTo', () => broadcastTo(x, [2, 4]), /\[2, 3\] does not broadcast to \[2, 4\]/],
    ['broadcastTo of fewer axes', () => broadcastTo(x, [3]), /does not broadcast to \[3\]/],
    ['split', () => split(x, 1, [1, 1]), /sizes \[1,1\] do not add up to axis 1 of \[2, 3\]/],
    ['concat', () => concat([x, input('y', [3, 3])], 1), /\[3, 3\] and \[2, 3\] differ beside axis 1/],
    ['reduceSum', () => reduceSum(x, [2]), /axis 2 is outside shape \[2, 3\]/],
    ['reduceSum from the end', () => reduceSum(x, [-3]), /axis -3 is outside/],
    ['gemm', () => gemm(x, x), /gemm: shapes \[2, 3\], \[2, 3\] do not fit/],
    ['gemm with a bias', () => gemm(x, x, input('b', [3]), { transB: true }), /\[3\] do not fit/],
    ['matmul', () => matmul(heads(2), heads(3), { transB: true }), /matmul: shapes .* do not fit/],
    ['gather', () => gather(x, x), /ids must be int64 of one axis, got float32 \[2, 3\]/],
    ['scatterAdd', () => scatterAdd(x, ids, input('u', [2, 2])), /updates must be \[2, 3\], got \[2, 2\]/],
    ['pick', () => pick(input('y', [3, 3]), ids), /pick: \[2\] ids do not fit rows of \[3, 3\]/],
    ['place', () => place(x, ids, input('u', [3])), /place: expected .* got \[2, 3\], \[2\], \[3\]/],
    ['layerNorm', () => layerNorm(x, input('w', [2]), input('b', [3]), 0), /expected a vector \[3\], got \[2\]/],
    ['attention', () => attention(heads(3), heads(2), heads(2)), /S ≥ T/],
    ['rotary', () => rotary(heads(3), x, x), /rotary: expected/],
    [
      'linearDistillation',
      () => linearDistillation(x, x, ids, x, input('u', [3, 3]), { share: 0.5, temperature: 2 }),
      /expected \[N, C\], \[V, C\], int64 \[N\], \[N, D\] and \[V or fewer, D\], .* got .*\[3, 3\]/,
    ],
    ['linearCrossEntropy', () => linearCrossEntropy(x, x, x), /expected \[N, C\], \[V, C\] and int64/],
    [
      'quantize',
      () => quantize(x, input('s', [3])),
      /quantize: expected \[R, C\] and scales \[R\], got \[2, 3\] and \[3\]/,
    ],
    ['quantize of more axes', () => quantize(heads(2), input('s', [2])), /expected \[R, C\]/],
    ['dequantize', () => dequantize(x, input('s', [2])), /dequantize: expected int8, got float32/],
    [
      'dequantizeBlocks',
      () => dequantizeBlocks(input('c', [2, 3], 'uint8'), input('s', [2]), [6]),
      /expected int8 or uint8 codes \[R, C\] and scales \[R\] for \[6\], got uint8 \[2, 3\] and \[2\]/,
    ],
    ['widenBfloat16', () => widenBfloat16(x), /widenBfloat16: expected uint16, got float32/],
    ['constant', () => constant(new Float32Array(3), [2]), /3 values do not fill \[2\]/],
  ])('%s refuses what does not fit', (_name, trace, message) => {
    expect(trace).toThrow(message);
  });
});

describe('tensors', () => {
  it('count their elements and print their shapes', () => {
    expect([sizeOf([2, 3]), sizeOf([]), sizeOf([0, 5])]).toEqual([6, 1, 0]);
    expect([formatShape([2, 3]), formatShape([])]).toEqual(['[2, 3]', '[]']);
  });

  it('are ordered so that each node follows its operands, once, and only what is needed', () => {
    const y = add(x, x);
    const z = add(y, x);
    add(z, z);
    expect(topologicalOrder([z, y])).toEqual([x.node, y.node, z.node]);
  });
});
