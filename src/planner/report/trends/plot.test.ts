import { expect, it } from 'vitest';
import { trends } from '../../laws/trends/trends.js';
import { trendPlot } from './plot.js';

it('draws every run and the line inside the frame', () => {
  for (const trend of trends()) {
    const lines = trendPlot(trend, 64, 14).split('\n');
    expect(lines).toHaveLength(1 + 14 + 3);
    expect(Math.max(...lines.slice(1, 17).map((line) => line.length))).toBeLessThanOrEqual(75);
    expect(lines.join('')).toContain('.');
  }
  const [records] = trends();
  const drawn = trendPlot(records!);
  // Six runs, and two more of the letter in the heading.
  expect(drawn.match(/o/g)).toHaveLength(8);
  const years = drawn.trimEnd().split('\n').at(-1)!;
  expect(years.trim()).toMatch(/^2012 +2013 +2014 +2015 +2016 +2017 +2018$/);
});

it('puts the first run at the left below and the last at the right above', () => {
  const lines = trendPlot(trends()[0]!, 40, 10).split('\n').slice(1, 11);
  const row = (of: (line: string) => boolean) => lines.findIndex(of);
  const last = row((line) => line.lastIndexOf('o') > 40);
  expect(last).toBeGreaterThanOrEqual(0);
  expect(last).toBeLessThan(3);
  expect(lines.findLastIndex((line) => line.includes('o'))).toBeGreaterThan(6);
});
