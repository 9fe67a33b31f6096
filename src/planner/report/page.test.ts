import { expect, test } from 'vitest';
import { findModel } from '../catalogue/index.js';
import { compareBandwidths, plan } from '../run/plan.js';
import { planPage } from './page.js';

test('a page has its charts, its table and what was assumed, and fetches nothing', () => {
  const planned = plan('llama3-8b', '64xh100');
  const html = planPage(planned, compareBandwidths(planned));
  expect(html.match(/<svg/g)).toHaveLength(4);
  expect(html.match(/<tr><td>/g)).toHaveLength(planned.search.strategies.length);
  for (const assumption of planned.assumptions) expect(html).toContain(assumption.slice(0, 20));
  expect(html).not.toMatch(/<script|<link|src=|url\(/);
  expect(html).not.toMatch(/NaN|Infinity|undefined/);
});

test('an averaged run is shown with what the same loss takes', () => {
  const html = planPage(plan('gpt2', 'laptops-16'), null);
  expect(html).toMatch(/Averaging is shown at equal tokens; the same loss takes 1\.\d\d× of them\./);
});

test('one node has no curve of bandwidth, and a model that does not fit no charts', () => {
  const alone = plan('gpt2', '8xh100');
  expect(planPage(alone, compareBandwidths(alone)).match(/<svg/g)).toHaveLength(2);
  const none = planPage(plan('mt-nlg-530b', '8xh100', { offload: 'none' }), null);
  expect(none).not.toContain('<svg');
  expect(none).toContain('does not fit in any arrangement');
});

test('names become no markup', () => {
  const html = planPage(plan({ ...findModel('gpt2'), name: '<img src=x onerror=alert(1)>' }, '8xh100'), null);
  expect(html).not.toContain('<img');
});
