import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tokensInMemory } from '../shards/token-source.js';
import { BatchSampler, type BatchSamplerOptions } from './batch-sampler.js';
import { TokenWindows, type TokenWindowsOptions } from './token-windows.js';

type Options = TokenWindowsOptions & Omit<BatchSamplerOptions<unknown>, 'source'>;

const samplerOf = (options: Options) => new BatchSampler({ ...options, source: new TokenWindows(options) });

const numbered = (length: number) => tokensInMemory(Array.from({ length }, (_, i) => i));

/** The start of each window of some micro-batches; a numbered text makes a window its start. */
function starts(options: Options, microBatches: number): number[] {
  const sampler = samplerOf(options);
  const found: number[] = [];
  for (let k = 0; k < microBatches; k++) {
    const batch = sampler.next();
    expect(batch.length).toBe(options.batchSize);
    for (const { ids: window } of batch) {
      expect(window.length).toBe(options.context + 1);
      expect([...window]).toEqual(Array.from(window, (_, i) => window[0]! + i));
      found.push(window[0]!);
    }
  }
  return found;
}

describe('BatchSampler', () => {
  it('walks all windows of an epoch once, then goes on with the next at another place in another order', () => {
    const options = { tokens: numbered(1003), context: 10, batchSize: 3, seed: 1 };
    const windows = new TokenWindows(options).samplesPerEpoch;
    expect(windows).toBe(99);
    const epochs = starts(options, 99);
    const [first, second, third] = [0, 1, 2].map((e) => epochs.slice(e * windows, (e + 1) * windows));
    for (const epoch of [first!, second!, third!]) {
      const sorted = [...epoch].sort((a, b) => a - b);
      expect(sorted).toEqual(sorted.map((_, i) => sorted[0]! + i * 10));
      expect(sorted).not.toEqual(epoch);
    }
    const offsets = [first!, second!, third!].map((epoch) => Math.min(...epoch));
    expect(offsets.every((offset) => offset < 10)).toBe(true);
    expect(new Set(offsets).size).toBeGreaterThan(1);
  });

  it('W replicas see together what one replica with the joint batch sees', () => {
    fc.assert(
      fc.property(
        fc.record({
          length: fc.integer({ min: 9, max: 400 }),
          context: fc.integer({ min: 1, max: 8 }),
          batchSize: fc.integer({ min: 1, max: 4 }),
          worldSize: fc.integer({ min: 1, max: 4 }),
          seed: fc.nat(),
        }),
        ({ length, context, batchSize, worldSize, seed }) => {
          const common = { tokens: numbered(length), context, seed };
          const joint = starts({ ...common, batchSize: batchSize * worldSize }, 5);
          const replicas = Array.from({ length: worldSize }, (_, replica) =>
            starts({ ...common, batchSize, replica, worldSize }, 5),
          );
          const together = Array.from({ length: 5 }, (_, k) =>
            replicas.flatMap((own) => own.slice(k * batchSize, (k + 1) * batchSize)),
          );
          expect(together.flat()).toEqual(joint);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('goes on from a saved state bit for bit', () => {
    const options = { tokens: numbered(500), context: 8, batchSize: 4, seed: 42, replica: 1, worldSize: 2 };
    const a = samplerOf(options);
    for (let k = 0; k < 11; k++) a.next();
    const state = JSON.parse(JSON.stringify(a.state));
    const b = samplerOf(options);
    b.restore(state);
    expect(b.state).toEqual(a.state);
    for (let k = 0; k < 20; k++) expect(b.next()).toEqual(a.next());
  });

  it('refuses the state of another order, and a damaged one', () => {
    const sampler = samplerOf({ tokens: numbered(500), context: 8, batchSize: 4, seed: 42 });
    const { order } = sampler.state;
    expect(() => sampler.restore({ microBatches: 1, order: { ...order, seed: 7 } })).toThrow(/seed 7, this run has 42/);
    expect(() => sampler.restore({ microBatches: 1, order: { ...order, tokens: 9 } })).toThrow(/tokens 9/);
    expect(() => sampler.restore({ microBatches: -1, order })).toThrow(/damaged: microBatches is -1/);
    expect(() => sampler.restore({} as never)).toThrow(/cannot go on/);
  });

  it('draws from the shortest text, and refuses a shorter one or wrong numbers', () => {
    expect(starts({ tokens: numbered(9), context: 8, batchSize: 2, seed: 1 }, 2)).toEqual([0, 0, 0, 0]);
    expect(() => samplerOf({ tokens: numbered(8), context: 8, batchSize: 2, seed: 1 })).toThrow(/needs at least 9/);
    const tokens = numbered(100);
    expect(() => samplerOf({ tokens, context: 8, batchSize: 0, seed: 1 })).toThrow(/batchSize/);
    expect(() => samplerOf({ tokens, context: 8, batchSize: 1, seed: 1, replica: 2, worldSize: 2 })).toThrow(/replica/);
  });
});
