import { expect, test } from 'vitest';
import { barChart } from './bars.js';

const widths = (svg: string) => [...svg.matchAll(/<rect[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width));

test('bars are as long as their values, the longest reaches the edge', () => {
  const svg = barChart('memory', [
    { name: 'a', value: 10, text: '10 GB' },
    { name: 'b & c', value: 5, text: '5 GB' },
    { name: 'd', value: 0, text: '0' },
  ]);
  expect(widths(svg)).toEqual([320, 160, 1]);
  expect(svg).toContain('>10 GB</text>');
  expect(svg).toContain('>b &#38; c</text>');
});

test('a limit is marked at its value, beyond the bars where it is larger', () => {
  const svg = barChart('memory', [{ name: 'a', value: 10, text: '10' }], { value: 20, name: '20 GB' });
  expect(widths(svg)).toEqual([160]);
  expect(svg).toMatch(/<line class="limit" x1="510" x2="510"/);
});

test('nothing but zeros draws no NaN', () => {
  expect(barChart('none', [{ name: 'a', value: 0, text: '0' }])).not.toContain('NaN');
});
