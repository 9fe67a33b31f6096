import { expect, test } from 'vitest';
import { PLAN_OPTIONS } from '../../planner/run/option-table.js';
import { PLAN_FLAGS } from './plan-options.js';

test('every option of a plan is a flag', () => {
  const { model, cluster, calibration, law, ...others } = PLAN_FLAGS;
  expect(others).toEqual(PLAN_OPTIONS);
});
