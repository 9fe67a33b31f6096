import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { NodeEngine } from '../engine/node/engine.js';
import { encode, input } from '../graph/index.js';
import { Model } from '../model/model.js';
import { Adamw } from './adamw.js';
import { traceDeviceAdamw } from './device-adamw.js';
import { muonBytes, muonMatrices, orthogonalized, traceMuon } from './muon.js';

const engine = new NodeEngine();
const made: { dispose(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of made) await one.dispose();
});

const sizes = { layers: 2, width: 16, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 11 };
const constants = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 };
const MOMENTUM = 0.9;

const normals = (length: number, random: Random) => Float32Array.from({ length }, () => random.normal());

/** a b or a bᵀ of matrices in rows, in double precision. */
function product(a: Float64Array, b: Float64Array, [n, k, m]: [number, number, number], transB = false): Float64Array {
  const c = new Float64Array(n * m);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < m; j++)
      for (let l = 0; l < k; l++) c[i * m + j]! += a[i * k + l]! * (transB ? b[j * k + l]! : b[l * m + j]!);
  return c;
}

/** The three polynomials of the singular values, always from the left, in double precision. */
function reference(x: Float64Array, rows: number, columns: number): Float64Array {
  const norm = (values: Float64Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)) + 1e-7;
  const unit = x.map((value) => value / norm(x));
  const size = Math.sqrt(norm(product(unit, unit, [rows, columns, rows], true)));
  let y = unit.map((value) => value / size);
  for (const [a, b, c] of [
    [8.299, -24.43, 18.09],
    [3.915, -2.921, 0.559],
    [3.175, -2.38, 0.498],
  ] as const) {
    const square = product(y, y, [rows, columns, rows], true);
    const fourth = product(square, square, [rows, rows, rows]);
    const odd = square.map((value, k) => b * value + c * fourth[k]!);
    const more = product(odd, y, [rows, rows, columns]);
    y = y.map((value, k) => a * value + more[k]!);
  }
  return y;
}

