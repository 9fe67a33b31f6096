import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { Random } from '../base/random.js';
import { NodeEngine } from '../engine/node/engine.js';
import { encode, gradients, input, linearCrossEntropy } from '../graph/index.js';
import { adapterVector, readAdapter } from '../hub/peft.js';
import { takeTwoEnds, transposed } from '../hub/peft-ends.js';
import { takeTokenRows } from '../hub/peft-tokens.js';
import { mergeAdapter } from '../training/merge-adapter.js';
import { difference } from './bert.test-support.js';
import { Model } from './model.js';
import { savedName } from './saved-modules.js';

const engine = new NodeEngine();
const at = (name: string) => new URL(`../../test/fixtures/${name}`, import.meta.url).pathname;
const sizes = { layers: 2, width: 8, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 11 };

async function readInto(path: string, names: readonly string[], views: Record<string, Float32Array>, prefix = '') {
  const file = await SafetensorsFile.open(path);
  for (const name of names) await file.readFloat32(prefix + name, views[name]!);
  await file.close();
}

/** A tiny model of `test/fixtures/models` with its adapter of `test/fixtures/adapters`, and what PEFT computes for them. */
async function open(family: string) {
  const of = family.replace(/(-(ends|tokens|both|apart|saved|head))+$/, '');
  const tied = Model.fromConfig(JSON.parse(await readFile(at(`models/${of}/config.json`), 'utf8')));
  const whole = new Float32Array(tied.layout.size);
  const names = tied.layout.entries.map(({ name }) => name);
  await readInto(at(`models/${of}/model.safetensors`), names, tied.layout.views(whole));
  const adapter = await readAdapter(at(`adapters/${family}`), tied);
  const { model: base, parameters: weights } = adapter.untied
    ? takeTwoEnds(tied, whole)
    : { model: tied, parameters: whole };
  const { vocabulary, width } = base.dimensions;
  const rows = adapter.tokenRows.map(({ parameter, ids }) => ({
    ...{ name: parameter.replace('.weight', ''), first: ids[0]!, count: ids.length, vocabulary, width },
  }));
  const answers = await SafetensorsFile.open(at(`adapters/${family}/expected.safetensors`));
  const saved = base.layout.entries.filter(({ name }) =>
    answers.tensors.has(`gradient.base_model.model.${savedName(name)}`),
  );
  const model = base.withAdapter(adapter.layers, 'fp32', rows, saved);
  return { base, weights, adapter, model, answers };
}

/** Tokens in the order of time, [T · B], of a file's [B, T]. */
async function timeMajor(answers: SafetensorsFile, name: string) {
  const [B, T] = answers.info(name).shape as [number, number];
  const bytes = await answers.readBytes(name);
  const ids = new Int32Array(bytes.buffer, bytes.byteOffset, B * T);
  return { B, T, ids: BigInt64Array.from({ length: B * T }, (_, i) => BigInt(ids[(i % B) * T + Math.floor(i / B)]!)) };
}

/** What the adapters of `llama` and `gpt2` are beside, as `make.py` has them. */
const FAMILIES = [
  ...['gpt2', 'llama', 'llama-ends', 'llama-tokens', 'llama-tied-tokens', 'gpt2-tokens', 'llama-tied-both'],
  ...['llama-tied-apart', 'llama-saved', 'llama-tied-saved', 'llama-tied-saved-head'],
];

