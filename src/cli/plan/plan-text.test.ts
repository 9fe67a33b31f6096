import { expect, test } from 'vitest';
import { planFromFlags } from './plan-input.js';
import { planText } from './plan-text.js';

test('a plan of ten thousand cards', async () => {
  const text = planText(await planFromFlags({ model: 'turing-nlg-17b', cluster: 'azure-openai-2020' }));
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

test('a plan of sixteen laptops averages, and says what that costs', async () => {
  const text = planText(await planFromFlags({ model: 'gpt2', cluster: 'laptops-16', speedSpread: 2 }));
  expect(text).toMatch(/Arrangement: \d+ replicas, each data 1/);
  expect(text).toMatch(/Periodic averaging \(chosen\):/);
  expect(text).toMatch(/speeds +\d+ to \d+ inner steps after speed/);
  expect(text).toMatch(/cost +unknown/);
  expect(text).toMatch(/loss +\+[\d.]+ % at equal tokens/);
});

test('the largest model within a limit is told with the law it follows', async () => {
  const text = planText(await planFromFlags({ cluster: '8xh100', flop: 1e21, law: 'chinchilla' }));
  expect(text).toMatch(/^\nThe largest compute-optimal model within the limits \(law: chinchilla; loss [\d.]+\)\./);
});
