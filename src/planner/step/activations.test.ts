import { describe, expect, it } from 'vitest';
import { habitsOf } from '../catalogue/frameworks.js';
import type { Arrangement } from '../types.js';
import { boundaryActivations, inFlight, layerActivations, logitsBytes, workingActivations } from './activations.js';
import { arrangement, gpt3 } from './step.test-support.js';

const habits = habitsOf('Megatron-LM');
const kept = (change: Partial<Arrangement>): number => layerActivations(gpt3, { ...arrangement, ...change }, habits);
const sbh = 2048 * 12288;

describe('activations of a layer', () => {
  it('are those of table 2 of arXiv 2205.05198', () => {
    const scores = (5 * 96 * 2048) / 12288;
    expect(kept({ tensor: 1, recompute: 'none' })).toBe(sbh * (34 + scores));
    expect(kept({ tensor: 8, recompute: 'none' })).toBe(sbh * (10 + 24 / 8 + scores / 8));
    expect(kept({ tensor: 8, recompute: 'none', sequenceParallel: true })).toBe((sbh * (34 + scores)) / 8);
    expect(kept({ tensor: 8, recompute: 'selective' })).toBe(sbh * (10 + 24 / 8));
    expect(kept({ tensor: 8, recompute: 'selective', sequenceParallel: true })).toBe((sbh * 34) / 8);
    expect(kept({ tensor: 8, recompute: 'full' })).toBe(sbh * 2);
  });

  it('grow with the micro-batch and shrink with context parallelism', () => {
    expect(kept({ microBatch: 4, recompute: 'none' })).toBe(4 * kept({ recompute: 'none' }));
    const tiled = { recompute: 'none', flashAttention: true } as const;
    expect(kept({ ...tiled, context: 4 })).toBe(kept(tiled) / 4);
  });

  it('of attention to an encoder are as many again as of attention to oneself', () => {
    const decoder = { ...gpt3, crossAttentionLayers: gpt3.layers };
    const both = layerActivations(decoder, { ...arrangement, tensor: 1, recompute: 'none' }, habits);
    // Norm, block and mask 5, queries, keys, values and output 8, scores as in table 2.
    expect(both - kept({ tensor: 1, recompute: 'none' })).toBe(sbh * (5 + 8 + (5 * 96 * 2048) / 12288));
  });

  it('keep the inputs of 8-bit products in 8 bits', () => {
    const tiled = { tensor: 1, recompute: 'none', flashAttention: true } as const;
    const saved = kept({ ...tiled, precision: 'bf16' }) - kept({ ...tiled, precision: 'fp8' });
    // A byte less of both blocks' inputs and of 4·h; attention's output is kept in both formats: a byte more.
    expect(saved).toBe(sbh * (2 + 4 - 1));
  });

  it('need all of a layer while it is computed again', () => {
    expect(workingActivations(gpt3, arrangement, habits)).toBe(kept({ recompute: 'none' }));
  });
});

describe('micro-batches in flight', () => {
  it('are p, and with interleaving 1 + (p − 1)/pv times that (arXiv 2205.05198, §4.2.3)', () => {
    expect(inFlight(1, 1, 100)).toBe(1);
    expect(inFlight(8, 1, 100)).toBe(8);
    expect(inFlight(8, 4, 100)).toBe(8 * (1 + 7 / 32));
    expect(inFlight(8, 1, 3)).toBe(3);
  });
});

describe('at the edges', () => {
  it('a stage hands on 2·T·h bytes, or its share of the sequence', () => {
    expect(boundaryActivations(gpt3, arrangement)).toBe(2 * sbh);
    expect(boundaryActivations(gpt3, { ...arrangement, sequenceParallel: true })).toBe((2 * sbh) / 8);
  });

  it('logits take 4 bytes fused, 10 unfused, over the tensor-parallel ranks', () => {
    expect(logitsBytes(arrangement, 51200, true)).toBe((2048 * 51200 * 4) / 8);
    expect(logitsBytes(arrangement, 51200, false)).toBe((2048 * 51200 * 10) / 8);
  });
});