describe.each(FAMILIES)('an adapter beside %s', (family) => {
  it('has the logits, the loss and the gradients that PEFT computes', async () => {
    const { model, weights, adapter, answers } = await open(family);
    const { B, T, ids } = await timeMajor(answers, 'input_ids');
    const { ids: targets } = await timeMajor(answers, 'targets');
    const p = model.parameterInputs();
    const x_NC = model.hidden(p, input('ids', [B * T], 'int64'), B, T);
    const loss = linearCrossEntropy(x_NC, model.head(p), input('targets', [B * T], 'int64'));
    const names = model.trained.entries.map(({ name }) => name);
    const slopes = gradients(
      loss,
      names.map((name) => p[name]!),
    );
    const outputs = {
      logits: model.logits(p, x_NC),
      loss,
      ...Object.fromEntries(names.map((name, i) => [`gradient.${name}`, slopes[i]!])),
    };
    const session = await engine.compile(encode(outputs, engine.target), { threads: 1 });
    const found = await session.run({ ids, targets, ...model.views(adapterVector(model, adapter), weights) });
    await session.dispose();
    const logits = await answers.readFloat32('logits');
    const V = logits.length / (B * T);
    const ordered = logits.map((_, i) => logits[((Math.floor(i / V) % B) * T + Math.floor(i / V / B)) * V + (i % V)]!);
    expect(difference(found.logits as Float32Array, ordered)).toBeLessThan(1e-4);
    expect(difference(found.loss as Float32Array, await answers.readFloat32('loss'))).toBeLessThan(1e-4);
    for (const name of names) {
      const expected = await gradientOf(answers, name);
      expect(difference(found[`gradient.${name}`] as Float32Array, expected), name).toBeLessThan(1e-4);
    }
    await answers.close();
  });

  it.skipIf(/-(both|apart)$/.test(family))('merges into the weights as PEFT merges it', async () => {
    const { base, weights, adapter, answers } = await open(family);
    const before = weights.slice();
    const own = base.layout.views(weights);
    for (const [name, values] of Object.entries(adapter.replaced)) own[name]!.set(values);
    takeTokenRows(base, weights, adapter);
    await mergeAdapter(engine, base.layout, weights, adapter.layers);
    const [views, old] = [base.layout.views(weights), base.layout.views(before)];
    const merged = new Set([
      ...adapter.layers.map(({ name }) => `${name}.weight`),
      ...adapter.tokenRows.map(({ parameter }) => parameter),
      ...Object.keys(adapter.replaced),
    ]);
    for (const { name } of base.layout.entries) {
      if (merged.has(name))
        expect(difference(views[name]!, await answers.readFloat32(`merged.${name}`)), name).toBeLessThan(1e-6);
      else expect(views[name]).toEqual(old[name]);
    }
    await answers.close();
  });
});

/** PEFT trains the two sides of an adapter that embedding and head share as two parameters with one memory. */
async function gradientOf(answers: SafetensorsFile, name: string): Promise<Float32Array> {
  const own = await answers.readFloat32(`gradient.base_model.model.${name}`);
  const side = /lora_embedding_([AB])$/.exec(name)?.[1];
  const other = `gradient.base_model.model.lm_head.lora_${side === 'A' ? 'B' : 'A'}.weight`;
  if (side === undefined || !answers.tensors.has(other) || answers.tensors.has('merged.lm_head.weight')) return own;
  const [rows, columns] = answers.info(other).shape as [number, number];
  const turned = transposed(await answers.readFloat32(other), rows, columns);
  return own.map((value, i) => value + turned[i]!);
}

