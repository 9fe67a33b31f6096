import { expect, it } from 'vitest';
import { CODE, COMMAND_LINE } from '../base/spelling.js';
import { divergenceAdvice } from './advice.js';

it.each([
  [{ lr: 3e-3, clip: 0, warmup: 0, step: 4 }, ['--lr 0.001 (it was 0.003)', '--clip 1 (gradients', '--warmup 100']],
  [{ lr: 1e-2, clip: 5, warmup: 200, step: 150 }, ['--lr 0.003 (', '--clip 1 (it was 5)', '--warmup 800 (it was 200)']],
])('names what is not in force: %j', (sizes, expected) => {
  for (const part of expected) expect(divergenceAdvice(sizes, COMMAND_LINE)).toContain(part);
});

it('does not name what is in force already', () => {
  const advice = divergenceAdvice({ lr: 1, clip: 1, warmup: 100, step: 900 }, CODE);
  expect(advice).toBe('Start a new run with `lr: 0.3` (it was 1).');
});
