import { afterAll, describe, expect, it } from 'vitest';
import { dynamicCode } from '../../test/operators/exchange-cases.js';
import { sha256 } from '../base/hash.js';
import { Random } from '../base/random.js';
import { NodeEngine } from '../engine/node/engine.js';
import { encode, input, MOMENT_BLOCK, type Tensor } from '../graph/index.js';
import { Adamw, type OptimizerVectors } from './adamw.js';
import {
  arraysOf,
  blankMoment,
  copyMoment,
  type FewBitOptions,
  type FewBits,
  isFewBits,
  type Moment,
  type MomentName,
  MomentParts,
  momentBytes,
  StepMoments,
  tracedMoment,
} from './moments.js';
import { cutRanges, RANGE, type Range } from './ranges.js';

const engine = new NodeEngine();
const constants = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 };
const bf16: FewBitOptions = { precision: 'bf16', seed: 3 };
const int8: FewBitOptions = { precision: 'int8', seed: 3 };

const made: { dispose(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of made) await one.dispose();
});

/** What a session has of a moment: its value, and what it becomes. */
async function compiled(size: number, outputs: (traced: ReturnType<typeof tracedMoment>) => Record<string, Tensor>) {
  const session = await engine.compile(encode(outputs(tracedMoment('moment1', [size], bf16)), engine.target));
  made.push(session);
  return session;
}

/** Keeps numbers as a moment. */
async function keeper(size: number): Promise<(x: Float32Array, step: number) => Promise<FewBits>> {
  const session = await compiled(size, ({ kept }) => kept(input('x', [size])));
  const moments = new StepMoments(bf16);
  return async (x, step) => {
    const kept = blankMoment(size, bf16) as FewBits;
    const { feeds, into } = moments.arrays('moment1', kept, { step, start: 0 });
    const { moment1: _before, ...noise } = feeds;
    await session.run({ x, ...noise }, into);
    return kept;
  };
}

const codes = { moment1: dynamicCode(true), moment2: dynamicCode(false) };

/** The numbers that a moment stands for. */
function valuesOf(kept: Moment, name: MomentName, parts: readonly Range[] = []): Float32Array {
  if (!isFewBits(kept)) return kept;
  const { values, scales } = kept;
  if (!scales) return new Float32Array(Uint32Array.from(values, (bits) => bits << 16).buffer);
  const blocks = parts.flatMap(({ start, end }) => [...cutRanges(start, end, MOMENT_BLOCK)]);
  expect(scales.length).toBe(blocks.length);
  const result = new Float32Array(values.length);
  for (const [b, { start, end }] of blocks.entries())
    for (let i = start; i < end; i++) result[i] = codes[name][values[i]!]! * scales[b]!;
  return result;
}

/** The distance between two neighbours in bfloat16. */
const unitOf = (x: number) => 2 ** (Math.floor(Math.log2(Math.abs(x))) - 7);

describe('a moment in bfloat16', () => {
  it('is one of the two neighbours of what it was, and right in the mean of all steps', async () => {
    const values = [1.001, -1.001, 3e-9, -7.77e-12, 0.9999, 1.5, 0, 1e-30, 2.0039, -123.456];
    const x = Float32Array.from(values);
    const keep = await keeper(x.length);
    const [steps, sums] = [3000, new Float64Array(x.length)];
    for (let step = 0; step < steps; step++) {
      const back = valuesOf(await keep(x, step), 'moment1');
      for (const [i, value] of back.entries()) {
        expect(Math.abs(value - x[i]!)).toBeLessThanOrEqual(x[i] === 0 ? 0 : unitOf(x[i]!));
        sums[i]! += value;
      }
    }
    for (const [i, sum] of sums.entries()) {
      if (x[i] === 0) expect(sum).toBe(0);
      // Four standard errors of the mean of so many steps, each at most half a unit off; to nearest it would be up to half off.
      else expect(Math.abs(sum / steps - x[i]!) / unitOf(x[i]!)).toBeLessThan((4 * 0.5) / Math.sqrt(steps));
    }
  });

  it('rounds other steps and other elements otherwise, and the same ones alike', async () => {
    const x = new Float32Array(4096).fill(1.002);
    const keep = await keeper(x.length);
    const [first, again, next] = [await keep(x, 0), await keep(x, 0), await keep(x, 1)];
    expect(again).toEqual(first);
    const up = (moment: FewBits) => moment.values.filter((bits) => bits === 0x3f81).length / x.length;
    // 1.002 lies 0.256 of a unit above 1.
    for (const moment of [first, next]) expect(Math.abs(up(moment) - 0.256)).toBeLessThan(0.03);
    const same = first.values.filter((bits, i) => bits === next.values[i]).length / x.length;
    expect(Math.abs(same - (0.256 ** 2 + 0.744 ** 2))).toBeLessThan(0.05);
  });

  it('is copied into an earlier one of its size, and into no other', () => {
    const moment: FewBits = { values: Uint16Array.of(1, 2, 3) };
    const earlier: FewBits = { values: new Uint16Array(3) };
    expect(copyMoment(moment, earlier)).toBe(earlier);
    expect(earlier).toEqual(moment);
    for (const other of [undefined, { values: new Uint16Array(2) }, new Float32Array(3)]) {
      const copy = copyMoment(moment, other);
      expect(copy).toEqual(moment);
      expect(copy).not.toBe(moment);
    }
  });
});

