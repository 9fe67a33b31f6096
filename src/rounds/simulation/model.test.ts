import { describe, expect, it } from 'vitest';
import { hashModel, mergeModel, trainModel } from './model.js';

describe('the model of one number', () => {
  it('trains differently from each base, worker, round and number of steps', () => {
    const values = [
      trainModel(1, 'a', 1, 10),
      trainModel(2, 'a', 1, 10),
      trainModel(1, 'b', 1, 10),
      trainModel(1, 'a', 2, 10),
      trainModel(1, 'a', 1, 11),
    ];
    expect(new Set(values).size).toBe(5);
    expect(trainModel(1, 'a', 1, 10)).toBe(values[0]);
  });

  it('merges by order, weight and base', () => {
    const [a, b] = [
      { value: 7, tokens: 1 },
      { value: 9, tokens: 2 },
    ];
    const merged = [mergeModel(1, [a!, b!]), mergeModel(1, [b!, a!]), mergeModel(2, [a!, b!]), mergeModel(1, [a!])];
    expect(new Set(merged).size).toBe(4);
    expect(mergeModel(1, [{ value: 7, tokens: 2 }])).not.toBe(merged[3]);
  });

  it('has a hash of eight digits', () => {
    expect([hashModel(0), hashModel(0xffffffff)]).toEqual(['00000000', 'ffffffff']);
  });
});
