import { expect, it } from 'vitest';
import { BatchSampler } from '../sampling/batch-sampler.js';
import { TokenWindows } from '../sampling/token-windows.js';
import { tokensInMemory } from '../shards/token-source.js';
import { createLedger, lease } from './ledger.js';
import { RangeSampler } from './range-sampler.js';

const tokens = tokensInMemory(Array.from({ length: 203 }, (_, i) => i));
const source = new TokenWindows({ tokens, context: 8, seed: 5 });
const samples = source.samplesPerEpoch;

it('reads what BatchSampler reads at the same places, over the ends of epochs', () => {
  const sampler = new RangeSampler(source);
  const joint = new BatchSampler({ source, batchSize: 3 });
  const { ranges } = lease(createLedger({ samples, seed: 5 }), 'a', 1, 60);
  sampler.assign(ranges);
  for (let left = 60; left > 0; left -= 3) {
    expect(sampler.remaining).toBe(left);
    const [epoch, number] = sampler.next;
    expect(epoch * samples + number).toBe(60 - left);
    expect(sampler.nextBatch(3)).toEqual(joint.next());
  }
});

it('shares the samples of several leases as they are given', () => {
  let ledger = createLedger({ samples: 24, seed: 5 });
  const starts: number[] = [];
  for (const worker of ['a', 'b', 'c']) {
    const given = lease(ledger, worker, 1, 8);
    ledger = given.ledger;
    const sampler = new RangeSampler(source);
    sampler.assign(given.ranges);
    const batch = sampler.nextBatch(8);
    starts.push(...batch.map(({ ids }) => ids[0]!));
  }
  const sorted = [...starts].sort((a, b) => a - b);
  expect(sorted).toEqual(sorted.map((_, i) => sorted[0]! + 8 * i));
});

it('goes over from one lease to the next at once, and reads no more than it was leased', () => {
  const sampler = new RangeSampler(source);
  expect(sampler.remaining).toBe(0);
  expect(() => sampler.nextBatch(1)).toThrow(/1 samples wanted, 0 leased/);
  sampler.assign([{ epoch: 0, start: 0, end: 5 }]);
  sampler.nextBatch(2);
  sampler.assign([{ epoch: 0, start: 3, end: 4 }]);
  expect(() => sampler.nextBatch(2)).toThrow(/2 samples wanted, 1 leased/);
  const again = new RangeSampler(source);
  again.assign([{ epoch: 0, start: 0, end: 4 }]);
  expect(sampler.nextBatch(1)).toEqual(again.nextBatch(4).slice(3));
});

it.each([
  { epoch: 0, start: 0, end: 25 },
  { epoch: 0, start: 3, end: 3 },
  { epoch: 0, start: -1, end: 3 },
  { epoch: -1, start: 0, end: 3 },
  { epoch: 0.5, start: 0, end: 3 },
  { epoch: 0, start: Number.NaN, end: 3 },
  { epoch: Number.POSITIVE_INFINITY, start: 0, end: 3 },
])('refuses a lease that is not of this text: %o', (range) => {
  const sampler = new RangeSampler(source);
  expect(() => sampler.assign([{ epoch: 0, start: 0, end: 1 }, range])).toThrow(/this text has 0 to 24 an epoch/);
  expect(sampler.remaining).toBe(0);
});
