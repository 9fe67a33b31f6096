import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { add, addNorm, encodeAnySize, input, layerNorm, rmsNorm, type Tensor } from '../../graph/index.js';
import type { AnySizeSession } from '../engine.js';
import { NodeEngine } from './engine.js';

const engine = new NodeEngine();
const opened: AnySizeSession[] = [];
afterAll(async () => {
  for (const session of opened) await session.dispose();
});

async function open(trace: (x: Tensor, y: Tensor) => Readonly<Record<string, Tensor>>, width: number) {
  const sizes = [{ name: 'rows', at: ['x', 0] }] as const;
  const program = encodeAnySize(
    sizes,
    ({ rows }) => trace(input('x', [rows, width]), input('y', [rows, width])),
    engine.target,
  );
  const session = await engine.compileAnySize!(program);
  opened.push(session);
  return session;
}

const matrix = (data: Float32Array, width: number) => ({ data, shape: [data.length / width, width] });

describe('a program whose sizes a run tells', () => {
  it('keeps apart runs that overlap, and goes on after one that lacks an input', async () => {
    const session = await open((x, y) => ({ sum: add(x, y) }), 2);
    const run = async (rows: number, value: number) => {
      const [x, y, sum] = [value, 10 * value, 0].map((of) => matrix(new Float32Array(2 * rows).fill(of), 2));
      await session.run({ x: x!, y: y! }, { sum: sum! });
      return sum!.data;
    };
    for (let i = 0; i < 3; i++) {
      const both = await Promise.all([run(3, 1), run(1, 2), run(5, 3)]);
      expect(both.map((sum) => [sum.length, sum[0], sum.at(-1)])).toEqual([
        [6, 11, 11],
        [2, 22, 22],
        [10, 33, 33],
      ]);
    }
    const x = matrix(Float32Array.of(1, 2), 2);
    await expect(session.run({ x }, { sum: x })).rejects.toThrow('input y: nothing is given');
    expect([...(await run(1, 4))]).toEqual([44, 44]);
  });
});

describe('a sum that is normalised in one node', () => {
  const values = (count: number) =>
    fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: count, maxLength: count });

  it('has the values of the sum and of its norm', async () => {
    const width = 12;
    const vectors = ['v0', 'v1'].map((name) => input(name, [width]));
    const constants = new Map(
      vectors.map((_, i) => [`v${i}`, Float32Array.from({ length: width }, (_, c) => c / 5 - i)]),
    );
    for (const bias of [false, true]) {
      const given = bias ? vectors : vectors.slice(0, 1);
      const program = encodeAnySize(
        [{ name: 'rows', at: ['x', 0] }] as const,
        ({ rows }) => {
          const [x, y] = [input('x', [rows, width]), input('y', [rows, width])];
          const sum = add(x, y);
          const apart = bias ? layerNorm(sum, given[0]!, given[1]!, 1e-5) : rmsNorm(sum, given[0]!, 1e-5);
          const [normal, total] = addNorm(x, y, given, 1e-5);
          return { sum, apart, normal, total };
        },
        engine.target,
        constants,
      );
      const session = await engine.compileAnySize!(program);
      opened.push(session);
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 4 }).chain((rows) => fc.tuple(values(rows * width), values(rows * width))),
          async ([x, y]) => {
            const into = Object.fromEntries(
              ['sum', 'apart', 'normal', 'total'].map((name) => [name, matrix(new Float32Array(x.length), width)]),
            );
            await session.run({ x: matrix(Float32Array.from(x), width), y: matrix(Float32Array.from(y), width) }, into);
            const [sum, apart, normal, total] = Object.values(into).map(({ data }) => data);
            expect(total).toEqual(sum);
            for (const [i, value] of apart!.entries())
              expect(Math.abs(normal![i]! - value)).toBeLessThan(1e-5 * (1 + Math.abs(value)));
          },
        ),
        { numRuns: 25 },
      );
    }
  });

  it('is refused for what does not fit together', () => {
    const [x, y, v] = [input('x', [2, 4]), input('y', [2, 3]), input('v', [3])];
    expect(() => addNorm(x, y, [v], 1e-5)).toThrow('addNorm: expected two of the same shape');
    expect(() => addNorm(x, x, [v], 1e-5)).toThrow('got [2, 4], [2, 4], [3]');
  });
});
