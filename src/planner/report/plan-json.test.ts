import { expect, test } from 'vitest';
import { averagingWins, plan } from '../run/plan.js';
import { planJson, snakeCase } from './plan-json.js';

test('keys are in snake case at every depth', () => {
  expect(snakeCase({ tokensPerSecond: 1, run: [{ everySteps: null, a: 'camelCase stays' }] })).toEqual({
    tokens_per_second: 1,
    run: [{ every_steps: null, a: 'camelCase stays' }],
  });
});

test('the result of a plan is JSON and says the same as the plan', () => {
  const found = plan('gpt2', 'laptops-16');
  const result = JSON.parse(
    JSON.stringify(planJson({ plan: found, averagingWins: averagingWins(found), largest: null })),
  );
  expect(result).toMatchObject({
    type: 'result',
    model: 'gpt2-124m',
    parameters: 124_439_808,
    method: found.method,
    tokens: found.tokens,
    run: { steps: found.run!.steps },
    averaging: { replicas: found.averaging!.replicas, accelerators_per_replica: 1 },
  });
  expect(result.strategies.length).toBe(found.search.strategies.length);
  expect(result.strategies.every(({ reason }: { reason: string }) => typeof reason === 'string')).toBe(true);
});
