import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { layerFlop } from '../catalogue/flop.js';
import { habitsOf } from '../catalogue/frameworks.js';
import { findAccelerator } from '../catalogue/index.js';
import type { Arrangement, Cluster, FrameworkHabits, Workload } from '../types.js';
import { layerTime } from './layer.js';
import { sustainedRate } from './matrix.js';
import { arrangement, gpt3, selene } from './step.test-support.js';

const habits = habitsOf('Megatron-LM');
const layer = (
  change: Partial<Arrangement> = {},
  w: Workload = gpt3,
  cluster: Cluster = selene,
  own: FrameworkHabits = habits,
) => layerTime(w, cluster, { ...arrangement, ...change }, own, shippedConstants.time);

describe('layerTime', () => {
  it('is near the arithmetic for large products: 12,288 wide, eight sequences', () => {
    const { matricesForward } = layer({ tensor: 1, microBatch: 8, flashAttention: true });
    const ideal = (8 * 2048 * layerFlop(gpt3)) / sustainedRate(selene.accelerator, 'fp16', shippedConstants.time);
    expect(matricesForward / ideal).toBeGreaterThan(1);
    expect(matricesForward / ideal).toBeLessThan(1.1);
  });

  it('computes twice as much backward as forward', () => {
    const { matricesForward, matricesBackward } = layer({ microBatch: 8 });
    expect(matricesBackward / matricesForward).toBeGreaterThan(1.9);
    expect(matricesBackward / matricesForward).toBeLessThan(2.2);
  });

  it('passes over the scores of every head where attention is not tiled', () => {
    const many = { ...gpt3, heads: 192, keyValueHeads: 192, headSize: 64 };
    const extra = layer({}, many).memoryForward - layer().memoryForward;
    const { memoryBandwidth } = selene.accelerator;
    const bytes = 2048 * 2048 * 12 * (4 + 5);
    expect(extra).toBeCloseTo(bytes / (memoryBandwidth * shippedConstants.time.memoryEfficiency), 6);
    expect(layer({ flashAttention: true }).memoryForward).toBeLessThan(layer().memoryForward);
  });

  it('has half as many blocks again where it attends to an encoder too', () => {
    const decoder = { ...gpt3, crossAttentionLayers: gpt3.layers };
    expect(layer({}, decoder).communication).toBeCloseTo(1.5 * layer().communication, 12);
    expect(layer({}, decoder).attentionCore / layer().attentionCore).toBeGreaterThan(1.9);
    // Of 24·h² the other attention's matrices are 8·h² more.
    const tiled = { microBatch: 8, tensor: 1, flashAttention: true } as const;
    expect(layer(tiled, decoder).matricesForward / layer(tiled).matricesForward).toBeCloseTo(4 / 3, 1);
    // Unlike its own, all of the encoder's tokens are seen.
    expect(layer(tiled, decoder).attentionCore / layer(tiled).attentionCore).toBeCloseTo(3, 1);
  });

  it('is slow in attention where a head is no multiple of 8 wide', () => {
    const odd = { ...gpt3, headSize: 108 };
    const even = { ...gpt3, headSize: 104 };
    expect(layer({}, odd).attentionCore).toBeGreaterThan(1.5 * layer({}, even).attentionCore);
  });

  it('exchanges four activations a layer with tensor parallelism, over the network beyond a node', () => {
    expect(layer({ tensor: 1 }).communication).toBe(0);
    expect(layer({ tensor: 16 }).communication).toBeGreaterThan(1.5 * layer({ tensor: 8 }).communication);
  });

  it('splits norms along the sequence with sequence parallelism', () => {
    expect(layer({ sequenceParallel: true }).memoryForward).toBeLessThan(layer().memoryForward);
  });

  it('casts for 8-bit products, and still gains', () => {
    const h100 = { ...selene, accelerator: findAccelerator('H100-SXM') };
    const wide = layer({ precision: 'bf16', microBatch: 4, flashAttention: true }, gpt3, h100);
    const narrow = layer({ precision: 'fp8', microBatch: 4, flashAttention: true }, gpt3, h100);
    expect(narrow.memoryForward).toBeGreaterThan(wide.memoryForward);
    expect(narrow.matricesForward).toBeLessThan(0.7 * wide.matricesForward);
  });

  it('runs kernels made for older cards slower on newer ones', () => {
    const h100 = { ...selene, accelerator: findAccelerator('H100-SXM') };
    const tiled = { flashAttention: true, sequence: 32768, precision: 'bf16' } as const;
    const old = layer(tiled, gpt3, h100, { ...habits, attentionKernel: 2 }).attentionCore;
    const made = layer(tiled, gpt3, h100, { ...habits, attentionKernel: 3 }).attentionCore;
    expect(old / made).toBeGreaterThan(1.3);
  });

  it('gives experts their share of the tokens, and sends tokens to them', () => {
    const sparse = { ...gpt3, experts: { count: 8, active: 2 } };
    const dense = layer({ microBatch: 8 });
    const spread = layer({ microBatch: 8, expert: 8 }, sparse);
    expect(spread.matricesForward).toBeGreaterThan(1.4 * dense.matricesForward);
    expect(spread.communication).toBeGreaterThan(dense.communication);
  });

  it('shares a sequence’s exchange with context parallelism', () => {
    const tiled = { flashAttention: true, tensor: 1 } as const;
    const shared = layer({ ...tiled, context: 4 });
    expect(shared.communication).toBeGreaterThan(0);
    expect(shared.matricesForward).toBeLessThan(0.32 * layer(tiled).matricesForward);
  });
});
