import { afterEach, describe, expect, it } from 'vitest';
import { Random } from '../../../base/random.js';
import { DTYPE_BYTES } from '../../../base/safetensors-dtype.js';
import type { TokenWindow } from '../../../data/sampling/token-windows.js';
import { windowsOf } from '../../../data/sampling/windows.test-support.js';
import { NodeEngine } from '../../../engine/node/engine.js';
import { Model } from '../../../model/model.js';
import { Causal } from '../../../objectives/causal/causal.js';
import { Evaluator } from '../../evaluation.js';
import { Replica } from '../../replica.js';
import { traceBackward } from '../part-programs.js';
import { adaptedGraph } from './adapted-graph.js';
import type { BaseTensors } from './base-sections.js';
import { StreamedAdapter } from './streamed-adapter.js';

/** With so small a norm every step is clipped, so that a wrong one is seen. */
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1e-3 };
const engine = new NodeEngine();
const CONTEXT = 16;
const V = 61;

const opened: { dispose(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.dispose();
});

function modelOf(family: string, more: object, targets?: readonly string[]): Model {
  const sizes = { layers: 3, width: 32, heads: 4, keyValueHeads: family === 'gpt2' ? 4 : 2, context: CONTEXT };
  const made = Model.create(family, { ...sizes, vocabulary: V });
  const model = Model.fromConfig({ ...(made.config as object), ...more });
  return model.partly({ adapter: { rank: 4, alpha: 8, ...(targets && { targets }) } });
}

/** A base of bfloat16, as its file would have it, and its values. */
function bfloat16Base(model: Model, values: Float32Array): BaseTensors {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) bits[i]! &= 0xffff0000;
  const halves = Uint16Array.from(bits, (all) => all >>> 16);
  const bytes = new Uint8Array(halves.buffer);
  const offsets = new Map(model.frozen.entries.map(({ name, offset }) => [name, offset * DTYPE_BYTES.BF16]));
  return {
    dtypeOf: () => 'BF16',
    readRange: async (name, from, target) => {
      // Later than who asked goes on, as a disk would.
      await new Promise((resolve) => setImmediate(resolve));
      const start = offsets.get(name)! + from;
      target.set(bytes.subarray(start, start + target.length));
    },
    check: async () => {},
    close: async () => {},
  };
}

const windows = (random: Random, count: number) =>
  windowsOf(
    Int32Array.from({ length: count * (CONTEXT + 1) }, () => random.below(V)),
    CONTEXT,
  );

describe('an adapter beside a model that comes layer by layer', () => {
  it.each([
    ['gpt2', {}, 1, undefined],
    ['llama', {}, 2, undefined],
    ['qwen3', { tie_word_embeddings: true }, 3, undefined],
    ['gemma2', {}, 1, undefined],
    // The first layers have nothing that learns.
    ['llama', {}, 2, ['layers.2.self_attn.q_proj', 'layers.1.mlp.down_proj']],
  ] as const)(
    'learns what it learns beside the whole: %s %j, %i micro-batches',
    async (family, more, accumulation, targets) => {
      const model = modelOf(family, more, targets);
      const batch = 4;
      const objective = new Causal(model, CONTEXT);
      const { trained, frozen } = model.initialize(new Random(3));
      const base = bfloat16Base(model, frozen);
      const common = { objective, engine, batch, gradientAccumulation: accumulation, optimizer };
      const whole = await Replica.create({ ...common, frozen });
      // A table in several sections of unequal sizes.
      const streamed = await StreamedAdapter.create({ ...common, base, rows: 25 });
      opened.push(whole, streamed);
      whole.vectors.parameters.set(trained);
      streamed.adopt({ parameters: trained.slice() });
      const random = new Random(5);
      let clipped = 0;
      for (let step = 0; step < 12; step++) {
        const batches = Array.from({ length: accumulation }, () => windows(random, 4));
        const next = () => {
          const queue = [...batches];
          return () => queue.shift()!;
        };
        const [expected, got] = [await whole.computeGradient(next()), await streamed.computeGradient(next())];
        expect(got.weight).toBe(expected.weight);
        expect(Math.abs(got.loss / expected.loss - 1)).toBeLessThan(1e-5);
        const scale = whole.scaleOf(expected.weight);
        const { gradientNorm } = await whole.applyGradient(step, 3e-3, scale);
        const report = await streamed.applyGradient(step, 3e-3, streamed.scaleOf(got.weight));
        expect(Math.abs(report.gradientNorm / gradientNorm - 1)).toBeLessThan(1e-3);
        if (gradientNorm > optimizer.clip) clipped++;
      }
      expect(clipped).toBeGreaterThan(6);
      expect(distance(streamed.vectors.parameters, whole.vectors.parameters)).toBeLessThan(1e-4);
      expect(distance(streamed.vectors.moment1 as Float32Array, whole.vectors.moment1)).toBeLessThan(1e-3);
      expect(distance(trained, whole.vectors.parameters)).toBeGreaterThan(1e-2);

      // More than go through a layer together, and a micro-batch that is not full.
      const held: TokenWindow[] = windows(random, 4 * 4 * accumulation + 3);
      const evaluator = new Evaluator(objective, engine, 4, {}, frozen);
      opened.push(evaluator);
      const [expected, got] = [await evaluator.lossSum(whole.vectors.parameters, held), await streamed.lossSum(held)];
      expect(got.weight).toBe(expected.weight);
      expect(Math.abs(got.sum / expected.sum - 1)).toBeLessThan(1e-5);
    },
  );

  it('makes no gradient of the base', () => {
    const { parts } = adaptedGraph(new Causal(modelOf('llama', {}), CONTEXT) as never, 2);
    const { layer, learned } = parts[1]!;
    const outputs = [...traceBackward(layer, false, engine).outputs.keys()];
    expect(learned.length).toBeGreaterThan(0);
    expect(outputs).toHaveLength(1 + learned.length);
    expect(learned.every((name) => name.includes('lora_'))).toBe(true);
  });

  it('refuses adapters at the ends of a model', () => {
    const objective = new Causal(modelOf('llama', {}, ['embed_tokens', 'q_proj']), CONTEXT);
    expect(() => adaptedGraph(objective as never, 2)).toThrow('cannot be trained layer by layer');
    const head = new Causal(modelOf('llama', {}, ['lm_head', 'q_proj']), CONTEXT);
    expect(() => adaptedGraph(head as never, 2)).toThrow('cannot be trained layer by layer');
  });
});

function distance(a: Float32Array, b: Float32Array): number {
  let [difference, length] = [0, 0];
  for (const [i, value] of b.entries()) {
    difference += (a[i]! - value) ** 2;
    length += value ** 2;
  }
  return Math.sqrt(difference / length);
}
