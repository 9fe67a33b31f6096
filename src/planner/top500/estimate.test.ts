import { expect, it } from 'vitest';
import { findCluster } from '../catalogue/index.js';
import efficiency from './efficiency.json' with { type: 'json' };
import { estimateRmax } from './estimate.js';
import { findList } from './lists.js';
import { rankOf } from './rank.js';

function rmax(name: string) {
  const estimate = estimateRmax(findCluster(name));
  if (estimate.rmaxTflops === null) throw new Error(estimate.reason);
  return estimate;
}

it('is near what listed machines measured', () => {
  const measured = (list: string, system: RegExp) =>
    findList(list).entries.find((e) => system.test(e.system))!.rmaxTflops;
  expect(rmax('selene-2020-06').rmaxTflops / measured('2020-06', /Selene/)).toBeCloseTo(1, 1);
  // Summit ran on 4,356 of its 4,608 nodes.
  expect(rmax('summit').rmaxTflops / measured('2020-06', /Summit/)).toBeCloseTo(0.98, 2);
  expect(rmax('14400xh100').rmaxTflops / measured('2025-11', /Eagle/)).toBeCloseTo(1.03, 2);
});

it('puts the machine of May 2020 among the first five, as was claimed of the list of that day', () => {
  const { rmaxTflops, lowTflops, highTflops, rpeakTflops } = rmax('azure-openai-2020');
  expect(rpeakTflops).toBe(78_000);
  expect([lowTflops, rmaxTflops, highTflops].map(Math.round)).toEqual([48_360, 52_650, 56_940]);
  for (const tflops of [lowTflops, rmaxTflops, highTflops]) {
    expect(rankOf('2019-11', tflops).rank).toBe(5);
    expect(rankOf('2020-06', tflops).rank).toBe(6);
  }
});

it('says why a machine has none', () => {
  expect(estimateRmax(findCluster('laptops-16'))).toEqual({
    rmaxTflops: null,
    reason: expect.stringMatching(/no fp64/),
  });
  const slow = { ...findCluster('64xa100'), interNode: 1e6 };
  expect(estimateRmax(slow)).toEqual({
    rmaxTflops: null,
    reason: expect.stringMatching(/network is too slow.*156000000 FLOP/),
  });
  // One node needs no network.
  expect(estimateRmax({ ...findCluster('8xa100'), interNode: 1e6 }).rmaxTflops).toBeCloseTo(8 * 19.5 * 0.625, 9);
});

it('assumes what GPU machines reach where no machine of a card is listed, and says so', () => {
  expect(rmax('72xgb200')).toMatchObject({ efficiency: 0.625, where: expect.stringMatching(/^assumed/) });
  for (const { low, high, where } of [efficiency.default, ...efficiency.series]) {
    expect(low).toBeGreaterThan(0.3);
    expect(high).toBeGreaterThan(low);
    expect(high).toBeLessThan(0.85);
    expect(where.length).toBeGreaterThan(5);
  }
});
