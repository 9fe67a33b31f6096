import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { windowsOf } from '../data/sampling/windows.test-support.js';
import { NodeEngine } from '../engine/node/engine.js';
import { ParameterLayout } from '../model/layout.js';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import { fullRateElements, type RateOptions, rateRanges } from './rate-ranges.js';
import { Replica } from './replica.js';

const fixtures = new URL('../../test/fixtures/', import.meta.url).pathname;
const sizes = { layers: 3, width: 16, heads: 4, keyValueHeads: 4, context: 8, vocabulary: 20 };

/** The factor of each trained parameter, by name. */
function factors(model: Model, options: RateOptions): Record<string, number> {
  const ranges = rateRanges(model.layout, model.trained, options) ?? [{ elements: model.trained.size, factor: 1 }];
  expect(ranges.reduce((sum, { elements }) => sum + elements, 0)).toBe(model.trained.size);
  const all = new Float64Array(model.trained.size);
  let at = 0;
  for (const { elements, factor } of ranges) all.fill(factor, at, (at += elements));
  return Object.fromEntries(
    model.trained.entries.map(({ name, offset, size }) => {
      expect(new Set(all.subarray(offset, offset + size)).size, name).toBe(1);
      return [name, all[offset]!];
    }),
  );
}

describe('rates by layer', () => {
  it.each([
    [
      'gpt2',
      'transformer.h.%.mlp.c_fc.weight',
      ['transformer.wte.weight', 'transformer.wpe.weight'],
      ['transformer.ln_f.bias'],
    ],
    [
      'llama',
      'model.layers.%.mlp.up_proj.weight',
      ['model.embed_tokens.weight'],
      ['model.norm.weight', 'lm_head.weight'],
    ],
    [
      'bert',
      'bert.encoder.layer.%.output.LayerNorm.bias',
      ['bert.embeddings.word_embeddings.weight', 'bert.embeddings.LayerNorm.weight'],
      ['cls.predictions.transform.dense.weight', 'cls.predictions.bias'],
    ],
    [
      'modernbert',
      'model.layers.%.mlp.Wo.weight',
      ['model.embeddings.tok_embeddings.weight', 'model.embeddings.norm.weight'],
      ['model.final_norm.weight', 'head.dense.weight'],
    ],
    ['t5', 'encoder.block.%.layer.1.DenseReluDense.wo.weight', ['shared.weight'], ['encoder.final_layer_norm.weight']],
    ['t5', 'decoder.block.%.layer.2.DenseReluDense.wo.weight', [], ['decoder.final_layer_norm.weight']],
  ])('fall from the last block of %s to its embeddings', (family, block, below, above) => {
    const found = factors(Model.create(family, sizes), { layerLrDecay: 0.5 });
    for (const [i, factor] of [0.25, 0.5, 1].entries()) expect(found[block.replace('%', `${i}`)]).toBe(factor);
    for (const name of below) expect(found[name], name).toBe(0.125);
    for (const name of above) expect(found[name], name).toBe(1);
  });

  it('count the blocks of the whole model, whatever of it is trained', () => {
    const model = Model.create('llama', sizes);
    const part = factors(model.freeze(['*', '!layers.1.*', '!lm_head.*']), { layerLrDecay: 0.5 });
    expect(part['lm_head.weight']).toBe(1);
    expect(part['model.layers.1.mlp.up_proj.weight']).toBe(0.5);
    const adapted = factors(model.adapt({ rank: 2, alpha: 4, targets: ['layers.[0-1].*'] }), { layerLrDecay: 0.5 });
    expect(new Set(Object.values(adapted))).toEqual(new Set([0.25, 0.5]));
    expect(adapted['model.layers.0.self_attn.q_proj.lora_B.weight']).toBe(0.25);
  });

  it('multiply with those of all patterns that fit', () => {
    const model = Model.create('llama', sizes).adapt({ rank: 2, alpha: 4 });
    const found = factors(model, { layerLrDecay: 0.5, lrScale: ['lora_B.*=16', 'layers.2.*.q_proj.* = 0.5'] });
    expect(found['model.layers.2.self_attn.q_proj.lora_B.weight']).toBe(8);
    expect(found['model.layers.2.self_attn.q_proj.lora_A.weight']).toBe(0.5);
    expect(found['model.layers.1.self_attn.q_proj.lora_B.weight']).toBe(8);
    expect(found['model.layers.0.self_attn.q_proj.lora_A.weight']).toBe(0.25);
  });

  it('are none where all are the same, and one where all have one factor', () => {
    const { layout } = Model.create('gpt2', sizes);
    expect(rateRanges(layout, layout, {})).toBeUndefined();
    expect(rateRanges(layout, layout, { layerLrDecay: 1, lrScale: ['*=1', 'wte.*=1'] })).toBeUndefined();
    expect(rateRanges(layout, layout, { lrScale: ['*=0.5'] })).toEqual([{ elements: layout.size, factor: 0.5 }]);
    expect(fullRateElements(100, undefined)).toBe(100);
    expect(fullRateElements(100, [{ elements: 100, factor: 0.5 }])).toBe(25);
  });

  it.each([
    [{ lrScale: ['wte.*'] }, /`lrScale: 'wte\.\*'`: expected PATTERN=FACTOR with a factor above 0 and at most 10000/],
    [{ lrScale: ['wte.*='] }, /expected PATTERN=FACTOR/],
    [{ lrScale: ['=2'] }, /expected PATTERN=FACTOR/],
    [{ lrScale: ['wte.*=0'] }, /above 0.*What is not to learn at all is named by `freeze`/],
    [{ lrScale: ['wte.*=-1'] }, /above 0/],
    [{ lrScale: ['wte.*=NaN'] }, /above 0/],
    [{ lrScale: ['wte.*=1e9'] }, /at most 10000/],
    [
      { lrScale: ['wte.*=1', 'q_proj.*=2'] },
      /`lrScale: 'q_proj\.\*=2'` fits nothing that is trained.*transformer\.h\.\*\.attn\.c_attn\.weight/,
    ],
    [{ lrScale: ['h.[0=2'] }, /has a \[ that no \] closes/],
  ] as [RateOptions, RegExp][])('are refused as %j', (options, message) => {
    const { layout } = Model.create('gpt2', sizes);
    expect(() => rateRanges(layout, layout, options)).toThrow(message);
  });

  it('need blocks to fall from', () => {
    const parameters = ['in.weight', 'out.weight'].map((name) => ({
      name,
      shape: [2, 2],
      initialization: { fill: 0 },
    }));
    const layout = new ParameterLayout(parameters);
    expect(() => rateRanges(layout, layout, { layerLrDecay: 0.5 })).toThrow(
      /is of models with blocks.*in\.weight, out\.weight/,
    );
    expect(rateRanges(layout, layout, { lrScale: ['in.*=0.5'] })).toEqual([
      { elements: 4, factor: 0.5 },
      { elements: 4, factor: 1 },
    ]);
  });
});

