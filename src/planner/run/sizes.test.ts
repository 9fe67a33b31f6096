import { describe, expect, test } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { cluster, workload } from '../search/search.test-support.js';
import type { PlanOptions } from './options.js';
import { settleSizes } from './sizes.js';

describe('what is left open', () => {
  test('is settled by published rules, each told', () => {
    const { tokens, fixed, assumptions } = settleSizes(workload, cluster, {});
    expect(tokens).toBe(20 * 124e6);
    // C = 6 · 124e6 · 2.48e9 = 1.85e18; 0.292 C^0.3271 = 275 thousand tokens, 269 sequences: 16 for each accelerator.
    expect(fixed).toEqual({ globalBatch: 256, sequence: 1024, precision: 'bf16', flashAttention: true });
    expect(assumptions.join('\n')).toMatch(/20 tokens a parameter[\s\S]*bf16[\s\S]*1,024 tokens[\s\S]*2401\.02954/);
  });

  test('never gives more sequences than Llama 3 had tokens for, nor fewer than one', () => {
    const huge = { ...workload, parameters: 1e13, activeParameters: 1e13 };
    expect(settleSizes(huge, cluster, {}).fixed.globalBatch).toBe(16 * 1024);
    expect(settleSizes(workload, cluster, { tokens: 1 }).fixed.globalBatch).toBe(1);
  });

  test('is a divisor of the accelerators where there are more of them than sequences', () => {
    const large = { ...cluster, accelerators: 10_000 };
    expect(settleSizes(workload, large, {}).fixed.globalBatch).toBe(250);
  });

  test('follows the FLOP that were given, and old cards have no tiled attention', () => {
    const old = { ...cluster, accelerator: { ...cluster.accelerator, year: 2017, rates: { fp16: 1e14, fp32: 1e13 } } };
    const { tokens, fixed } = settleSizes(workload, old, { flop: 6 * 124e6 * 5e9 });
    expect(tokens).toBe(5e9);
    expect(fixed).toMatchObject({ precision: 'fp16', flashAttention: false });
  });
});

test('choices of the user are kept', () => {
  const chosen = { tensor: 4, pipeline: 2, microBatch: 2, zero: 1, recompute: 'full', offload: 'none' } as const;
  expect(settleSizes(workload, cluster, { ...chosen, globalBatch: 24 }).fixed).toMatchObject({
    ...chosen,
    globalBatch: 24,
  });
});

test('ZeRO-3 goes with a pipeline where the framework keeps what it gathered, uneven stages where it cuts them', () => {
  const both = { zero: 3, pipeline: 2, globalBatch: 24 } as const;
  expect(settleSizes(workload, cluster, { ...both, framework: 'torchtitan' }).fixed).toMatchObject(both);
  const thirteen = { ...workload, layers: 13 };
  expect(settleSizes(thirteen, cluster, { pipeline: 5, globalBatch: 24 }).fixed).toMatchObject({ pipeline: 5 });
  expect(() => settleSizes(thirteen, cluster, { pipeline: 6 })).toThrow(/leaves stages .* empty/);
});

test.each<[PlanOptions, RegExp]>([
  [{ precision: 'fp8' }, /card has no rate for fp8\. Allowed: bf16\./],
  [{ sequence: 2048 }, /longer than the 1024 positions/],
  [{ tensor: 8 }, /divide the 12 heads and stay in a node of 4\. Allowed: 1, 2, 4\./],
  [{ pipeline: 5 }, /leaves stages of the 12 layers of .+ empty\. Allowed: 1, 2, 3, 4, 6, 12/],
  [{ pipeline: 5, framework: 'Megatron-LM' }, /does not divide the 12 layers/],
  [{ contextParallel: 3 }, /does not divide a sequence of 1024/],
  [{ globalBatch: 10, microBatch: 4 }, /does not divide the global batch of 10/],
  [{ zero: 3, pipeline: 2 }, /`zero: 3` excludes `pipeline: 2`/],
  [{ tensor: 4, pipeline: 12 }, /take 48 accelerators; sixteen has 16/],
])('%j cannot be', (options, expected) => {
  expect(() => settleSizes(workload, cluster, options)).toThrow(UsageError);
  expect(() => settleSizes(workload, cluster, options)).toThrow(expected);
});

test('a tensor split wider than a node needs a network', () => {
  expect(() => settleSizes(workload, { ...cluster, interNode: 0 }, { tensor: 6 })).toThrow(/there is no network/);
});
