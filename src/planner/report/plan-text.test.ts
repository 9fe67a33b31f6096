import { expect, test } from 'vitest';
import { planText } from './plan-text.js';

function planned(...asked: Parameters<typeof plan>): Planned {
  const found = plan(...asked);
  return { plan: found, averagingWins: averagingWins(found), largest: null };
}

import { findCluster } from '../catalogue/clusters.js';
import { largestModel } from '../run/largest-model.js';
import { averagingWins, plan } from '../run/plan.js';
import type { Planned } from './planned.js';

test('a plan of ten thousand cards', () => {
  const text = planText(planned('turing-nlg-17b', 'azure-openai-2020'));
  expect(text).toMatch(/^\nturing-nlg-17b: 17\.2 G parameters/);
  expect(text).toMatch(/memory of a device +GB +time of a step +share/);
  expect(text).toMatch(/time +[\d.]+ (h|days) \(80 %: [\d.]+ (h|days) to [\d.]+ (h|days)\) for [\d,]+ steps on [\d,]+/);
  expect(text).toMatch(/cost +\$[\d.]+ M \(80 %: \$[\d.,]+(?: M)? to \$[\d.]+ M\)/);
  expect(text).toMatch(/arrangements considered, [\d,]+ of them predicted/);
  expect(text).toMatch(
    /Averaging comes to the same loss a tenth sooner, or more, from .* a node; here a node has 400 Gb\/s\./,
  );
  expect(text).not.toMatch(/NaN|undefined|Infinity/);
});

test('a plan of sixteen laptops averages, and says what that costs', () => {
  const text = planText(planned('gpt2', 'laptops-16', { speedSpread: 2 }));
  expect(text).toMatch(/Arrangement: \d+ replicas, each data 1/);
  expect(text).toMatch(/Periodic averaging \(chosen\):/);
  expect(text).toMatch(/speeds +\d+ to \d+ inner steps after speed/);
  expect(text).toMatch(/cost +unknown/);
  expect(text).toMatch(/loss +\+[\d.]+ % at equal tokens/);
});

test('the largest model within a limit is told with the law it follows', () => {
  const largest = largestModel(findCluster('8xh100'), { flop: 1e21 }, 'chinchilla');
  const { plan: found } = planned(largest.model, '8xh100', { tokens: largest.optimum.tokens, method: 'data' });
  const text = planText({ plan: found, averagingWins: null, largest });
  expect(text).toMatch(/^\nThe largest compute-optimal model within the limits \(law: chinchilla; loss [\d.]+\)\./);
});