const matrices = [
  { start: 10, rows: 8, columns: 6 },
  { start: 70, rows: 5, columns: 20 },
];

function vectorsOf(size: number): OptimizerVectors {
  const random = new Random(1);
  return {
    parameters: Float32Array.from({ length: size }, () => random.normal()),
    gradient: new Float32Array(size),
    moment1: new Float32Array(size),
    moment2: new Float32Array(size),
  };
}

function fillGradient({ gradient }: OptimizerVectors<Moment>, step: number): void {
  const random = new Random(9, step);
  for (let i = 0; i < gradient.length; i++) {
    // Whole blocks that learn nothing yet, as rows of tokens that no text has had.
    const none = (i >= 58 && i < 70) || i >= 456;
    gradient[i] = none ? 0 : random.normal() * (i % 7 === 0 ? 1 : 1e-4);
  }
}

/** How far from a number, of a block with such a largest magnitude, what it is kept as may be. */
function reach(x: number, most: number, name: MomentName, { precision }: FewBitOptions): number {
  if (precision === 'bf16') return unitOf(x);
  const decade = Math.max(0, Math.min(6, Math.floor(Math.log10(Math.abs(x) / most)) + 7));
  const step = (0.9 * 10 ** (decade - 6)) / (2 ** decade * (name === 'moment1' ? 1 : 2));
  // Half a step, and what numbers near half-way between two are off. The least values stand a step and more apart.
  return most * Math.max(0.5 * step + 0.002 * 10 ** (decade - 6), 6e-7);
}

