import { expect, it } from 'vitest';
import { BatchSampler } from './batch-sampler.js';
import { ShuffledSamples } from './shuffled-samples.js';

const letters = [...'abcdefghij'];
const epoch = (source: ShuffledSamples<string>, number: number) => letters.map((_, i) => source.sample(number, i));

it('gives every sample once an epoch, in another order each time and for each seed', () => {
  const source = new ShuffledSamples(letters, 1);
  const orders = [epoch(source, 0), epoch(source, 1), epoch(new ShuffledSamples(letters, 2), 0)];
  for (const order of orders) expect([...order].sort()).toEqual(letters);
  expect(new Set(orders.map((order) => order.join(''))).size).toBe(3);
  // Going back to an epoch gives what it gave before.
  expect(epoch(source, 0)).toEqual(orders[0]);
});

it('is shared out between replicas, and goes on from a saved place', () => {
  const sampler = (replica: number) =>
    new BatchSampler({ source: new ShuffledSamples(letters, 3), batchSize: 5, replica, worldSize: 2 });
  expect([...sampler(0).next(), ...sampler(1).next()].sort()).toEqual(letters);
  const [before, after] = [sampler(1), sampler(1)];
  for (let i = 0; i < 3; i++) before.next();
  after.restore(before.state);
  expect(after.next()).toEqual(before.next());
});

it('refuses an empty list, and a place in one of another length', () => {
  expect(() => new ShuffledSamples([], 1)).toThrow('There is no sample to learn from: expected one or more.');
  const sampler = new BatchSampler({ source: new ShuffledSamples(letters, 3), batchSize: 5 });
  expect(() => sampler.restore({ microBatches: 1, order: { seed: 3, samples: 9 } })).toThrow('samples 9, this run');
});