describe('a model with an adapter', () => {
  const settings = { rank: 2, alpha: 4 };

  it('trains the matrices alone, beside all linear layers but the head', () => {
    const model = Model.create('llama', sizes);
    const adapted = model.adapt(settings);
    expect(adapted.adapted.map(({ name }) => name)).toEqual(
      [0, 1].flatMap((i) =>
        [
          'self_attn.q_proj',
          'self_attn.k_proj',
          'self_attn.v_proj',
          'self_attn.o_proj',
          'mlp.gate_proj',
          'mlp.up_proj',
          'mlp.down_proj',
        ].map((name) => `model.layers.${i}.${name}`),
      ),
    );
    expect(adapted.frozen.entries).toEqual(model.layout.entries);
    expect(adapted.adapted[0]).toMatchObject({ inputs: 8, outputs: 8, rank: 2, scale: 2, rows: 'outputs' });
    expect(Model.create('gpt2', sizes).adapt(settings).adapted[0]).toMatchObject({ outputs: 24, rows: 'inputs' });
    expect(Model.create('bert', sizes).adapt(settings).adapted.at(-1)!.name).toBe('cls.predictions.transform.dense');
  });

  it('adds nothing at first, and starts the same for the same seed', () => {
    const model = Model.create('gpt2', sizes).adapt({ ...settings, rankStabilized: true });
    expect(model.adapted[0]!.scale).toBe(4 / Math.sqrt(2));
    const { trained, frozen } = model.initialize(new Random(5, 'parameters'));
    expect(model.initialize(new Random(5, 'parameters'))).toEqual({ trained, frozen });
    expect(frozen).toEqual(Model.create('gpt2', sizes).initialize(new Random(5, 'parameters')).trained);
    for (const [name, values] of Object.entries(model.trained.views(trained))) {
      const bound = name.endsWith('lora_A.weight') ? 1 / Math.sqrt(values.length / 2) : 0;
      expect(Math.max(...values.map(Math.abs)), name).toBeLessThanOrEqual(bound);
      expect(Math.max(...values.map(Math.abs)), name).toBeGreaterThanOrEqual(bound / 2);
    }
  });

  it('is put beside embedding and head where they are named, as PEFT starts them', () => {
    const base = Model.create('llama', sizes);
    const model = base.adapt({ ...settings, targets: ['embed_tokens', 'q_proj', 'lm_head'] });
    expect(model.adapted.map(({ name, role }) => [name, role])).toEqual([
      ['model.embed_tokens', 'embedding'],
      ['model.layers.0.self_attn.q_proj', undefined],
      ['model.layers.1.self_attn.q_proj', undefined],
      ['lm_head', 'head'],
    ]);
    const views = model.trained.views(model.initialize(new Random(5, 'parameters')).trained);
    expect(new Set(views['model.embed_tokens.lora_embedding_A'])).toEqual(new Set([0]));
    const b = views['model.embed_tokens.lora_embedding_B']!;
    expect([views['model.embed_tokens.lora_embedding_A']!.length, b.length]).toEqual([2 * 11, 8 * 2]);
    expect(Math.sqrt(b.reduce((sum, value) => sum + value * value, 0) / b.length)).toBeGreaterThan(0.5);
    expect(new Set(views['lm_head.lora_B.weight'])).toEqual(new Set([0]));
  });

  it.each([
    ['gpt2', 'wte'],
    ['gemma', 'embed_tokens'],
    ['gemma', 'lm_head'],
  ])('of %s has one for embedding and head beside %s, which are one matrix; `*` means the others', (family, target) => {
    const model = Model.create(family, sizes);
    const { adapted, trained } = model.adapt({ ...settings, targets: [target] });
    expect(adapted).toMatchObject([{ role: 'embedding', tied: true, inputs: 11, outputs: 8 }]);
    expect(trained.entries.map(({ name }) => name)).toEqual(
      ['A', 'B'].map((m) => `${adapted[0]!.name}.lora_embedding_${m}`),
    );
    const all = model.adapt({ ...settings, targets: ['*'] });
    expect(all.adapted).toEqual(model.adapt(settings).adapted);
  });

  it('trains modules whole beside it, which begin as the model has them and need no adapter', () => {
    const base = Model.create('llama', sizes);
    const model = base.adapt({ ...settings, modulesToSave: ['lm_head,model.norm', 'layers.1.self_attn.q_proj'] });
    expect(model.saved.map(({ name }) => name)).toEqual([
      'model.layers.1.self_attn.q_proj.weight',
      'lm_head.weight',
      'model.norm.weight',
    ]);
    expect(model.adapted.map(({ name }) => name)).not.toContain('model.layers.1.self_attn.q_proj');
    const { trained, frozen } = model.initialize(new Random(5, 'parameters'));
    const own = base.layout.views(frozen);
    const copies = model.trained.views(trained);
    for (const { name } of model.saved) expect(copies[savedName(name)]).toEqual(own[name]);
    expect(copies['model.norm.modules_to_save.weight']).toBeDefined();
  });

  it.each([
    ['llama', { modulesToSave: ['c_attn'] }, /`modulesToSave: 'c_attn'` fits none.*model\.layers\.\*\.mlp\.up_proj/],
    ['gpt2', { modulesToSave: ['lm_head'] }, /embedding and head are one matrix in this model\. Name the embedding/],
    [
      'llama',
      { targets: ['q_proj'], modulesToSave: ['q_proj'] },
      /names every layer that an adapter was to stand beside/,
    ],
    ['gpt2', { targets: ['wte'], tokens: { first: 9, count: 2 } }, /Rows of added tokens are trained by themselves/],
    ['llama', { modulesToSave: ['lm_head'], tokens: { first: 9, count: 2 } }, /lm_head by more than that/],
  ] as const)('of %s is refused with %j', (family, more, message) => {
    const settings = { rank: 2, alpha: 4, ...more };
    expect(() => Model.create(family, sizes).adapt(settings)).toThrow(message);
  });

  it('of an encoder has none beside its embedding', () => {
    const model = Model.create('bert', sizes);
    expect(() => model.adapt({ ...settings, targets: ['word_embeddings'] })).toThrow(
      /fits none of the model's linear layers/,
    );
  });

  it('is put where its targets say, and says which layers there are where one fits none', () => {
    const model = Model.create('llama', sizes);
    const names = model
      .adapt({ ...settings, targets: ['q_proj,v_proj', 'layers.1.mlp.*'] })
      .adapted.map(({ name }) => name);
    expect(names).toHaveLength(7);
    expect(() => model.adapt({ ...settings, targets: ['c_attn'] })).toThrow(
      /`targets: 'c_attn'` fits none of the model's linear layers.*model\.layers\.\*\.self_attn\.q_proj/,
    );
  });
});
