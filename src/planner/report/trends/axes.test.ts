import { expect, it } from 'vitest';
import { monthsOf } from '../../laws/trends/fit.js';
import { trends } from '../../laws/trends/trends.js';
import { axesOf, heightOf, lineAt } from './axes.js';

const [compute] = trends();
const efficiency = trends().find(({ quantity }) => quantity === 'efficiency')!;

it('are whole years and powers of ten around the points and the line', () => {
  const axes = axesOf(compute!);
  expect(axes.left).toBe(monthsOf('2012-01-01'));
  expect(axes.right).toBe(monthsOf('2018-01-01'));
  expect([axes.bottom, axes.top]).toEqual([16, 24]);
  expect(axes.years).toEqual([2012, 2013, 2014, 2015, 2016, 2017, 2018]);
  expect(axesOf(efficiency)).toMatchObject({ bottom: 0, top: 2 });
});

it('hold everything that is drawn, in at most eleven years and nine powers', () => {
  for (const trend of trends()) {
    const axes = axesOf(trend);
    const heights = trend.points.map(({ flop }) => heightOf(trend, flop));
    const { from, to } = trend.endpoints;
    heights.push(lineAt(trend, monthsOf(from.date)), lineAt(trend, monthsOf(to.date)));
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(axes.bottom);
    expect(Math.max(...heights)).toBeLessThanOrEqual(axes.top);
    expect(axes.years.length).toBeLessThanOrEqual(11);
    expect(axes.powers.length).toBeLessThanOrEqual(9);
  }
});

it('heights are FLOP, or how many times less compute than the first', () => {
  expect(heightOf(compute!, 1e20)).toBeCloseTo(20, 12);
  expect(heightOf(efficiency, efficiency.points[0]!.flop)).toBe(0);
  expect(heightOf(efficiency, efficiency.points[0]!.flop / 100)).toBeCloseTo(2, 12);
  // Least squares lines pass through the mean of the points.
  for (const trend of [compute!, efficiency]) {
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const month = mean(trend.points.map(({ date }) => monthsOf(date)));
    expect(lineAt(trend, month)).toBeCloseTo(mean(trend.points.map(({ flop }) => heightOf(trend, flop))), 9);
  }
});