describe.each([
  ['gpt2', ['bias=3']],
  ['llama', ['*norm.weight=3', 'layers.1.mlp.down_proj.weight=0.25']],
] as const)('a replica of %s with rates of its layers', (name, lrScale) => {
  it('follows five steps of groups of torch.optim.AdamW', async () => {
    const folder = `${fixtures}models/${name}`;
    const model = Model.fromConfig(JSON.parse(await readFile(`${folder}/config.json`, 'utf8')));
    const files = [
      `${folder}/model.safetensors`,
      `${folder}/expected.safetensors`,
      `${fixtures}layer-rates/${name}.safetensors`,
    ];
    const [initial, text, expected] = await Promise.all(files.map((file) => SafetensorsFile.open(file)));
    const rates = rateRanges(model.layout, model.trained, { layerLrDecay: 0.6, lrScale });
    const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1, rateRanges: rates };
    const setup = {
      objective: new Causal(model, 13),
      engine: new NodeEngine(),
      batch: 3,
      gradientAccumulation: 1,
      optimizer,
    };
    const replica = await Replica.create(setup);
    const views = model.layout.views(replica.vectors.parameters);
    for (const { name: parameter } of model.layout.entries) await initial!.readFloat32(parameter, views[parameter]!);
    const ints = async (tensor: string) => {
      const bytes = await text!.readBytes(tensor);
      return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    };
    const [ids, targets] = [await ints('steps.input_ids'), await ints('steps.targets')];
    const losses = await expected!.readFloat32('loss');
    for (const [step, rate] of (await expected!.readFloat32('lr')).entries()) {
      const rows = Array.from({ length: 3 }, (_, b) => {
        const at = 13 * (3 * step + b);
        return [...ids.subarray(at, at + 13), targets[at + 12]!];
      });
      const batch = windowsOf(Int32Array.from(rows.flat()), 13);
      const { loss, weight } = await replica.computeGradient(() => batch);
      expect(Math.abs(loss / losses[step]! - 1), `step ${step}`).toBeLessThan(1e-5);
      await replica.applyGradient(step, rate, replica.scaleOf(weight));
    }
    for (const { name: parameter } of model.layout.entries) {
      const reference = await expected!.readFloat32(`final.${parameter}`);
      // The true gradient of a key's bias is 0, and AdamW steps along rounding noise there.
      const width = parameter.endsWith('c_attn.bias') ? reference.length / 3 : 0;
      let worst = 0;
      for (const [i, value] of reference.entries())
        if (i < width || i >= 2 * width) worst = Math.max(worst, Math.abs(views[parameter]![i]! - value));
      expect(worst, parameter).toBeLessThan(1e-5);
    }
    await replica.dispose();
    for (const file of [initial, text, expected]) await file!.close();
  });
});
