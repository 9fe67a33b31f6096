import { expect, test } from 'vitest';
import { findLaw } from '../../planner/laws/laws.js';
import { PLAN_OPTIONS } from '../../planner/run/option-table.js';
import { PLAN_FLAGS } from './plan-options.js';

test('every option of a plan is a flag', () => {
  const { model, cluster, calibration, law, ...others } = PLAN_FLAGS;
  expect(others).toEqual(PLAN_OPTIONS);
});

test.each(PLAN_FLAGS.law.choices)('there is a law called %s', (name) => {
  expect(findLaw(name).name).toBe(name);
});
