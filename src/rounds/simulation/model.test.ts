import { describe, expect, it } from 'vitest';
import { differenceOf, hashModel, initialModel, mixModel, stepModel, sumShard, trainModel } from './model.js';

describe('the model of one number a fragment', () => {
  it('trains differently from each base, worker, round and number of steps', () => {
    const values = [
      trainModel([1], 'a', 1, 10),
      trainModel([2], 'a', 1, 10),
      trainModel([1], 'b', 1, 10),
      trainModel([1], 'a', 2, 10),
      trainModel([1], 'a', 1, 11),
    ].map(String);
    expect(new Set(values).size).toBe(5);
    expect(String(trainModel([1], 'a', 1, 10))).toBe(values[0]);
  });

  it('sums by order, weight and shard', () => {
    const [a, b] = [
      { value: 7, weight: 1 },
      { value: 9, weight: 2 },
    ];
    const sums = [sumShard([a!, b!], 0), sumShard([b!, a!], 0), sumShard([a!, b!], 1), sumShard([a!], 0)];
    expect(new Set(sums).size).toBe(4);
    expect(sumShard([{ value: 7, weight: 2 }], 0)).not.toBe(sums[3]);
  });

  it('steps one fragment, from its base and all sums, and draws local ones to it', () => {
    const next = stepModel([1, 2], 1, [5, 6]);
    expect(next[0]).toBe(1);
    const others = [stepModel([1, 3], 1, [5, 6]), stepModel([1, 2], 1, [6, 5])].map((one) => one[1]);
    expect(new Set([next[1], ...others]).size).toBe(3);
    const local = trainModel([1, 2], 'a', 1, 1);
    expect(mixModel(local, next, 1)[0]).toBe(local[0]);
    expect(differenceOf([1, 2], local, 0)).not.toBe(differenceOf([1, 2], local, 1));
  });

  it('has a hash of eight digits a fragment', () => {
    expect([hashModel([0]), hashModel([0xffffffff, 1])]).toEqual(['00000000', 'ffffffff00000001']);
    expect(hashModel(initialModel(1))).toBe('00005eed');
  });
});