describe('orthogonalized', () => {
  it('applies its polynomials to wide, tall and square matrices, whose singular values come near 1', async () => {
    const size = fc.integer({ min: 1, max: 12 });
    await fc.assert(
      fc.asyncProperty(size, size, fc.nat(), async (rows, columns, seed) => {
        const session = await engine.compile(encode({ y: orthogonalized(input('x', [rows, columns])) }, engine.target));
        made.push(session);
        const x = normals(rows * columns, new Random(seed));
        const { y } = await session.run({ x });
        const expected = reference(Float64Array.from(x), rows, columns);
        for (const [i, value] of expected.entries())
          expect(Math.abs((y as Float32Array)[i]! - value)).toBeLessThan(2e-4);
        // Σ σ² of min(rows, columns) values of 0.5 to 1.5, unless some were too small.
        const squares = (y as Float32Array).reduce((sum, value) => sum + value * value, 0);
        expect(squares).toBeLessThan(2.25 * Math.min(rows, columns));
        expect(squares).toBeGreaterThan(0.25);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves a matrix of zeros one', async () => {
    const session = await engine.compile(encode({ y: orthogonalized(input('x', [3, 5])) }, engine.target));
    made.push(session);
    expect((await session.run({ x: new Float32Array(15) })).y).toEqual(new Float32Array(15));
  });
});

describe('muonMatrices', () => {
  it.each(['gpt2', 'llama', 'qwen3'] as const)(
    'are those of hidden layers of %s, neither tables nor vectors',
    (family) => {
      const model = Model.create(family, sizes);
      const found = muonMatrices(model.trained, model.linearLayers()).map(({ start, rows, columns }) => {
        const entry = model.trained.entries.find(({ offset }) => offset === start)!;
        expect(entry.shape).toEqual([rows, columns]);
        return entry.name;
      });
      const hidden = model.trained.entries.filter(({ name, shape }) => shape.length === 2 && /\.\d+\./.test(name));
      expect(found).toEqual(hidden.map(({ name }) => name));
      expect(found.length).toBe(family === 'gpt2' ? 8 : 14);
    },
  );

  it('are of what is trained alone', () => {
    const model = Model.create('gpt2', sizes).freeze(['h.0.*']);
    const found = muonMatrices(model.trained, model.linearLayers());
    expect(found.length).toBe(4);
    expect(Math.max(...found.map(({ start, rows, columns }) => start + rows * columns))).toBeLessThanOrEqual(
      model.trained.decayed,
    );
  });
});

describe('AdamW beside Muon', () => {
  const layout = { size: 100, decayed: 80 };
  const matrices = [
    { start: 10, rows: 4, columns: 6 },
    { start: 40, rows: 5, columns: 3 },
  ];
  const vectorsOf = (random: Random) => ({
    parameters: normals(100, random),
    gradient: new Float32Array(100),
    moment1: new Float32Array(100),
    moment2: new Float32Array(100),
  });

  it("steps the matrices by Muon at their parameters' own rate and all else by AdamW, clipped together", async () => {
    const rateRanges = [
      { elements: 40, factor: 1 },
      { elements: 60, factor: 0.5 },
    ];
    const muon = { momentum: MOMENTUM, matrices };
    const both = await Adamw.create(engine, layout, { ...constants, rateRanges, muon });
    const alone = await Adamw.create(engine, layout, { ...constants, rateRanges });
    made.push(both, alone);
    const [vectors, others] = [vectorsOf(new Random(1)), vectorsOf(new Random(1))];
    const expected = matrices.map(({ start, rows, columns }) => ({
      p: Float64Array.from(vectors.parameters.subarray(start, start + rows * columns)),
      m: new Float64Array(rows * columns),
    }));
    const random = new Random(2);
    for (let step = 0; step < 3; step++) {
      const gradient = normals(100, random);
      vectors.gradient.set(gradient);
      others.gradient.set(gradient);
      const report = await both.step(vectors, step, 0.01, 2);
      expect(report).toEqual(await alone.step(others, step, 0.01, 2));
      const clip = (2 * constants.clip) / (report.gradientNorm + 1e-6);
      for (const [k, { start, rows, columns }] of matrices.entries()) {
        const rate = 0.01 * (k === 0 ? 1 : 0.5);
        const { p, m } = expected[k]!;
        const direction = m.map((value, i) => {
          const g = (1 - MOMENTUM) * clip * gradient[start + i]!;
          m[i] = MOMENTUM * value + g;
          return g + MOMENTUM * m[i]!;
        });
        const scale = rate * 0.2 * Math.sqrt(Math.max(rows, columns));
        const orthogonal = reference(direction, rows, columns);
        for (const [i, value] of orthogonal.entries())
          p[i] = p[i]! * (1 - rate * constants.weightDecay) - scale * value;
      }
    }
    const inMatrix = (i: number) =>
      matrices.some(({ start, rows, columns }) => i >= start && i < start + rows * columns);
    for (const [k, { start }] of matrices.entries()) {
      for (const [i, value] of expected[k]!.p.entries())
        expect(Math.abs(vectors.parameters[start + i]! - value)).toBeLessThan(1e-5);
      for (const [i, value] of expected[k]!.m.entries())
        expect(Math.abs(vectors.moment1[start + i]! - value)).toBeLessThan(1e-6);
    }
    for (let i = 0; i < 100; i++) {
      if (inMatrix(i)) expect(vectors.moment2[i]).toBe(0);
      else
        for (const name of ['parameters', 'moment1', 'moment2'] as const)
          expect(vectors[name][i]).toBe(others[name][i]);
    }
  });

  it('takes the same steps as one graph over whole vectors, for devices that keep them', async () => {
    const rateRanges = [
      { elements: 40, factor: 1 },
      { elements: 60, factor: 0.5 },
    ];
    const options = { ...constants, rateRanges, muon: { momentum: MOMENTUM, matrices } };
    const adamw = await Adamw.create(engine, layout, options);
    const whole = await engine.compile(traceDeviceAdamw(layout, options, engine.target));
    made.push(adamw, whole);
    const vectors = vectorsOf(new Random(4));
    const { parameters, gradient, moment1, moment2 } = structuredClone(vectors);
    let there = { parameters, gradient, moment1, moment2 };
    for (let step = 0; step < 3; step++) {
      vectors.gradient.set(normals(100, new Random(step)));
      const outputs = await whole.run({
        ...{ ...there, gradient: vectors.gradient },
        ...{ scale: Float32Array.of(2), rate: Float32Array.of(0.01) },
        correction1: Float32Array.of(1 - constants.beta1 ** (step + 1)),
        correction2: Float32Array.of(Math.sqrt(1 - constants.beta2 ** (step + 1))),
      });
      const output = (name: string) => outputs[`${name}_out`] as Float32Array<ArrayBuffer>;
      there = { gradient, parameters: output('parameters'), moment1: output('moment1'), moment2: output('moment2') };
      await adamw.step(vectors, step, 0.01, 2);
    }
    for (const name of ['parameters', 'moment1', 'moment2'] as const)
      for (let i = 0; i < 100; i++) expect(Math.abs(there[name][i]! - vectors[name][i]!)).toBeLessThan(2e-6);
  });

  it('refuses matrices that overlap, or that the vector has not', async () => {
    const one = { start: 0, rows: 4, columns: 6 };
    for (const wrong of [[one, { ...one, start: 23 }], [{ ...one, start: 60 }], [{ ...one, start: 40 }, one]]) {
      const muon = { momentum: MOMENTUM, matrices: wrong };
      await expect(Adamw.create(engine, layout, { ...constants, muon })).rejects.toThrow('Muon');
    }
  });
});

it('counts the memory of each shape once, and no less than its graph needs', () => {
  for (const [rows, columns] of [
    [40, 40],
    [30, 90],
    [90, 30],
  ] as const) {
    const one = { start: 0, rows, columns };
    const bytes = muonBytes({ momentum: MOMENTUM, matrices: [one] });
    const { peakBytes } = traceMuon(one, MOMENTUM, 'cpu');
    expect(peakBytes).toBeGreaterThan(bytes / 4);
    expect(peakBytes).toBeLessThanOrEqual(bytes);
    expect(muonBytes({ momentum: MOMENTUM, matrices: [one, { ...one, start: rows * columns }] })).toBe(bytes);
  }
  expect(muonBytes(undefined)).toBe(0);
});
