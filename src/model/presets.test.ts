import { describe, expect, expectTypeOf, it } from 'vitest';
import { Model } from './model.js';
import { findPreset, type PresetName, presetNames } from './presets.js';
import presets from './presets.json' with { type: 'json' };

const parameters = (name: string, vocabulary: number) => {
  const preset = findPreset(name);
  return Model.create(preset.family, { vocabulary, ...preset }).layout.size;
};

describe('presets', () => {
  it('have the published numbers of parameters', () => {
    // OpenAI's files hold 124M, 355M, 774M and 1558M; these are the exact sums of their tensors.
    expect(parameters('gpt2-124m', 0)).toBe(124_439_808);
    expect(parameters('gpt2-355m', 0)).toBe(354_823_168);
    expect(parameters('gpt2-774m', 0)).toBe(774_030_080);
    expect(parameters('gpt2-1.5b', 0)).toBe(1_557_611_200);
  });

  it('are of the size of the models of the announcement of May 2020', () => {
    // Published: Megatron-LM (arXiv 1909.08053) and Turing-NLG, rounded; Blender (arXiv 2004.13637), of whose size this is a decoder.
    const share = (name: string, published: number) => Math.abs(parameters(name, 0) / published - 1);
    expect(share('megatron-8.3b', 8.3e9)).toBeLessThan(0.01);
    expect(share('blender-decoder-9.5b', 9.4318e9)).toBeLessThan(0.01);
    expect(share('turing-nlg-17b', 17e9)).toBeLessThan(0.011);
  });

  it('start at a few hundred thousand parameters', () => {
    expect(parameters('nano', 65)).toBe(215_808);
    expect(parameters('micro', 65)).toBe(755_328);
  });

  it.each(presetNames)('%s is a configuration that its family accepts', (name) => {
    expect(parameters(name, 1000)).toBeGreaterThan(200_000);
  });

  it('are listed when a name is unknown', () => {
    expect(() => findPreset('huge')).toThrow(/Unknown preset huge. Allowed: nano, micro, .*gpt2-1.5b/);
    expect(() => findPreset('toString')).toThrow(/Unknown preset/);
  });
});

it('the type of names is that of the file', () => {
  expectTypeOf<PresetName>().toEqualTypeOf<keyof typeof presets>();
  expect(presetNames).toEqual(Object.keys(presets));
});
