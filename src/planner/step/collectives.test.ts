import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import {
  allReduceTime,
  allToAllTime,
  gatherTime,
  groupOf,
  handOverTime,
  ringBandwidth,
  shardedTime,
} from './collectives.js';
import { selene } from './step.test-support.js';

const c = { ...shippedConstants.time, linkEfficiency: 1, congestion: 0 };
const still = { ...selene, intraLatency: 0, interLatency: 0 };

describe('groups', () => {
  it('sit in nodes by their ranks: tensor parallelism inside, data parallelism across', () => {
    expect(groupOf(selene, 8, 1)).toEqual({ size: 8, inNode: 8 });
    expect(groupOf(selene, 16, 1)).toEqual({ size: 16, inNode: 8 });
    expect(groupOf(selene, 32, 4)).toEqual({ size: 32, inNode: 2 });
    expect(groupOf(selene, 32, 64)).toEqual({ size: 32, inNode: 1 });
  });

  it('share their node’s network cards with the groups beside them', () => {
    expect(ringBandwidth(selene, groupOf(selene, 8, 1), c)).toBe(300e9);
    expect(ringBandwidth(selene, groupOf(selene, 16, 1), c)).toBe(200e9);
    expect(ringBandwidth(selene, groupOf(selene, 32, 4), c)).toBe(50e9);
    expect(ringBandwidth(selene, groupOf(selene, 32, 8), c)).toBe(25e9);
  });
});

describe('congestion', () => {
  it('slows a ring by its share for each doubling of the nodes beyond two', () => {
    const crowded = { ...c, congestion: 0.1 };
    const at = (size: number): number => ringBandwidth(selene, groupOf(selene, size, 1), crowded) / 1e9;
    expect([at(8), at(16)]).toEqual([300, 200]);
    expect(at(32)).toBeCloseTo(200 / 1.1, 9);
    expect(at(256)).toBeCloseTo(200 / 1.4, 9);
  });
});

describe('collectives', () => {
  it('move (n − 1)/n of the bytes once for a gather, twice for an all-reduce', () => {
    const eight = groupOf(still, 8, 1);
    expect(gatherTime(still, eight, 8e9, c)).toBeCloseTo(7e9 / 300e9, 12);
    expect(allReduceTime(still, eight, 8e9, c)).toBeCloseTo(14e9 / 300e9, 12);
    expect(gatherTime(still, groupOf(still, 1, 1), 8e9, c)).toBe(0);
  });

  it('in pieces pay latency by rank and piece, and by parameter fill a share of the line between nodes', () => {
    const wide = groupOf(still, 64, 1);
    const bytes = 64e9;
    const whole = shardedTime(still, wide, bytes, 10, false, c);
    expect(whole).toBeCloseTo(gatherTime(still, wide, bytes, c), 12);
    const share = { ...c, parameterGather: 0.2 };
    expect(shardedTime(still, wide, bytes, 10, true, share)).toBeCloseTo(5 * whole, 9);
    expect(shardedTime(still, groupOf(still, 8, 1), bytes, 10, true, share)).toBeCloseTo((7 / 8) * (bytes / 300e9), 9);
    const hop = (7 * selene.intraLatency + selene.interLatency) / 8;
    expect(shardedTime(selene, groupOf(selene, 64, 1), 0, 10, false, c)).toBeCloseTo(10 * 63 * hop, 12);
    expect(shardedTime(selene, groupOf(selene, 1, 1), bytes, 10, false, c)).toBe(0);
  });

  it('take the depth of a tree when messages are small', () => {
    expect(gatherTime(selene, groupOf(selene, 64, 1), 0, c)).toBeCloseTo(6 * selene.interLatency, 12);
  });

  it('send all-to-all what leaves the node over its cards', () => {
    expect(allToAllTime(still, groupOf(still, 8, 1), 8e9, c)).toBeCloseTo(7e9 / 300e9, 12);
    const wide = allToAllTime(still, groupOf(still, 64, 1), 64e9, c);
    expect(wide).toBeCloseTo(7e9 / 300e9 + (56e9 * 8) / 200e9, 9);
    expect(allToAllTime(still, groupOf(still, 1, 1), 8e9, c)).toBe(0);
  });

  it('hand over within the node or, all devices at once, between nodes', () => {
    expect(handOverTime(still, 4, 3e9, c)).toBeCloseTo(0.01, 12);
    expect(handOverTime(still, 8, 3e9, c)).toBeCloseTo(0.12, 12);
  });
});
