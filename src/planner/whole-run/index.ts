export { type LargestRun, largestRun, type RunLimit, secondsUntil } from './largest.js';
export { planRun, type RunBudget, type RunOptions, type RunPlan } from './plan-run.js';
export { shapeOf } from './shape.js';
