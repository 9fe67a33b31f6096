import { describe, expect, it } from 'vitest';
import { Model } from '../../model/model.js';
import { findPreset, presetNames } from '../../model/presets.js';
import { findModel, modelFromConfig, models, publishedParameters } from './models.js';
import table from './models.json' with { type: 'json' };

/** Sums of the tensors that the published files hold; the sizes of their index say the same. */
const exact: Readonly<Record<string, number>> = {
  'gpt2-124m': 124_439_808,
  'gpt2-1.5b': 1_557_611_200,
  'bloom-176b': 176_247_271_424,
  'bloom-7b1': 7_069_016_064,
  'llama2-7b': 6_738_415_616,
  'llama2-70b': 68_976_648_192,
  'llama3-8b': 8_030_261_248,
  'llama3-70b': 70_553_706_496,
  'llama3-405b': 405_853_388_800,
  'mistral-7b': 7_241_732_096,
  'mixtral-8x7b': 46_702_792_704,
  'qwen2.5-7b': 7_615_616_512,
  'qwen3-8b': 8_190_735_360,
  'gemma-7b': 8_537_680_896,
  'gemma2-9b': 9_241_705_984,
  'gpt-neox-20b': 20_554_567_680,
  'gpt-j-6b': 6_050_882_784,
  'opt-125m': 125_239_296,
  'opt-6.7b': 6_658_473_984,
  'mpt-7b': 6_649_286_656,
  'bert-base': 109_482_240,
  'bert-large': 335_141_888,
};

/** Where only a rounded figure is published: ours, and the figure as printed. */
const rounded: readonly (readonly [string, number, number])[] = [
  ['megatron-8.3b', 8_317_040_640, 8.3e9],
  ['blender-9.4b', 9_431_810_048, 9.4318e9],
  ['turing-nlg-17b', 17_180_859_136, 17e9],
  ['gpt3-175b', 174_604_259_328, 174.6e9],
  ['mt-nlg-530b', 529_600_819_200, 529.6e9],
  ['gpt-1t', 1_008_038_758_400, 1008e9],
];

describe('the catalogue', () => {
  it.each(Object.entries(exact))('%s has %d parameters', (name, parameters) => {
    expect(findModel(name).parameters).toBe(parameters);
    expect(publishedParameters(name)).toMatchObject({ parameters, exact: true });
  });

  it.each(rounded)('%s has %d parameters, published as %d', (name, parameters, printed) => {
    expect(findModel(name).parameters).toBe(parameters);
    expect(publishedParameters(name)).toMatchObject({ parameters: printed, exact: false });
  });

  it.each(models)('%s agrees with what is published about it', (name) => {
    const published = publishedParameters(name);
    const { parameters } = findModel(name);
    if (!published) expect(presetNames).toContain(name);
    else if (published.exact) expect(parameters).toBe(published.parameters);
    else expect(Math.abs(parameters / published.parameters - 1)).toBeLessThan(0.011);
    if (published) expect(published.where.length).toBeGreaterThan(15);
  });

  it('counts what a model that is built has', () => {
    for (const name of presetNames) {
      const preset = findPreset(name);
      const w = findModel(name);
      const built = Model.create(preset.family, { vocabulary: w.vocabulary, ...preset });
      expect(w.parameters, name).toBe(built.layout.size);
    }
    for (const { config } of Object.values(table).filter(({ config: c }) => c.model_type === 'llama')) {
      expect(modelFromConfig(config).parameters).toBe(Model.fromConfig(config).layout.size);
    }
  });

  it('knows that only some experts see a token', () => {
    expect(findModel('mixtral-8x7b').activeParameters).toBe(12_879_925_248);
    expect(findModel('qwen3-30b-a3b')).toMatchObject({
      experts: { count: 128, active: 8 },
      parameters: 30_532_122_624,
    });
  });

  it('finds names in any writing, and lists the nearest of one it does not know', () => {
    expect(findModel('LLaMA3 70B').name).toBe('llama3-70b');
    expect(findModel('GPT-3').name).toBe('gpt3-175b');
    expect(findModel('gpt2-xl').name).toBe('gpt2-1.5b');
    expect(() => findModel('lama3-8b')).toThrow(/Unknown model "lama3-8b". Nearest: llama3-8b/);
    expect(() => findModel('gtp2')).toThrow(/Nearest: gpt2-124m, gpt2-/);
    expect(() => findModel('__proto__')).toThrow(/Unknown model/);
    expect(publishedParameters('nano')).toBeUndefined();
  });
});
