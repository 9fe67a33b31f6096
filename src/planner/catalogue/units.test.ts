import { describe, expect, it } from 'vitest';
import { rangeWarning, unitWarning } from './units.js';

const compare = (value: number, known: number) => unitWarning({ name: 'x_GBps', value, known, of: 'H100' });

describe('unitWarning', () => {
  it.each([
    [3600, 450, 'x_GBps = 3600 is 8 times the 450 of H100: bits where bytes are meant'],
    [56.25, 450, '8 times less than'],
    [3.35, 3350, 'one unit prefix too many or too few'],
    [3.2e6, 3350, 'one unit prefix'],
    [3.35e9, 3350, 'two unit prefixes'],
  ])('%d beside %d: %s', (value, known, message) => {
    expect(compare(value, known)).toContain(message);
  });

  it.each([
    [450, 450],
    [900, 450],
    [1800, 450],
    [5400, 450],
    [45_000, 450],
    [0, 450],
    [Number.NaN, 450],
    [450, 0],
  ])('%d beside %d is no slip', (value, known) => {
    expect(compare(value, known)).toBeUndefined();
  });
});

describe('rangeWarning', () => {
  it('knows the range of a kind', () => {
    const memory = (value: number, kind: 'gpu' | 'browser' = 'gpu') =>
      rangeWarning('memory_GiB', value, kind, (a) => a.memory / 2 ** 30);
    expect(memory(80)).toBeUndefined();
    expect(memory(1000)).toBeUndefined();
    expect(memory(80_000)).toMatch(/memory_GiB = 80000 is far from what every gpu .* \(8 to 288\): is the unit right/);
    expect(memory(0.08)).toMatch(/far from/);
    expect(memory(80, 'browser')).toMatch(/every browser of the catalogue has \(4 to 6\)/);
    expect(rangeWarning('fp64_TFLOPS', 1, 'browser', (a) => a.fp64)).toBeUndefined();
  });
});
