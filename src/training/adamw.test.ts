import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Adamw, type OptimizerVectors } from './adamw.js';
import { cutMoment, MomentParts } from './moments.js';

const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 };
const engine = new NodeEngine();
const made: Adamw[] = [];
afterAll(async () => {
  for (const adamw of made) await adamw.dispose();
});

function vectorsOf(size: number, seed: number): OptimizerVectors {
  const random = new Random(seed);
  return {
    parameters: Float32Array.from({ length: size }, () => random.normal()),
    gradient: new Float32Array(size),
    moment1: new Float32Array(size),
    moment2: new Float32Array(size),
  };
}

/** AdamW of the paper, an element at a time, in double precision. */
function reference(
  parameters: Float64Array,
  gradients: readonly Float32Array[],
  decayed: number,
  factorOf: (i: number) => number,
) {
  const { beta1, beta2, epsilon, weightDecay, clip } = options;
  const [m1, m2] = [new Float64Array(parameters.length), new Float64Array(parameters.length)];
  for (const [step, gradient] of gradients.entries()) {
    const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    const scale = Math.min(1, clip / (norm + 1e-6));
    for (const [i, g] of gradient.entries()) {
      const rate = 0.01 * (step + 1) * factorOf(i);
      m1[i] = beta1 * m1[i]! + (1 - beta1) * scale * g;
      m2[i] = beta2 * m2[i]! + (1 - beta2) * (scale * g) ** 2;
      const [first, second] = [m1[i]! / (1 - beta1 ** (step + 1)), m2[i]! / (1 - beta2 ** (step + 1))];
      if (i < decayed) parameters[i]! *= 1 - rate * weightDecay;
      parameters[i]! -= (rate * first) / (Math.sqrt(second) + epsilon);
    }
  }
}

const ranges = fc.array(
  fc.record({ elements: fc.integer({ min: 1, max: 40 }), factor: fc.constantFrom(0.01, 0.5, 1, 3) }),
  {
    minLength: 1,
    maxLength: 6,
  },
);

it('steps each range by its own rate, however ranges and the end of the decay lie', async () => {
  await fc.assert(
    fc.asyncProperty(ranges, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), async (rateRanges, share, seed) => {
      const size = rateRanges.reduce((sum, { elements }) => sum + elements, 0);
      const decayed = Math.round(share * size);
      const factors = rateRanges.flatMap(({ elements, factor }) => new Array<number>(elements).fill(factor));
      const adamw = await Adamw.create(engine, { size, decayed }, { ...options, rateRanges });
      made.push(adamw);
      const vectors = vectorsOf(size, seed);
      const expected = Float64Array.from(vectors.parameters);
      const random = new Random(seed + 1);
      const gradients = [0, 1, 2].map(() => Float32Array.from({ length: size }, () => random.normal()));
      for (const [step, gradient] of gradients.entries()) {
        vectors.gradient.set(gradient);
        await adamw.step(vectors, step, 0.01 * (step + 1));
      }
      reference(expected, gradients, decayed, (i) => factors[i]!);
      for (const [i, value] of expected.entries()) expect(Math.abs(vectors.parameters[i]! - value)).toBeLessThan(2e-6);
    }),
    { numRuns: 25 },
  );
});

it('comes to the same bits with factors of 1 as without any', async () => {
  const [size, decayed] = [1000, 700];
  const results = [];
  for (const rateRanges of [
    undefined,
    [
      { elements: 300, factor: 1 },
      { elements: 700, factor: 1 },
    ],
  ]) {
    const adamw = await Adamw.create(engine, { size, decayed }, { ...options, rateRanges });
    made.push(adamw);
    const vectors = vectorsOf(size, 3);
    const random = new Random(4);
    for (let step = 0; step < 5; step++) {
      vectors.gradient.forEach((_, i) => {
        vectors.gradient[i] = random.normal();
      });
      await adamw.step(vectors, step, 0.01);
    }
    results.push(vectors);
  }
  expect(results[1]).toEqual(results[0]);
});

it.each([
  ['float32', undefined],
  ['bfloat16', { precision: 'bf16', seed: 3 }],
] as const)('comes to the same bits in parts, each with its own moments alone, in %s', async (_, moments) => {
  const [size, decayed] = [1000, 700];
  const matrices = [
    { start: 100, rows: 5, columns: 20 },
    { start: 420, rows: 10, columns: 8 },
  ];
  const all = {
    ...{ ...options, moments, muon: { momentum: 0.95, matrices } },
    rateRanges: [
      { elements: 350, factor: 0.5 },
      { elements: 650, factor: 1 },
    ],
  };
  const blank = (length: number) => {
    const ranges = new MomentParts([{ start: 0, end: length }], moments);
    return { ...vectorsOf(size, 3), moment1: ranges.blank(), moment2: ranges.blank() };
  };
  const whole = await Adamw.create(engine, { size, decayed }, all);
  const parts = await Promise.all(
    [
      { start: 0, end: 420 },
      { start: 420, end: 420 },
      { start: 420, end: 1000 },
    ].map((part) => Adamw.create(engine, { size, decayed }, all, {}, part)),
  );
  made.push(whole, ...parts);
  const one = blank(size);
  const several = parts.map(({ part }) => blank(part.end - part.start));
  const random = new Random(4);
  for (let step = 0; step < 4; step++) {
    const gradient = Float32Array.from({ length: size }, () => random.normal());
    for (const { gradient: own } of [one, ...several]) own.set(gradient);
    const { gradientNorm } = await whole.step(one, step, 0.01, 0.5);
    for (const [i, part] of parts.entries()) await part.step(several[i]!, step, 0.01, 0.5, gradientNorm / 0.5);
  }
  for (const [i, { part }] of parts.entries()) {
    const { start, end } = part;
    expect(several[i]!.parameters.subarray(start, end)).toEqual(one.parameters.subarray(start, end));
    // What is another's stays as it was.
    const first = vectorsOf(size, 3).parameters;
    expect(several[i]!.parameters.subarray(0, start)).toEqual(first.subarray(0, start));
    expect(several[i]!.parameters.subarray(end)).toEqual(first.subarray(end));
  }
  for (const name of ['moment1', 'moment2'] as const)
    expect(several.map((vectors) => vectors[name])).toEqual(parts.map(({ part }) => cutMoment(one[name], part)));
});

it('refuses a part whose ends lie in a matrix of Muon', async () => {
  const muon = { momentum: 0.95, matrices: [{ start: 2, rows: 2, columns: 2 }] };
  const part = { start: 0, end: 4 };
  await expect(Adamw.create(engine, { size: 10, decayed: 8 }, { ...options, muon }, {}, part)).rejects.toThrow(
    'a matrix of 2 to 6 lies across the ends of 0 to 4',
  );
});

it('refuses rates of another vector', async () => {
  const rateRanges = [{ elements: 9, factor: 1 }];
  await expect(Adamw.create(engine, { size: 10, decayed: 5 }, { ...options, rateRanges })).rejects.toThrow(
    'learning rates of 9 elements for a vector of 10',
  );
});
