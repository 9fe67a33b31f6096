import { describe, expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { sha256 } from '../../base/hash.js';
import { Random } from '../../base/random.js';
import { windowsOf } from '../../data/sampling/windows.test-support.js';
import { encode, input, mul, reduceSum, scatterAdd } from '../../graph/index.js';
import { Model } from '../../model/model.js';
import { Causal } from '../../objectives/causal/causal.js';
import { Replica } from '../../training/replica.js';
import { NodeEngine } from './engine.js';

const x = input('x', [3]);
const squares = mul(x, x);
const program = encode({ squares, sum: reduceSum(squares, [0]) }, 'cpu');

describe('NodeEngine on the CPU', () => {
  it('reads views and writes into views, leaving their surroundings alone', async () => {
    const session = await new NodeEngine().compile(program);
    const values = Float32Array.of(9, 1, 2, 3, 9);
    const written = new Float32Array(5).fill(-1);
    const into = { squares: written.subarray(1, 4) };
    const outputs = await session.run({ x: values.subarray(1, 4) }, into);
    expect([...written]).toEqual([-1, 1, 4, 9, -1]);
    expect(outputs.squares).toBe(into.squares);
    expect([...outputs.sum!]).toEqual([14]);
    await session.dispose();
  });

  it('gives new arrays for outputs that have no place, each run its own', async () => {
    const session = await new NodeEngine().compile(program);
    const first = await session.run({ x: Float32Array.of(1, 2, 3) });
    const second = await session.run({ x: Float32Array.of(2, 0, 1) });
    expect([...first.squares!]).toEqual([1, 4, 9]);
    expect([...second.squares!]).toEqual([4, 0, 1]);
    await session.dispose();
  });

  it('refuses missing and wrong arrays before they reach native code', async () => {
    const session = await new NodeEngine().compile(program);
    await expect(session.run({})).rejects.toThrow('input x: expected Float32Array of 3 values for [3], got nothing');
    await expect(session.run({ x: new Float32Array(2) })).rejects.toThrow(/got Float32Array of 2/);
    await expect(session.run({ x: new Float32Array(3) }, { sum: new Float32Array(2) })).rejects.toThrow(/output sum/);
    expect([...(await session.run({ x: Float32Array.of(1, 1, 1) })).sum!]).toEqual([3]);
    await session.dispose();
  });

  it('refuses programs of another target, and damaged files', async () => {
    const engine = new NodeEngine();
    await expect(engine.compile(encode({ x }, 'wasm'))).rejects.toThrow(
      'a program for wasm cannot run on onnxruntime-node/cpu',
    );
    const damaged = [new Uint8Array(0), program.onnx.subarray(0, 40), program.onnx.map((byte) => byte ^ 0x55)];
    for (const onnx of damaged) {
      const compiling = engine.compile({ ...program, onnx });
      await expect(compiling).rejects.toThrow(MeanfieldError);
      await expect(compiling).rejects.toThrow(/^onnxruntime-node\/cpu cannot compile the graph: /);
    }
  });

  it('computes on where a value is not finite', async () => {
    const session = await new NodeEngine().compile(program);
    const { sum } = await session.run({ x: Float32Array.of(1, Number.POSITIVE_INFINITY, Number.NaN) });
    expect(sum![0]).toBeNaN();
    await session.dispose();
  });
});

describe('bits on the CPU', () => {
  const hash = (vector: Float32Array) => sha256(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));

  /** The first gradient of a model whose rows of embeddings are used many times over, and what two steps make of it. */
  async function train(family: string, threads: number) {
    const sizes = { layers: 1, width: 256, heads: 4, context: 64, vocabulary: 65 };
    const model = Model.create(family, { ...sizes, keyValueHeads: family === 'gpt2' ? 4 : 2 });
    const replica = await Replica.create({
      objective: new Causal(model),
      engine: new NodeEngine(),
      batch: 16,
      gradientAccumulation: 1,
      optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 },
      compile: { threads },
    });
    replica.vectors.parameters.set(model.layout.initialize(new Random(3)));
    const random = new Random(4);
    const next = () =>
      windowsOf(
        Int32Array.from({ length: 16 * 65 }, () => random.below(5)),
        64,
      );
    const { loss: firstLoss, weight } = await replica.computeGradient(next);
    const firstGradient = hash(replica.vectors.gradient);
    await replica.applyGradient(0, 1e-2, replica.scaleOf(weight));
    const { loss: lastLoss } = await replica.computeGradient(next);
    await replica.applyGradient(1, 1e-2, replica.scaleOf(weight));
    await replica.dispose();
    return { firstLoss, firstGradient, lastLoss, parameters: hash(replica.vectors.parameters) };
  }

  it.each(['gpt2', 'llama'])('are the same in every run, with any threads: %s', async (family) => {
    const one = await train(family, 1);
    expect(one.lastLoss).toBeLessThan(one.firstLoss - 0.5);
    expect(await train(family, 1)).toEqual(one);
    for (const threads of [2, 2, 3, 4]) expect(await train(family, threads)).toEqual(one);
  });

  // A large table takes another operator than a small one.
  it.each([65, 20_000])('lose no row of %i where threads add several to one place', async (rows) => {
    const [count, width] = [1024, 256];
    const updates = input('updates', [count, width]);
    const sums = scatterAdd(input('base', [rows, width]), input('ids', [count], 'int64'), updates);
    const scattering = encode({ sums }, 'cpu');
    const random = new Random(5);
    const feeds = {
      base: new Float32Array(rows * width),
      ids: BigInt64Array.from({ length: count }, () => BigInt(random.below(65) * Math.floor(rows / 65))),
      updates: Float32Array.from({ length: count * width }, () => random.normal()),
    };
    const expected = new Float32Array(rows * width);
    feeds.ids.forEach((row, i) => {
      for (let j = 0; j < width; j++) {
        const at = Number(row) * width + j;
        expected[at] = expected[at]! + feeds.updates[i * width + j]!;
      }
    });
    for (const threads of [1, 2, 4]) {
      const session = await new NodeEngine().compile(scattering, { threads });
      for (let run = 0; run < (rows === 65 ? 50 : 3); run++) {
        const actual = (await session.run(feeds)).sums!;
        const wrong = expected.findIndex((value, i) => value !== actual[i]);
        expect(wrong, `${threads} threads, run ${run}: the first wrong element`).toBe(-1);
      }
      await session.dispose();
    }
  });
});
