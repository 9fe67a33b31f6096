import { expect, test } from 'vitest';
import { compareBandwidths, plan } from '../run/plan.js';
import type { RunPlan } from '../run/plan-run.js';
import type { RunOption } from '../run/runs.js';
import { bandwidthChart, frontChart, memoryChart, timeChart } from './charts.js';

const planned = plan('gpt2', 'laptops-16');

test('memory and time have a bar for each part that there is', () => {
  const memory = memoryChart(planned.step!.memory);
  expect(memory).toContain('>in all</text>');
  expect(memory).toMatch(/GB available/);
  const { total, ...parts } = planned.step!.time;
  const some = Object.values(parts).filter((seconds) => seconds > 0).length;
  expect(timeChart(planned.step!.time).match(/<rect class="bar"/g)).toHaveLength(some);
  expect(total).toBeGreaterThan(0);
});

test('the front leaves out what another run beats in days and in cost', () => {
  const option = (accelerators: number, days: number, usd: number | null): RunOption => ({
    accelerators,
    candidate: undefined as never,
    interval: { share: 0.8, low: 0.9, high: 1.1 },
    run: { days, usd, acceleratorHours: 7 * accelerators } as RunPlan,
  });
  const svg = frontChart([option(8, 10, 100), option(16, 6, 90), option(32, 3, 200)]);
  expect(svg.match(/<circle/g)).toHaveLength(2);
  expect(svg).not.toContain('>8</text>');
  expect(svg).toContain('>US dollars</text>');
  expect(frontChart([option(8, 10, null), option(16, 6, null)])).toContain('>accelerator-hours</text>');
  const both = frontChart([option(8, 10, 100), option(16, 6, 190)], { accelerators: 12, run: option(12, 4, 300).run });
  expect(both.match(/<circle/g)).toHaveLength(3);
  expect(both).toContain('>averaging</text>');
});

test('bandwidth has a line for each method, the cluster marked and the winning range shaded', () => {
  const svg = bandwidthChart(compareBandwidths(planned)!, planned);
  expect(svg.match(/<polyline/g)).toHaveLength(5);
  expect(svg).toContain('laptops-16: 20 Mb/s');
  expect(svg).toContain('class="shade"');
  expect(svg).not.toMatch(/NaN|Infinity/);
});
