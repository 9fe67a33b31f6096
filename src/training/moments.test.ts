import { afterAll, describe, expect, it } from 'vitest';
import { sha256 } from '../base/hash.js';
import { Random } from '../base/random.js';
import type { Session } from '../engine/engine.js';
import { NodeEngine } from '../engine/node/engine.js';
import { encode, input, type Tensor } from '../graph/index.js';
import { Adamw, type OptimizerVectors } from './adamw.js';
import {
  blankMoment,
  copyMoment,
  cutMoment,
  type FewBitOptions,
  type FewBits,
  type Moment,
  StepMoments,
  tracedMoment,
} from './moments.js';
import { RANGE } from './ranges.js';

const engine = new NodeEngine();
const constants = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 };
const bf16: FewBitOptions = { precision: 'bf16', seed: 3 };

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

async function widener(size: number): Promise<(kept: FewBits) => Promise<Float32Array>> {
  const session: Session = await compiled(size, ({ before }) => ({ before }));
  return async ({ values }) => (await session.run({ moment1: values })).before as Float32Array;
}

/** The distance between two neighbours in bfloat16. */
const unitOf = (x: number) => 2 ** (Math.floor(Math.log2(Math.abs(x))) - 7);

describe('a moment in bfloat16', () => {
  it('is one of the two neighbours of what it was, and right in the mean of all steps', async () => {
    const values = [1.001, -1.001, 3e-9, -7.77e-12, 0.9999, 1.5, 0, 1e-30, 2.0039, -123.456];
    const x = Float32Array.from(values);
    const [keep, widen] = [await keeper(x.length), await widener(x.length)];
    const [steps, sums] = [3000, new Float64Array(x.length)];
    for (let step = 0; step < steps; step++) {
      const back = await widen(await keep(x, step));
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

function vectorsOf(size: number, options?: FewBitOptions): OptimizerVectors<Moment> {
  const random = new Random(1);
  return {
    parameters: Float32Array.from({ length: size }, () => random.normal()),
    gradient: new Float32Array(size),
    moment1: blankMoment(size, options),
    moment2: blankMoment(size, options),
  };
}

function fillGradient({ gradient }: OptimizerVectors<Moment>, step: number): void {
  const random = new Random(9, step);
  for (let i = 0; i < gradient.length; i++) gradient[i] = random.normal() * (i % 7 === 0 ? 1 : 1e-4);
}

describe('AdamW and Muon with moments in bfloat16', () => {
  const size = 300;
  const layout = { size, decayed: 200 };
  const optimizer = (moments?: FewBitOptions) => ({ ...constants, muon: { momentum: 0.95, matrices }, moments });
  const create = async (moments?: FewBitOptions) => {
    const adamw = await Adamw.create(engine, layout, optimizer(moments));
    made.push(adamw);
    return adamw;
  };

  it('take the step of float32 from the moments that they kept, and keep neighbours of its moments', async () => {
    const [few, full, widen] = [await create(bf16), await create(), await widener(size)];
    const vectors = vectorsOf(size, bf16);
    for (let step = 0; step < 5; step++) {
      fillGradient(vectors, step);
      const exact: OptimizerVectors = {
        ...{ parameters: vectors.parameters.slice(), gradient: vectors.gradient },
        moment1: (await widen(vectors.moment1 as FewBits)).slice(),
        moment2: (await widen(vectors.moment2 as FewBits)).slice(),
      };
      expect(await few.step(vectors, step, 0.01)).toEqual(await full.step(exact, step, 0.01));
      expect(vectors.parameters).toEqual(exact.parameters);
      for (const name of ['moment1', 'moment2'] as const) {
        const kept = await widen(vectors[name] as FewBits);
        let rounded = 0;
        for (const [i, value] of kept.entries()) {
          const was = exact[name][i]!;
          if (was === 0) expect(value).toBe(0);
          else expect(Math.abs(value - was)).toBeLessThanOrEqual(unitOf(was));
          if (value !== was) rounded++;
        }
        expect(rounded).toBeGreaterThan(100);
      }
    }
  });

  it('go on to the bit from a copy of their vectors', async () => {
    const [first, second] = [await create(bf16), await create(bf16)];
    const whole = vectorsOf(size, bf16);
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
    const few = await create(bf16);
    await expect(few.step(vectorsOf(size), 0, 0.01)).rejects.toThrow('moment1 is in float32');
    const full = await create();
    await expect(full.step(vectorsOf(size, bf16), 0, 0.01)).rejects.toThrow('moment1 is in few bits');
  });
});

it('rounds alike however a vector is cut into ranges', async () => {
  const size = 2 * RANGE + 1000;
  const outcomes: OptimizerVectors<Moment>[] = [];
  for (const threads of [1, 2]) {
    const compile = { threads, spinning: false };
    const adamw = await Adamw.create(engine, { size, decayed: 100 }, { ...constants, moments: bf16 }, compile);
    made.push(adamw);
    const vectors = vectorsOf(size, bf16);
    for (let step = 0; step < 2; step++) {
      vectors.gradient.fill(0.3 + step);
      await adamw.step(vectors, step, 0.01);
    }
    outcomes.push(vectors);
  }
  const [first, second] = outcomes.map(({ parameters, moment1, moment2 }) =>
    [parameters, ...[moment1, moment2].map((kept) => (kept as FewBits).values)].map((array) =>
      sha256(new Uint8Array(array.buffer, array.byteOffset, array.byteLength)),
    ),
  );
  expect(second).toEqual(first);
  // And not everything alike.
  expect(new Set((cutMoment(outcomes[0]!.moment1, { start: 0, end: 5000 }) as FewBits).values).size).toBe(2);
});
