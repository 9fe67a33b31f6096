import { expect, it } from 'vitest';
import data from './data.json' with { type: 'json' };
import { trends } from './trends.js';

const trend = (key: string) => trends().find((t) => t.key === key)!;

it('gives the 3.4 months of AI and Compute from its largest runs, and others by another choice', () => {
  const records = trend('compute-2012-2018');
  expect(records.points.map(({ model }) => model)).toEqual([
    'AlexNet',
    'Visualizing and Understanding Conv Nets',
    'VGG',
    'DeepSpeech2',
    'Neural Machine Translation',
    'AlphaGoZero',
  ]);
  expect(records.regression.doublingMonths).toBeCloseTo(3.39, 2);
  expect(records.endpoints.doublingMonths).toBeCloseTo(3.53, 2);
  // AlphaGo Zero's 1,862 petaflop/s-days over AlexNet's 0.0058: the published 300,000 times.
  expect(records.endpoints.factor / 1e5).toBeCloseTo(3.22, 2);
  const every = trend('compute-2012-2018-all');
  expect(every.regression.doublingMonths).toBeCloseTo(3.31, 2);
  expect(every.endpoints.doublingMonths).toBeCloseTo(4.1, 2);
});

it('gives the 16 months of algorithmic efficiency: 44 times in seven years', () => {
  const t = trend('efficiency-alexnet');
  expect(t.endpoints.factor).toBeCloseTo(44.9, 1);
  expect(t.endpoints.months / 12).toBeCloseTo(6.99, 2);
  expect(t.endpoints.doublingMonths).toBeCloseTo(15.3, 1);
  expect(t.regression.doublingMonths).toBeCloseTo(15.7, 1);
});

it('agrees with what is published about the two eras of notable models', () => {
  expect(trend('compute-2010-2025-epoch').regression.doublingMonths).toBeCloseTo(5.46, 2);
  expect(trend('compute-before-2010-epoch').regression.doublingMonths).toBeCloseTo(20.5, 1);
  for (const t of trends().filter(({ published }) => published)) {
    expect(Math.abs(t.regression.doublingMonths / t.published!.doublingMonths - 1), t.key).toBeLessThan(0.1);
  }
});

it('states period, selection and source of each', () => {
  for (const t of trends()) {
    expect(t.points.every(({ date }) => date >= t.period[0] && date <= t.period[1])).toBe(true);
    expect(t.source.length).toBeGreaterThan(30);
    expect(t.endpoints.doublingMonths).toBeGreaterThan(0);
  }
  expect(new Set(trends().map(({ key }) => key)).size).toBe(trends().length);
});

it('ships dates and figures that are possible', () => {
  for (const { points } of Object.values(data)) {
    for (const [, date, flop] of points) {
      expect(date).toMatch(/^(19[5-9]|20[0-2])\d-[01]\d-[0-3]\d$/);
      expect(flop).toBeGreaterThan(1);
    }
  }
  // 0.0058 petaflop/s-days of 8.64e19 FLOP each.
  expect(data['ai-and-compute'].points[0]).toEqual(['AlexNet', '2012-06-01', 5e17]);
});
