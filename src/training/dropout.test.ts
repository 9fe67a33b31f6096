import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { windowsOf } from '../data/sampling/windows.test-support.js';
import { NodeEngine } from '../engine/node/engine.js';
import { WebEngine } from '../engine/web/engine.js';
import { dropoutFactors, encode, input, type Shape, sizeOf } from '../graph/index.js';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import { Evaluator } from './evaluation.js';
import { Replica } from './replica.js';
import { dropoutArrays, feedArrays, fillDropout, traceGradient, traceLoss, vectorArrays } from './step-program.js';

const engine = new NodeEngine();
const context = 12;
const sizes = { layers: 2, width: 16, heads: 4, keyValueHeads: 4, context, vocabulary: 23 };
const random = new Random(1);
const windows = windowsOf(
  Int32Array.from({ length: 4 * (context + 1) }, () => random.below(23)),
  context,
);

const NUMBERS = ({ inputs }: ReturnType<typeof encode>) => dropoutArrays({ inputs } as never);

/** Factors of one place, as a step would draw them. */
async function factors(
  shape: Shape,
  rate: number,
  counter: readonly number[],
  place = 0,
  on = engine as never,
  threads = 1,
) {
  const C = shape.at(-1)!;
  const feed = (name: string, count: number) => input(`dropout/${place}/${name}`, [count], 'int32');
  const y = dropoutFactors(feed('rows', sizeOf(shape) / C), feed('columns', C), shape, rate);
  const program = encode({ y }, (on as NodeEngine).target);
  const session = await (on as NodeEngine).compile(program, { threads });
  const arrays = NUMBERS(program);
  fillDropout(arrays, 7, counter);
  const result = await session.run(arrays);
  await session.dispose();
  return result.y as Float32Array;
}

const bits = (x: Float32Array) => Float64Array.from(x, (value) => (value === 0 ? 0 : 1));
/** Pearson's correlation of what two lists keep. */
function correlation(a: Float64Array, b: Float64Array): number {
  const mean = (x: Float64Array) => x.reduce((sum, value) => sum + value, 0) / x.length;
  const [p, q] = [mean(a), mean(b)];
  return (
    a.reduce((sum, value, i) => sum + (value - p) * (b[i]! - q), 0) / a.length / Math.sqrt(p * (1 - p) * q * (1 - q))
  );
}

describe('factors of dropout', () => {
  it.each([0.05, 0.1, 0.5, 0.9])('are 0 for a share of %f and 1 / (1 − rate) else', async (rate) => {
    const all = await factors([300, 400], rate, [0, 0, 0]);
    expect(new Set(all)).toEqual(new Set([0, Math.fround(1 / (1 - rate))]));
    const share = bits(all).reduce((sum, kept) => sum - kept, all.length) / all.length;
    // Five standard deviations.
    expect(Math.abs(share - rate)).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / all.length));
  });

  it('are independent between neighbours, rows, columns, and squares of rows and columns', async () => {
    const [R, C] = [400, 300];
    const kept = bits(await factors([R, C], 0.3, [3, 1, 0]));
    const at = (r: number, c: number) => kept[(r % R) * C + (c % C)]!;
    const shifted = (dr: number, dc: number) =>
      Float64Array.from({ length: R * C }, (_, i) => at(Math.floor(i / C) + dr, (i % C) + dc));
    const bound = 5 / Math.sqrt(R * C);
    for (const [dr, dc] of [
      [0, 1],
      [1, 0],
      [1, 1],
      [7, 3],
      [200, 0],
      [0, 150],
    ] as const)
      expect(Math.abs(correlation(kept, shifted(dr, dc)))).toBeLessThan(bound);
    // Four corners of a rectangle come of two rows and two columns.
    const centred = kept.map((value) => value - 0.7);
    const corner = (dr: number, dc: number) => shifted(dr, dc).map((value) => value - 0.7);
    const [b, c, d] = [corner(1, 0), corner(0, 1), corner(1, 1)];
    const product = centred.reduce((sum, value, i) => sum + value * b[i]! * c[i]! * d[i]!, 0) / centred.length;
    expect(Math.abs(product) / 0.21 ** 2).toBeLessThan(2 * bound);
    // Rows and columns drop as many as chance would.
    const shares = Array.from(
      { length: R },
      (_, r) => kept.subarray(r * C, (r + 1) * C).reduce((sum, value) => sum + value, 0) / C,
    );
    const spread = shares.reduce((sum, share) => sum + (share - 0.7) ** 2, 0) / R;
    expect(spread / (0.21 / C)).toBeGreaterThan(0.7);
    expect(spread / (0.21 / C)).toBeLessThan(1.4);
  });

  it('are others for each step, micro-batch, replica and place, and the same for the same', async () => {
    const shape = [100, 120];
    const first = await factors(shape, 0.4, [0, 5, 0]);
    expect(await factors(shape, 0.4, [0, 5, 0])).toEqual(first);
    const others = [
      await factors(shape, 0.4, [0, 6, 0]),
      await factors(shape, 0.4, [0, 5, 1]),
      await factors(shape, 0.4, [1, 5, 0]),
      await factors(shape, 0.4, [0, 5, 0], 1),
    ];
    for (const other of others)
      expect(Math.abs(correlation(bits(first), bits(other)))).toBeLessThan(5 / Math.sqrt(12_000));
  });

  it('are the same bits on several threads, and in WASM', async () => {
    const shape = [4, 3, 50, 70];
    const one = await factors(shape, 0.2, [0, 0, 0]);
    expect(await factors(shape, 0.2, [0, 0, 0], 0, engine as never, 2)).toEqual(one);
    expect(await factors(shape, 0.2, [0, 0, 0], 0, (await WebEngine.create('wasm')) as never)).toEqual(one);
  });
});

