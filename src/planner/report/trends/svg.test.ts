import { expect, it } from 'vitest';
import { trends } from '../../laws/trends/trends.js';
import { trendsSvg } from './svg.js';

it('has a panel a trend and a point a run, all inside the frame', () => {
  const all = trends();
  const svg = trendsSvg(all);
  expect(svg.match(/<g /g)).toHaveLength(all.length);
  expect(svg.match(/<circle /g)).toHaveLength(all.reduce((sum, { points }) => sum + points.length, 0));
  for (const [, x, y] of svg.matchAll(/cx="([\d.-]+)" cy="([\d.-]+)"/g)) {
    expect(Number(x)).toBeGreaterThanOrEqual(48);
    expect(Number(x)).toBeLessThanOrEqual(408);
    expect(Number(y)).toBeGreaterThanOrEqual(44);
    expect(Number(y)).toBeLessThanOrEqual(272);
  }
  expect(svg).toContain('doubles in 3.4 months (regression), 3.5 (endpoints)');
});

it('is well-formed whatever a model is called', () => {
  const [trend] = trends();
  const model = `<script>"&'`;
  const svg = trendsSvg([{ ...trend!, points: [{ ...trend!.points[0]!, model }, trend!.points.at(-1)!] }]);
  expect(svg).toContain('&lt;script&gt;');
  expect(svg).not.toContain('<script>');
  expect(svg).not.toMatch(/NaN|undefined/);
});
