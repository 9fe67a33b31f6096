import { expect, it } from 'vitest';
import { findCluster } from '../index.js';
import efficiency from './efficiency.json' with { type: 'json' };
import { estimateRmax, leftOutRatios } from './estimate.js';
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
  expect(rmax('selene-2020-06').rmaxTflops / measured('2020-06', /Selene/)).toBeCloseTo(0.957, 2);
  expect(rmax('summit').rmaxTflops / measured('2020-06', /Summit/)).toBeCloseTo(1, 2);
  expect(rmax('14400xh100').rmaxTflops / measured('2025-11', /Eagle/)).toBeCloseTo(1, 1);
});

it('has every listed machine inside its range, and each left out inside the others’ mostly', () => {
  const ratios = leftOutRatios();
  const inside = ratios.filter((ratio, i) => {
    const others = ratios.filter((_, j) => j !== i);
    return ratio >= Math.min(...others) && ratio <= Math.max(...others);
  });
  expect([inside.length, ratios.length]).toEqual([17, 19]);
  // Eos ran on 416 of its 576 nodes; Leonardo's cards have more multiprocessors than the A100 that the others have.
  for (const [cluster, listed] of [
    ['4608xh100', 121_400],
    ['6144xa100', 64_590],
  ] as const) {
    const { lowTflops, highTflops } = rmax(cluster);
    expect(listed).toBeGreaterThan(lowTflops);
    expect(listed).toBeLessThan(highTflops);
  }
  const a100 = findCluster('13824xa100');
  const leonardo = estimateRmax({ ...a100, accelerator: { ...a100.accelerator, fp64: 22.4e12 } });
  expect(leonardo.rmaxTflops).toBeCloseTo(187_135, -2);
  if (leonardo.rmaxTflops !== null) expect(leonardo.highTflops).toBeGreaterThan(241_200);
});

it('puts the machine of May 2020 among the first five, as was claimed of the list of that day', () => {
  const { rmaxTflops, lowTflops, highTflops, rpeakTflops } = rmax('azure-openai-2020');
  expect(rpeakTflops).toBe(78_000);
  expect([lowTflops, rmaxTflops, highTflops].map(Math.round)).toEqual([35_593, 53_747, 71_610]);
  expect(rankOf('2019-11', rmaxTflops).rank).toBe(5);
  expect(rankOf('2020-06', rmaxTflops).rank).toBe(6);
  // At the best that any machine of the lists did, one rank better on both.
  expect(rankOf('2019-11', highTflops).rank).toBe(4);
  expect(rankOf('2019-11', lowTflops).rank).toBe(5);
  expect(rankOf('2020-06', lowTflops).rank).toBe(6);
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
  expect(estimateRmax({ ...findCluster('8xa100'), interNode: 1e6 }).rmaxTflops).toBeCloseTo(8 * 19.5 * 0.6043, 1);
});

it('takes the maker’s machines where none of a card is listed, and says so', () => {
  expect(rmax('72xgb200').where).toMatch(/^No machine of this card is listed here.*Summit.*Alps/);
  expect(rmax('72xgb200').efficiency).toBeCloseTo(0.604, 3);
  expect(rmax('64xmi355x').efficiency).toBeCloseTo(0.35, 2);
  for (const { cards, fp64_TFLOPS, rmax_TFLOPS, where } of efficiency.machines) {
    expect(rmax_TFLOPS / (cards * fp64_TFLOPS)).toBeGreaterThan(0.3);
    expect(rmax_TFLOPS / (cards * fp64_TFLOPS)).toBeLessThan(0.85);
    expect(where.length).toBeGreaterThan(5);
  }
});