describe.each([bf16, int8])('AdamW and Muon with moments in $precision', (few) => {
  const size = 700;
  const layout = { size, decayed: 200 };
  // As the optimiser takes them, each with blocks of its own; the last has two.
  const parts = [0, 10, 58, 70, 170, 200, size].flatMap((end, i, all) =>
    i === 0 ? [] : [{ start: all[i - 1]!, end }],
  );
  const optimizer = (moments?: FewBitOptions) => ({ ...constants, muon: { momentum: 0.95, matrices }, moments });
  const create = async (moments?: FewBitOptions) => {
    const adamw = await Adamw.create(engine, layout, optimizer(moments));
    made.push(adamw);
    return adamw;
  };
  const vectorsFor = (adamw: Adamw): OptimizerVectors<Moment> => ({
    ...vectorsOf(size),
    ...{ moment1: adamw.blankMoment(), moment2: adamw.blankMoment() },
  });

  it('take the step of float32 from the moments that they kept, and keep what is near its moments', async () => {
    const [rounding, full] = [await create(few), await create()];
    const vectors = vectorsFor(rounding);
    const names = ['moment1', 'moment2'] as const;
    for (let step = 0; step < 5; step++) {
      fillGradient(vectors, step);
      const [moment1, moment2] = names.map((name) => valuesOf(vectors[name], name, parts).slice());
      const exact = {
        ...{ parameters: vectors.parameters.slice(), gradient: vectors.gradient },
        ...{ moment1: moment1!, moment2: moment2! },
      };
      expect(await rounding.step(vectors, step, 0.01)).toEqual(await full.step(exact, step, 0.01));
      for (const [i, value] of vectors.parameters.entries())
        expect(Math.abs(value - exact.parameters[i]!)).toBeLessThan(1e-6);
      for (const name of names) {
        const kept = valuesOf(vectors[name], name, parts);
        let rounded = 0;
        for (const { start, end } of parts.flatMap((part) => [...cutRanges(part.start, part.end, MOMENT_BLOCK)])) {
          const most = Math.max(...exact[name].subarray(start, end).map(Math.abs));
          for (let i = start; i < end; i++) {
            const was = exact[name][i]!;
            if (was === 0) expect(Math.abs(kept[i]!)).toBe(0);
            else expect(Math.abs(kept[i]! - was)).toBeLessThanOrEqual(reach(was, most, name, few));
            if (kept[i] !== was) rounded++;
            // AdamW divides by its root.
            if (name === 'moment2' && was > 0) expect(kept[i]).toBeGreaterThan(0);
          }
        }
        expect(rounded).toBeGreaterThan(100);
      }
    }
  });

  it('go on to the bit from a copy of their vectors', async () => {
    const [first, second] = [await create(few), await create(few)];
    const whole = vectorsFor(first);
    let resumed: OptimizerVectors<Moment> | undefined;
    for (let step = 0; step < 8; step++) {
      if (step === 4)
        resumed = {
          ...{ parameters: whole.parameters.slice(), gradient: new Float32Array(size) },
          ...{ moment1: copyMoment(whole.moment1), moment2: copyMoment(whole.moment2) },
        };
      fillGradient(whole, step);
      await first.step(whole, step, 0.01);
      if (!resumed) continue;
      fillGradient(resumed, step);
      await second.step(resumed, step, 0.01);
    }
    expect(resumed).toEqual(whole);
  });

  it('refuse moments of another kind', async () => {
    await expect((await create(few)).step(vectorsOf(size), 0, 0.01)).rejects.toThrow('moment1 is in float32');
    const [full, rounding] = [await create(), await create(few)];
    await expect(full.step(vectorsFor(rounding), 0, 0.01)).rejects.toThrow('moment1 is in few bits');
  });

  it('are of so many bytes', async () => {
    const moment = (await create(few)).blankMoment();
    const bytes = arraysOf(moment).reduce((sum, { byteLength }) => sum + byteLength, 0);
    // A scale for each block, and six parts of which one has two.
    expect(bytes).toBe(few.precision === 'bf16' ? 2 * size : size + 4 * 7);
    const whole = new MomentParts([{ start: 0, end: 2 ** 20 }], few).blank();
    const all = arraysOf(whole).reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(all).toBe(2 ** 20 * momentBytes(few));
    expect(all / (4 * 2 ** 20)).toBeLessThan(few.precision === 'bf16' ? 0.51 : 0.26);
  });
});

it.each([bf16, int8])('rounds alike in $precision however a vector is cut into ranges', async (moments) => {
  const size = 2 * RANGE + 1000;
  const outcomes: OptimizerVectors<Moment>[] = [];
  for (const threads of [1, 2]) {
    const compile = { threads, spinning: false };
    const adamw = await Adamw.create(engine, { size, decayed: 100 }, { ...constants, moments }, compile);
    made.push(adamw);
    const vectors: OptimizerVectors<Moment> = {
      ...vectorsOf(size),
      ...{ moment1: adamw.blankMoment(), moment2: adamw.blankMoment() },
    };
    for (let step = 0; step < 2; step++) {
      for (let i = 0; i < size; i++) vectors.gradient[i] = 0.3 + step + (i % 1000);
      await adamw.step(vectors, step, 0.01);
    }
    outcomes.push(vectors);
  }
  const [first, second] = outcomes.map(({ parameters, moment1, moment2 }) =>
    [parameters, ...arraysOf(moment1), ...arraysOf(moment2)].map((array) =>
      sha256(new Uint8Array(array.buffer, array.byteOffset, array.byteLength)),
    ),
  );
  expect(second).toEqual(first);
  expect(new Set(first).size).toBe(first!.length);
});
