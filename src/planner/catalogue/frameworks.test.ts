import { describe, expect, it } from 'vitest';
import { withDefaults } from '../validate/fit.js';
import { shippedConstants } from './constants.js';
import { chosenFramework, defaultsOf, findFramework, frameworkFamily, habitsOf } from './frameworks.js';

describe('frameworks', () => {
  it.each([
    ['Megatron-LM', 'Megatron-LM'],
    ['Megatron-LM 0.14', 'Megatron-LM 0.14'],
    ['Megatron-DeepSpeed/HF', 'Megatron-DeepSpeed'],
    ['PyTorch FSDP (composer)', 'PyTorch FSDP'],
    ['deepspeed zero-2 + Megatron MP', 'DeepSpeed ZeRO'],
    ['NeMo 24.09', 'Megatron-Bridge'],
    ['Megatron-LM core_r0.8', 'Megatron-Core'],
    ['torchtitan', 'torchtitan'],
    ['JAX (T5X)', 'JAX'],
    ['in-house, on FSDP', 'PyTorch FSDP'],
    ['Chainer', 'default'],
    ['__proto__', 'default'],
    ['default', 'default'],
  ])('%s is of the family %s', (name, family) => {
    expect(frameworkFamily(name)).toBe(family);
  });

  it.each([
    ['Megatron-LM', 2019, 'Megatron-LM 2019'],
    ['Megatron-LM', 2021, 'Megatron-LM'],
    ['Megatron-LM', 2024, 'Megatron-LM 2023'],
    ['Megatron-LM', 2025, 'Megatron-Core'],
    ['DeepSpeed ZeRO-3', 2021, 'DeepSpeed ZeRO'],
    ['DeepSpeed ZeRO-3 (+CPU offload)', 2022, 'DeepSpeed ZeRO 2022'],
    ['Megatron-DeepSpeed', 2024, 'Megatron-DeepSpeed'],
    ['our own', 2021, 'default 2022'],
    ['our own', 2025, 'default'],
  ])('%s of %i is %s', (name, year, family) => {
    expect(frameworkFamily(name, year)).toBe(family);
  });

  it('have their own habits over the default’s', () => {
    expect(habitsOf('Megatron-LM')).toMatchObject({ dropout: true, dataOverlap: false, fusedPasses: true });
    expect(habitsOf('Chainer')).toMatchObject({ dropout: false, dataOverlap: true, parameterBytes: 2 });
    expect(defaultsOf('PyTorch FSDP')).toMatchObject({ zero: 3, flashAttention: true });
  });

  it('have a fitted efficiency where one was measured, the default elsewhere', () => {
    const constants = { ...shippedConstants, efficiency: { fitted: { 'Megatron-LM @ X': 0.7 }, default: 0.8 } };
    expect(findFramework('Megatron-LM', 'X', constants)).toMatchObject({ efficiency: 0.7, efficiencySource: 'fitted' });
    expect(findFramework('Megatron-LM', 'Y', constants)).toMatchObject({
      efficiency: 0.8,
      efficiencySource: 'default',
    });
  });
});

describe('a framework that a user chose', () => {
  it('may be left out, or be named as the table does', () => {
    expect(chosenFramework(undefined, 'H100-SXM')).toEqual(findFramework('default', 'H100-SXM'));
    expect(chosenFramework('default', 'H100-SXM')).toEqual(findFramework('default', 'H100-SXM'));
    expect(chosenFramework('megatron-lm', 'A100-SXM-80GB').efficiencySource).toBe('fitted');
  });

  it('is refused when no one knows it, with the nearest', () => {
    expect(() => chosenFramework('megatrn', 'H100-SXM')).toThrow(
      /Unknown framework "megatrn"\. Nearest: Megatron-.* Allowed: default, .*Megatron-LM, /,
    );
    expect(() => chosenFramework('__proto__', 'H100-SXM')).toThrow(/Unknown framework/);
    expect(() => chosenFramework('', 'H100-SXM')).toThrow(/Unknown framework ""/);
  });
});

it('starts from what others of a kind reach where nothing was measured, and from all where the kind is unknown', () => {
  const fitted = { 'PyTorch FSDP @ X': 0.5, 'PyTorch FSDP @ Y': 0.7, 'torchtitan @ X': 0.8, 'Megatron-LM @ X': 0.9 };
  const constants = withDefaults(fitted, shippedConstants);
  const at = (name: string) => findFramework(name, 'Z', constants).efficiency;
  expect(at('PyTorch FSDP')).toBeCloseTo(0.6, 6);
  // One pair is no kind.
  expect(at('JAX')).toBeCloseTo(0.75, 6);
  expect(at('something else')).toBeCloseTo(0.75, 6);
  expect(withDefaults(shippedConstants.efficiency.fitted, shippedConstants)).toEqual(shippedConstants);
  expect(at('Meanfield')).toBe(shippedConstants.efficiency.kinds!.meanfield);
});
