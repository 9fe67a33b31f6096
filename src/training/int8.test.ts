import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import type { TokenWindow } from '../data/sampling/token-windows.js';
import { probeInt8 } from '../engine/int8-probe.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import { Replica } from './replica.js';

const engine = new NodeEngine();
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 };

interface Setting {
  readonly family: string;
  readonly layers: number;
  readonly width: number;
  readonly vocabulary: number;
  /** Steps in float32 before gradients are compared. */
  readonly steps: number;
}

/** Words of a text that repeats itself with changes, some of them far more often than others. */
function windowsOf(vocabulary: number, length: number) {
  const random = new Random(3, 'text');
  const tokens = Array.from({ length: 4000 }, () => Math.floor(vocabulary * random.uniform() ** 4));
  for (let i = 200; i < tokens.length; i++) if (random.uniform() < 0.8) tokens[i] = tokens[i - 200]!;
  return (): TokenWindow => {
    const at = random.below(tokens.length - length - 1);
    return { ids: Int32Array.from(tokens.slice(at, at + length + 1)), number: [0, at] };
  };
}

/** A gradient in float32 and several in 8 bits, each rounded by other numbers, at the same parameters on the same batch. */
async function gradientsOf({ family, layers, width, vocabulary, steps }: Setting) {
  const [length, batch] = [48, 6];
  const model = Model.create(family, { layers, width, heads: 4, keyValueHeads: 4, context: length, vocabulary });
  const options = { objective: new Causal(model), engine, batch, gradientAccumulation: 1, optimizer };
  const replica = await Replica.create(options);
  replica.vectors.parameters.set(model.layout.initialize(new Random(1, 'parameters')));
  const window = windowsOf(vocabulary, length);
  const next = () => Array.from({ length: batch }, window);
  for (let step = 0; step < steps; step++) {
    const { weight } = await replica.computeGradient(next);
    await replica.applyGradient(step, 3e-3 * Math.min(1, (step + 1) / 10), replica.scaleOf(weight));
  }
  const fixed = next();
  const { loss } = await replica.computeGradient(() => fixed);
  const exact = replica.vectors.gradient.slice();
  const quantised = await Replica.create({ ...options, int8: { seed: 1 } });
  quantised.vectors.parameters.set(replica.vectors.parameters);
  const losses: number[] = [];
  const rounded: Float32Array[] = [];
  for (const counter of [0, 1, 2, 3]) {
    losses.push((await quantised.computeGradient(() => fixed, [0, counter])).loss);
    rounded.push(quantised.vectors.gradient.slice());
  }
  await replica.dispose();
  await quantised.dispose();
  const came = new Set(fixed.flatMap(({ ids }) => [...ids]));
  return { model, loss, exact, losses, rounded, came };
}

/** Of each parameter, and of the parts of one that makes queries, keys and values: which elements they are. */
function* partsOf({ layout, dimensions }: Model): Generator<[name: string, elements: number[]]> {
  for (const { name, offset, size } of layout.entries) {
    const all = Array.from({ length: size }, (_, i) => offset + i);
    if (!name.endsWith('c_attn.weight')) yield [name, all];
    else
      for (const [k, part] of ['q', 'k', 'v'].entries())
        yield [
          `${name}/${part}`,
          all.filter((i) => Math.floor(((i - offset) % (3 * dimensions.width)) / dimensions.width) === k),
        ];
  }
}

function relativeError(exact: Float32Array, found: Float32Array, elements: readonly number[]): number {
  let [error, size] = [0, 0];
  for (const i of elements) {
    error += (exact[i]! - found[i]!) ** 2;
    size += exact[i]! ** 2;
  }
  return Math.sqrt(error / size);
}

const meanOf = (vectors: readonly Float32Array[]): Float32Array =>
  vectors[0]!.map((_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length);

describe('the gradient with products in 8 bits', () => {
  let exact: boolean;
  beforeAll(async () => {
    ({ exact } = await probeInt8(engine));
  });

  // Another batch changes a gradient by about its own size.
  it.for([
    ['a new model', { family: 'gpt2', layers: 2, width: 64, vocabulary: 200, steps: 0 }, 0.04, 0.08],
    ['a model that has learned', { family: 'gpt2', layers: 2, width: 64, vocabulary: 200, steps: 60 }, 0.07, 0.15],
    ['a llama', { family: 'llama', layers: 2, width: 64, vocabulary: 200, steps: 60 }, 0.04, 0.06],
    ['a qwen3', { family: 'qwen3', layers: 2, width: 64, vocabulary: 200, steps: 60 }, 0.06, 0.1],
    ['a large vocabulary', { family: 'gpt2', layers: 1, width: 64, vocabulary: 40_000, steps: 0 }, 0.05, 0.1],
    ['a large vocabulary, learned', { family: 'gpt2', layers: 1, width: 64, vocabulary: 40_000, steps: 20 }, 0.05, 0.1],
  ] as const)('of %s is near that in float32, part by part', async ([, setting, whole, each], { skip }) => {
    skip(!exact, 'this processor has no exact products in 8 bits');
    const { model, loss, losses, exact: expected, rounded } = await gradientsOf(setting);
    for (const found of losses) expect(Math.abs(found / loss - 1)).toBeLessThan(2e-3);
    const all = [...expected.keys()];
    expect(relativeError(expected, rounded[0]!, all), 'all of it').toBeLessThan(whole);
    for (const [name, elements] of partsOf(model))
      expect(relativeError(expected, rounded[0]!, elements), name).toBeLessThan(each);
  });

  it('is rounded by other numbers at each micro-batch, the same at the same, and better in the mean', async ({
    skip,
  }) => {
    skip(!exact, 'this processor has no exact products in 8 bits');
    const setting = { family: 'gpt2', layers: 1, width: 32, vocabulary: 3000, steps: 60 };
    const { model, exact: expected, rounded, came } = await gradientsOf(setting);
    const again = await gradientsOf(setting);
    expect(again.rounded).toEqual(rounded);
    expect(rounded[1]).not.toEqual(rounded[0]);
    // What the head's rows are told of tokens that did not come: rounded to nearest, most of it would be missing.
    const { width } = model.dimensions;
    const { offset, size } = model.layout.entries.find(({ name }) => name === 'transformer.wte.weight')!;
    const absent = Array.from({ length: size }, (_, i) => i).filter((i) => !came.has(Math.floor(i / width)));
    const elements = absent.map((i) => offset + i);
    const single = relativeError(expected, rounded[0]!, elements);
    const mean = relativeError(expected, meanOf(rounded), elements);
    expect(single).toBeLessThan(0.03);
    // Of errors that have nothing to do with each other the mean of four is half as large.
    expect(mean / single).toBeLessThan(0.7);
  });
});
