import { describe, expect, it } from 'vitest';
import { plan } from '../run/plan.js';
import { findAccelerator } from './accelerators.js';
import { checkCluster } from './check.js';
import { cpuInWords, describedCpu } from './described-cpu.js';
import { thisMachine } from './this-machine.js';

const cpu = { model: 'Intel(R) Xeon(R), "Gold"', cores: 2, rate: 208.4e9, memoryBandwidth: 20e9 };

describe('describedCpu', () => {
  it('reads what was written, under a name without the figures', () => {
    const card = describedCpu(cpuInWords(cpu), 16)!;
    expect(card).toMatchObject({ name: 'CPU (Intel R Xeon R Gold, 2 cores)', kind: 'cpu', memory: 16e9 });
    expect([card.rates.fp32, card.memoryBandwidth]).toEqual([208.4e9, 20e9]);
    expect(describedCpu(cpuInWords({ ...cpu, rate: 1e11 }))!.name).toBe(card.name);
    expect(findAccelerator(cpuInWords(cpu), { memoryGB: 16 })).toEqual(card);
  });

  it.each([
    'CPU',
    'EPYC',
    'CPU (x, 2 cores, 0 GFLOP/s, 20 GB/s)',
    'CPU (x, 0 cores, 1 GFLOP/s, 20 GB/s)',
    'CPU (x, 2 cores, 1e9 GFLOP/s, 20 GB/s)',
    'CPU (, 2 cores, 1 GFLOP/s, 2 GB/s)',
    `CPU (${'x'.repeat(300)}, 2 cores, 1 GFLOP/s, 2 GB/s)`,
  ])('takes nothing else: %s', (text) => {
    expect(describedCpu(text)).toBeUndefined();
  });
});

describe('thisMachine', () => {
  const cluster = checkCluster(thisMachine(cpu, 24e9));
  const asTrain = { framework: 'Meanfield', zero: 0, recompute: 'none', offload: 'none' } as const;

  it('trains as fast as was measured on such a machine', () => {
    // bench/RESULTS.md: 4x256 at batch 4 reaches 4,272 tokens a second beside products at 208 GFLOP/s.
    const { step, framework } = plan('mini', cluster, { ...asTrain, globalBatch: 4 });
    expect(framework.efficiencySource).toBe('default');
    expect(step!.tokensPerSecond / 4272).toBeGreaterThan(0.8);
    expect(step!.tokensPerSecond / 4272).toBeLessThan(1.2);
  });

  it('does not hold a model that is too large for it', () => {
    expect(plan('gpt2-1.5b', cluster, { ...asTrain, globalBatch: 12 }).step).toBeNull();
    expect(plan('gpt2-124m', cluster, { ...asTrain, globalBatch: 1 }).step).not.toBeNull();
  });
});
