import { describe, expect, it } from 'vitest';
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
    ['Megatron-LM core_r0.8', 'Megatron-LM 0.14'],
    ['torchtitan', 'torchtitan'],
    ['JAX', 'default'],
    ['__proto__', 'default'],
    ['default', 'default'],
  ])('%s is of the family %s', (name, family) => {
    expect(frameworkFamily(name)).toBe(family);
  });

  it('have their own habits over the default’s', () => {
    expect(habitsOf('Megatron-LM')).toMatchObject({ dropout: true, dataOverlap: false, fusedPasses: true });
    expect(habitsOf('JAX')).toMatchObject({ dropout: false, dataOverlap: true, parameterBytes: 2 });
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
      /Unknown framework "megatrn"\. Nearest: Megatron-.* Allowed: default, Megatron-LM/,
    );
    expect(() => chosenFramework('__proto__', 'H100-SXM')).toThrow(/Unknown framework/);
    expect(() => chosenFramework('', 'H100-SXM')).toThrow(/Unknown framework ""/);
  });
});
