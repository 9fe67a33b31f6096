import { expect, test } from 'vitest';
import { planFromFlags } from './plan-input.js';
import { planJson, snakeCase } from './plan-json.js';

test('keys are in snake case at every depth', () => {
  expect(snakeCase({ tokensPerSecond: 1, run: [{ everySteps: null, a: 'camelCase stays' }] })).toEqual({
    tokens_per_second: 1,
    run: [{ every_steps: null, a: 'camelCase stays' }],
  });
});

test('the result of a plan is JSON and says the same as the plan', async () => {
  const planned = await planFromFlags({ model: 'gpt2', cluster: 'laptops-16' });
  const result = JSON.parse(JSON.stringify(planJson(planned)));
  expect(result).toMatchObject({
    type: 'result',
    model: 'gpt2-124m',
    parameters: 124_439_808,
    method: planned.plan.method,
    tokens: planned.plan.tokens,
    run: { steps: planned.plan.run!.steps },
    averaging: { replicas: planned.plan.averaging!.replicas, accelerators_per_replica: 1 },
  });
  expect(result.strategies.length).toBe(planned.plan.search.strategies.length);
  expect(result.strategies.every(({ reason }: { reason: string }) => typeof reason === 'string')).toBe(true);
});