describe('a step with dropout', () => {
  const rates = [
    ['gpt2', Model.create('gpt2', sizes)],
    ['llama', Model.create('llama', { ...sizes, keyValueHeads: 2 })],
    ['an adapter', Model.create('llama', sizes).adapt({ rank: 2, alpha: 4 })],
  ] as const;

  it.each(rates)('has the gradient of its own loss, by central differences: %s', async (_name, model) => {
    const objective = new Causal(model);
    const given = { accumulate: false, recompute: false, dropout: 0.3 };
    const program = traceGradient(objective, 2, engine, given);
    const again = traceGradient(objective, 2, engine, { ...given, recompute: true });
    const arrays = dropoutArrays(program);
    expect(Object.keys(dropoutArrays(again)).sort()).toEqual(Object.keys(arrays).sort());
    fillDropout(arrays, 3, [0, 1, 0]);
    const { trained, frozen } = model.initialize(new Random(3));
    // Matrices as large as those of a trained model, norms as they are: near 0 the norms bend too much.
    for (const [i, value] of frozen.entries()) frozen[i] = value === 1 ? 1 : 8 * value;
    for (let i = 0; i < trained.length; i++) trained[i] = Math.fround(0.3 * Math.sin(i + 1));
    const feeds = feedArrays(objective, 2);
    objective.fill(windows.slice(0, 2), feeds);
    const session = await engine.compile(program);
    const both = await engine.compile(again);
    const run = async (parameters: Float32Array, on = session) => {
      const gradient = new Float32Array(trained.length);
      const loss = new Float32Array(1);
      await on.run(
        {
          ...vectorArrays(model.trained, 'parameters', parameters, true),
          ...vectorArrays(model.frozen, 'frozen', frozen, true),
          ...feeds,
          ...arrays,
        },
        { loss, ...vectorArrays(model.trained, 'gradient', gradient, true) },
      );
      return { loss: loss[0]!, gradient };
    };
    const { loss, gradient } = await run(trained);
    expect(Number.isFinite(loss)).toBe(true);
    expect((await run(trained, both)).gradient).toEqual(gradient);
    const norm = Math.hypot(...gradient);
    for (let k = 0; k < 3; k++) {
      const direction = Float64Array.from(trained, (_, i) => Math.cos((k + 1) * (i + 1)));
      // Along the gradient itself, and somewhere else.
      const along = direction.map((value, i) => (k === 0 ? gradient[i]! / norm : value / Math.sqrt(trained.length)));
      const moved = (by: number) => Float32Array.from(trained, (value, i) => value + by * along[i]!);
      const step = 1e-3;
      const slope = ((await run(moved(step))).loss - (await run(moved(-step))).loss) / (2 * step);
      const expected = gradient.reduce((sum, value, i) => sum + value * along[i]!, 0);
      expect(Math.abs(slope - expected)).toBeLessThan(0.01 * norm);
    }
    await session.dispose();
    await both.dispose();
  });

  it('is only a step: what is evaluated drops nothing, and a rate of none changes no bit', async () => {
    const model = Model.create('gpt2', sizes);
    const objective = new Causal(model);
    expect(dropoutArrays(traceLoss(objective, 2, engine))).toEqual({});
    const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 0 };
    const losses: number[] = [];
    for (const rate of [0, 0.3]) {
      const setup = { objective, engine, batch: 2, gradientAccumulation: 2, optimizer };
      const replica = await Replica.create({ ...setup, dropout: { rate, seed: 1 } });
      const parameters = model.layout.initialize(new Random(3)).map((value) => 8 * value);
      replica.vectors.parameters.set(parameters);
      const evaluator = new Evaluator(objective, engine, 2);
      const evaluated = await evaluator.lossSum(parameters, windows);
      const { loss } = await replica.computeGradient(() => windows.slice(0, 2), [0, 0]);
      const { loss: same } = await replica.computeGradient(() => windows.slice(0, 2), [0, 0]);
      const { loss: later } = await replica.computeGradient(() => windows.slice(0, 2), [0, 1]);
      expect(same).toBe(loss);
      expect(later === loss).toBe(rate === 0);
      losses.push(loss, evaluated.sum);
      await replica.dispose();
      await evaluator.dispose();
    }
    expect(losses[3]).toBe(losses[1]);
    expect(losses[2]).not.toBe(losses[0]);
  });
});
