import { expect, it } from 'vitest';
import { Standing } from './standing.js';

const LOSS = { name: 'loss', better: 'lower' } as const;

it('knows the best, and how long ago it was, across a checkpoint', () => {
  const first = new Standing({}, LOSS);
  expect([first.add(10, 2, 2.1), first.add(20, 1.5, 1.6), first.add(30, 1.5, 1.4)]).toEqual([true, true, false]);
  const second = new Standing(first.record, LOSS);
  second.add(40, 1.6, 1.2);
  expect([second.best, second.bestStep, second.sinceBest, second.last]).toEqual([1.5, 20, 2, 1.6]);
});

it('tells once that a text is learnt by heart', () => {
  const standing = new Standing({}, LOSS);
  const told = [2, 1.5, 1.6, 1.7, 1.8, 1.9].map((loss, i) => {
    standing.add(10 * i, loss, 2 - 0.3 * i);
    return standing.overfitting(2 - 0.3 * i, 'runs/a/model');
  });
  expect(told.map((text) => text !== undefined)).toEqual([false, false, false, false, true, false]);
  expect(told[4]).toMatch(/from 1\.500 \(step 10\) to 1\.800 .* from 1\.700 to 0\.800\. runs\/a\/model keeps/);
});

it.each([
  ['the training loss rises too, as when the rate is too high', [2, 1.5, 1.6, 1.7, 1.8], [2, 1.5, 1.6, 1.7, 1.8]],
  ['the validation loss only hovers', [2, 1.5, 1.501, 1.502, 1.501], [2, 1.7, 1.5, 1.3, 1.1]],
])('tells nothing where %s', (_name, validation, training) => {
  const standing = new Standing({}, LOSS);
  for (const [i, loss] of validation.entries()) {
    standing.add(i, loss, training[i]!);
    expect(standing.overfitting(training[i]!, 'model')).toBeUndefined();
  }
});

it('takes the higher of two figures where higher is better', () => {
  const standing = new Standing({}, { name: 'accuracy', better: 'higher' });
  expect([0.2, 0.5, 0.4].map((value, i) => standing.add(i, value, null))).toEqual([true, true, false]);
  expect(standing.best).toBe(0.5);
});

it('says when a run has reached what it was to', () => {
  const standing = new Standing({}, LOSS);
  expect(standing.reached({ untilLoss: 9 })).toBeUndefined();
  for (const loss of [2, 1.5, 1.6]) standing.add(10, loss, null);
  expect(standing.reached({})).toBeUndefined();
  expect(standing.reached({ untilLoss: 1.6, patience: 2 })).toBeUndefined();
  expect(standing.reached({ untilLoss: 1.6, patience: 1 })).toBe('patience');
  expect(standing.reached({ untilLoss: 1.7, patience: 1 })).toBe('loss');
});
