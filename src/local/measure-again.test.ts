import { expect, it } from 'vitest';
import { threadChoices } from './measure-again.js';

it.each([
  [1, 8, 8, [8, 4]],
  [1, 4, 8, [4, 8]],
  [1, 5, 9, [5, 9]],
  [2, 1, 1, [1]],
])('%i replicas of %i threads, where %i fit, may have %j', (replicas, threads, all, choices) => {
  expect(threadChoices({ replicas, threads }, all)).toEqual(choices);
});
