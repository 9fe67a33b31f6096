import { expect, test } from 'vitest';
import { linearAxis, logAxis } from './axis.js';
import { type Chart, lineChart, PLOT } from './lines.js';

const chart: Chart = {
  title: 'a chart',
  x: logAxis([1, 100], PLOT.left, PLOT.right),
  y: linearAxis(1, PLOT.bottom, PLOT.top),
  xName: 'bandwidth',
  yName: 'share',
  xText: (value) => `${value} b/s`,
  yText: (value) => value.toFixed(1),
  series: [
    {
      name: 'one <b>',
      points: [
        [1, 0],
        [10, 0.5],
        [100, 1],
      ],
    },
    { name: 'two', points: [[1, 1]], marks: ['8'] },
  ],
};

test('lines pass through their points', () => {
  const svg = lineChart(chart);
  expect(svg).toContain('<polyline class="line s0" points="70,280 345,148 620,16"/>');
  expect(svg).toContain('cx="70" cy="16"');
  expect(svg).toContain('>10 b/s</text>');
  expect(svg).toContain('>one &#60;b&#62;</text>');
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
});

test('one line needs no legend', () => {
  expect(lineChart({ ...chart, series: chart.series.slice(0, 1) })).not.toContain('one &#60;b&#62;');
});

test('a mark and a shade stay within the axes', () => {
  const svg = lineChart({ ...chart, here: { x: 1e6, name: 'here' }, shade: { from: 0, to: 10 } });
  expect(svg).toContain('<line class="limit" x1="620" x2="620"');
  expect(svg).toContain('<rect class="shade" x="70" y="16" width="275"');
  const open = lineChart({ ...chart, shade: { from: 10, to: Number.POSITIVE_INFINITY } });
  expect(open).toContain('<rect class="shade" x="345" y="16" width="275"');
});
