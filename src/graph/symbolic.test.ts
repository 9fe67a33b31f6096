import { create, toBinary } from '@bufbuild/protobuf';
import { type ModelProto, ModelProtoSchema } from 'onnx-buf';
import { InferenceSession, Tensor as Value } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import {
  add,
  broadcastTo,
  concat,
  constant,
  counting,
  encodeSymbolic,
  input,
  reduceSum,
  reshape,
  split,
  tail,
  transpose,
} from './index.js';

const open = (model: ModelProto) =>
  InferenceSession.create(toBinary(ModelProtoSchema, create(ModelProtoSchema, model)));
const rows = { name: 'rows', at: ['x', 0] } as const;
const columns = { name: 'columns', at: ['x', 1] } as const;

/** A matrix of 0, 1, 2 … */
const matrix = (M: number, N: number) =>
  new Value(
    'float32',
    Float32Array.from({ length: M * N }, (_, i) => i),
    [M, N],
  );

describe('encodeSymbolic', () => {
  it('computes shapes, sizes of parts and counts at a run', async () => {
    const session = await open(
      encodeSymbolic([rows, columns], ({ rows: M, columns: N }) => {
        const x = input('x', [M, N]);
        const twice = reshape(concat([x, x], 0), [2, M, N]);
        const [first, rest] = split(reshape(transpose(x, [1, 0]), [M * N]), 0, [M, M * N - M]);
        const places = add(reshape(counting(M), [M, 1]), broadcastTo(counting(N), [M, N]));
        return { twice: reduceSum(twice, [0]), first: first!, rest: rest!, places, whole: counting(N, 'int64') };
      }),
    );
    expect(session.outputMetadata.map((one) => one.isTensor && one.shape)).toEqual([
      ['rows', 'columns'],
      ['rows'],
      ['rows * columns - 1'],
      ['rows', 'columns'],
      ['columns'],
    ]);
    for (const [M, N] of [
      [1, 1],
      [3, 2],
      [2, 5],
    ] as const) {
      const { twice, first, rest, places, whole } = await session.run({ x: matrix(M, N) });
      expect([...(twice!.data as Float32Array)]).toEqual(Array.from({ length: M * N }, (_, i) => 2 * i));
      expect([...(first!.data as Float32Array)]).toEqual(Array.from({ length: M }, (_, i) => i * N));
      expect(rest!.dims).toEqual([M * (N - 1)]);
      const sums = Array.from({ length: M * N }, (_, i) => Math.floor(i / N) + (i % N));
      expect([...(places!.data as Float32Array)]).toEqual(sums);
      expect(whole!.data).toEqual(BigInt64Array.from({ length: N }, (_, i) => BigInt(i)));
    }
  });

  it('lets an output have a size that no input has', async () => {
    const session = await open(
      encodeSymbolic([rows, { name: 'kept' }], ({ rows: M, kept }) => {
        const last = tail(input('x', [M, 3]), input('count', [], 'int64'), kept);
        return { last: reshape(last, [kept, 1, 3]) };
      }),
    );
    for (const [count, kept] of [
      [0, 4],
      [1, 1],
      [3, 3],
      [9, 4],
    ] as const) {
      const given = { x: matrix(4, 3), count: new Value('int64', BigInt64Array.of(BigInt(count)), []) };
      const { last } = await session.run(given);
      expect(last!.dims).toEqual([kept, 1, 3]);
      expect([...(last!.data as Float32Array)]).toEqual(Array.from({ length: 3 * kept }, (_, i) => 12 - 3 * kept + i));
    }
  });

  it('reads sums where an input has them', () => {
    const sum = { name: 'both', at: ['y', 0], sum: ['rows', 'more'] } as const;
    const model = encodeSymbolic([rows, { name: 'more' }, sum], ({ rows: M, both }) => ({
      z: broadcastTo(add(input('y', [both, 1]), reduceSum(input('x', [M, 1]), [0, 1])), [both, 2]),
    }));
    const dims = model.graph!.output[0]!.type!.value;
    expect(dims.case === 'tensorType' && dims.value.shape!.dim.map(({ value }) => value.value)).toEqual(['both', 2n]);
  });

  it('refuses a graph that is another for another size', () => {
    expect(() =>
      encodeSymbolic([rows], ({ rows: M }) => ({ y: add(input('x', [M]), constant(new Float32Array(M), [M])) })),
    ).toThrow(/depends on the sizes/);
    expect(() =>
      encodeSymbolic([rows], ({ rows: M }) => {
        const x = input('x', [M]);
        return { y: M % 4 === 1 ? x : add(x, x) };
      }),
    ).toThrow(/its length depends on the sizes/);
    expect(() => encodeSymbolic([rows], ({ rows: M }) => ({ y: counting(M + 2) }))).toThrow(/depends on the sizes/);
    expect(() =>
      encodeSymbolic([rows, { name: 'free' }], ({ rows: M, free }) => ({ y: add(input('x', [M, 1]), counting(free)) })),
    ).toThrow(/No input has the size free/);
  });
});
