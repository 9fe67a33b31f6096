import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { Random } from '../base/random.js';
import { windowsOf } from '../data/sampling/windows.test-support.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import { Replica, recomputation } from './replica.js';

const fixtures = new URL('../../test/fixtures/models/', import.meta.url).pathname;

/** The largest difference relative to the largest expected value. */
function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [worst, largest] = [0, 1e-12];
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return worst / largest;
}

const opened: SafetensorsFile[] = [];

afterEach(async () => {
  for (const file of opened.splice(0)) await file.close();
});

async function open(name: string, gradientAccumulation = 1, batch = 3) {
  const json = async (file: string) => JSON.parse(await readFile(`${fixtures}${name}/${file}`, 'utf8'));
  const model = Model.fromConfig(await json('config.json'));
  const training = await json('training.json');
  const expected = await SafetensorsFile.open(`${fixtures}${name}/expected.safetensors`);
  const initial = await SafetensorsFile.open(`${fixtures}${name}/model.safetensors`);
  opened.push(expected, initial);
  const replica = await Replica.create({
    objective: new Causal(model, 13),
    engine: new NodeEngine(),
    batch,
    gradientAccumulation,
    optimizer: {
      beta1: training.beta1,
      beta2: training.beta2,
      epsilon: training.epsilon,
      weightDecay: training.weight_decay,
      clip: training.clip,
    },
  });
  for (const entry of model.layout.entries) {
    await initial.readFloat32(entry.name, model.layout.views(replica.vectors.parameters)[entry.name]!);
  }
  const ints = async (tensor: string) => {
    const bytes = await expected.readBytes(tensor);
    return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  };
  /** Rows of 14 tokens: the ids and the last target. */
  const rows = (ids: Int32Array, targets: Int32Array) => {
    const result = new Int32Array((ids.length / 13) * 14);
    for (let b = 0; b < ids.length / 13; b++) {
      result.set(ids.subarray(b * 13, b * 13 + 13), b * 14);
      result[b * 14 + 13] = targets[b * 13 + 12]!;
    }
    return result;
  };
  return { model, replica, expected, ints, rows };
}

describe.each(['gpt2', 'llama', 'llama-tied'])('a replica of %s against PyTorch', (name) => {
  it('computes the loss and every gradient', async () => {
    const { model, replica, expected, ints, rows } = await open(name);
    const { loss } = await replica.computeGradient(await batchOf({ ints, rows }));
    expect(difference([loss], await expected.readFloat32('loss'))).toBeLessThan(1e-5);
    const gradients = model.layout.views(replica.vectors.gradient);
    for (const { name: parameter } of model.layout.entries) {
      const reference = await expected.readFloat32(`gradient.${parameter}`);
      expect(difference(gradients[parameter]!, reference), parameter).toBeLessThan(1e-4);
    }
    await replica.dispose();
  });

  it('gives the same gradient from three micro-batches as from one batch', async () => {
    const whole = await open(name);
    const parts = await open(name, 3, 1);
    const windows = (await batchOf(whole))();
    const { loss } = await whole.replica.computeGradient(() => windows);
    let i = 0;
    const sum = await parts.replica.computeGradient(() => windows.slice(i, ++i));
    expect(sum.weight).toBe(39);
    expect(sum.loss).toBeCloseTo(loss, 5);
    const mean = parts.replica.vectors.gradient.map((value) => value / 3);
    expect(difference(mean, whole.replica.vectors.gradient)).toBeLessThan(1e-5);
    await whole.replica.dispose();
    await parts.replica.dispose();
  });

  it('follows 20 steps of AdamW', async () => {
    const { model, replica, expected, ints, rows } = await open(name);
    const ids = await ints('steps.input_ids');
    const targets = await ints('steps.targets');
    const rates = await expected.readFloat32('steps.lr');
    const losses: number[] = [];
    const norms: number[] = [];
    for (let step = 0; step < rates.length; step++) {
      const at = [step * 39, step * 39 + 39] as const;
      const batch = windowsOf(rows(ids.subarray(...at), targets.subarray(...at)), 13);
      const { loss, weight } = await replica.computeGradient(() => batch);
      losses.push(loss);
      norms.push((await replica.applyGradient(step, rates[step]!, replica.scaleOf(weight))).gradientNorm);
    }
    expect(difference(losses, await expected.readFloat32('steps.loss'))).toBeLessThan(1e-4);
    expect(difference(norms, await expected.readFloat32('steps.grad_norm'))).toBeLessThan(1e-4);
    const parameters = model.layout.views(replica.vectors.parameters);
    for (const { name: parameter } of model.layout.entries) {
      const [actual, reference] = [parameters[parameter]!, await expected.readFloat32(`final.${parameter}`)];
      // The true gradient of a key's bias is 0 and AdamW steps along rounding noise there (see the fixtures' README).
      const width = parameter.endsWith('c_attn.bias') ? reference.length / 3 : 0;
      const kept = (values: Float32Array) => values.filter((_, at) => at < width || at >= 2 * width);
      expect(difference(kept(actual), kept(reference)), parameter).toBeLessThan(1e-4);
    }
    await replica.dispose();
  });
});

async function batchOf({ ints, rows }: Pick<Awaited<ReturnType<typeof open>>, 'ints' | 'rows'>) {
  const batch = windowsOf(rows(await ints('input_ids'), await ints('targets')), 13);
  return () => batch;
}

describe('recomputation', () => {
  const sizes = { layers: 2, width: 32, heads: 2, keyValueHeads: 2, context: 16, vocabulary: 64 };
  const families = ['gpt2', 'llama', 'qwen3', 'gemma2', 'phi3'] as const;

  it.each(families)(
    'changes no bit of the loss and of the gradient of %s, whole and with an adapter',
    async (family) => {
      const whole = Model.create(family, sizes);
      const engine = new NodeEngine();
      const windows = windowsOf(
        Int32Array.from({ length: 100 }, (_, i) => (i * i) % 64),
        16,
      );
      for (const model of [whole, whole.adapt({ rank: 2, alpha: 4 })]) {
        const { trained, frozen } = model.initialize(new Random(1));
        for (const [i, value] of trained.entries()) trained[i] = value + 0.02 * Math.sin(i);
        const results = [];
        for (const recompute of [false, true]) {
          const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, clip: 0 };
          const objective = new Causal(model);
          const common = { objective, frozen, engine, batch: 2, gradientAccumulation: 1, optimizer };
          const replica = await Replica.create({ ...common, recompute });
          replica.adopt({ parameters: trained.slice() });
          const told = await replica.computeGradient(() => windows.slice(0, 2));
          results.push({ ...told, gradient: replica.vectors.gradient });
          await replica.dispose();
        }
        expect(results[1]).toEqual(results[0]);
        expect(results[0]!.gradient.some((value) => value !== 0)).toBe(true);
      }
    },
  );

  it('is that of large models, however little of them is trained, and of stored ones', () => {
    const large = Model.create('llama', { ...sizes, width: 1024, vocabulary: 30_000 });
    const which = (model: Model) => recomputation(new Causal(model));
    expect(which(Model.create('llama', sizes))).toBe(false);
    expect(which(large)).toBe(true);
    expect(which(large.adapt({ rank: 2, alpha: 4 }))).toBe(true);
    expect(which(Model.create('llama', sizes).adapt({ rank: 2, alpha: 4 }, 'int4'))).toBe(true);
  });
});
