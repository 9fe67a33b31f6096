import { expect, test } from 'vitest';
import { lossOf, type ParametricLaw } from '../planner/laws/parametric.js';
import { scalePage } from './page.js';
import type { ReportedRun, ScaleReport } from './report.js';

const numbers: ParametricLaw = { E: 1.1, A: 40, B: 250, alpha: 0.35, beta: 0.42 };
const run = (kind: 'rung' | 'truth', parameters: number, tokens: number): ReportedRun => {
  const expected = lossOf(numbers, parameters, tokens);
  const curve = [0.1, 0.5, 1].map((share) => [share * tokens, expected / share ** 0.1] as const);
  return { kind, parameters, tokens, rate: 3e-3, seed: 1, loss: expected * 1.002, expected, curve };
};
const truth = run('truth', 1e6, 2e7);
const report: ScaleReport = {
  corpus: ['<b>books</b>'],
  law: {
    ...({ form: 'parametric', name: 'a & <i>b</i>', source: '15 runs', ...numbers } as const),
    upTo: { parameters: 5e5, tokens: 9e6 },
  },
  runs: [...[3e4, 1e5, 5e5].flatMap((n) => [1e6, 3e6, 9e6].map((d) => run('rung', n, d))), truth],
  purchases: [1, 10, 100].map((factor) => {
    const flop = factor * 1.2e14;
    return { factor, flop, parameters: 1e6 * factor, tokens: 2e7, loss: 1.5 / factor ** 0.05, low: 1.4, high: 1.6 };
  }),
  result: {
    ...({ type: 'result', out: 'there', points: 9, rmse: 0.004 } as const),
    prediction: { parameters: 1e6, tokens: 2e7, loss: truth.expected, low: 1.4, high: 1.7 },
    truths: [{ seed: 1, loss: truth.loss, error: -0.002, inside: true }],
    gaps: {
      law: { scale: 0.002, replicasExponent: 1.5, stepsExponent: 0.4, rmse: 0 },
      fitted: [
        { replicas: 2, syncEvery: 10, gap: 0.005 },
        { replicas: 4, syncEvery: 10, gap: 0.0142 },
      ],
      truths: [{ replicas: 8, syncEvery: 10, gap: 0.03, predicted: 0.0261 }],
    },
  },
};

test('shows curves, frontier, prediction and truth, and what more would buy', () => {
  const html = scalePage(report);
  const headings = [...html.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, text]) => text);
  expect(headings).toEqual([
    'Loss while training',
    'Loss against tokens',
    'The frontier',
    'What more compute would buy',
    'What averaging costs',
    'The runs',
  ]);
  // Four sizes in each of the first two, then the frontier, the best runs, the prediction and the truth.
  expect(html.match(/<polyline/g)).toHaveLength(4 + 4 + 4);
  expect(html).toContain('would buy 10.9 % less loss');
  expect(html).toContain(`<dd>${truth.expected.toFixed(4)}</dd>`);
  expect(html).toContain('−0.20 %, inside');
  expect(html).toContain('<td class="n">3.00 %</td><td class="n">2.61 %</td><td class="n">0.39</td>');
  expect(html.match(/<td>(fitted|predicted)<\/td>/g)).toHaveLength(10 + 3);
});

test('lets no name become markup, and fetches nothing', () => {
  const html = scalePage(report);
  expect(html).not.toMatch(/<i>|<b>|<script|NaN|Infinity|undefined|https?:/);
});
