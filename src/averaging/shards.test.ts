import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutShards, hashShard, hashVector, joinHashes } from './shards.js';

describe('cutShards', () => {
  it('covers the vector in order, in shards of nearly one size', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.integer({ min: 1, max: 20 }), (size, replicas) => {
        const shards = cutShards(size, replicas);
        const sizes = shards.map(({ start, end }) => end - start);
        expect(shards.map(({ start }) => start)).toEqual([0, ...shards.slice(0, -1).map(({ end }) => end)]);
        expect(shards.at(-1)!.end).toBe(size);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('cutShards around what is whole', () => {
  const blocks = fc.array(fc.record({ before: fc.nat(20), size: fc.integer({ min: 1, max: 60 }) }), { maxLength: 8 });

  it('covers the vector in order, cuts through nothing whole, and moves no cut further than need be', () => {
    fc.assert(
      fc.property(blocks, fc.nat(30), fc.integer({ min: 1, max: 9 }), (given, after, replicas) => {
        let size = 0;
        const whole = given.map((block) => ({ start: (size += block.before), end: (size += block.size) }));
        size += after;
        const [even, shards] = [cutShards(size, replicas), cutShards(size, replicas, whole)];
        expect(shards.map(({ start }) => start)).toEqual([0, ...shards.slice(0, -1).map(({ end }) => end)]);
        expect(shards.at(-1)!.end).toBe(size);
        for (const [i, { start, end }] of shards.entries()) {
          expect(end).toBeGreaterThanOrEqual(start);
          const through = (cut: number) => whole.find((block) => block.start < cut && cut < block.end);
          expect(through(end)).toBeUndefined();
          const crossed = through(even[i]!.end);
          const least = crossed ? Math.min(even[i]!.end - crossed.start, crossed.end - even[i]!.end) : 0;
          expect(Math.abs(end - even[i]!.end)).toBe(least);
        }
      }),
    );
  });
});

describe('hashVector', () => {
  it('is that of the shards, and changes with any one bit', () => {
    const vector = Float32Array.from({ length: 101 }, (_, i) => Math.sin(i));
    const shards = cutShards(vector.length, 3);
    const hash = hashVector(vector, shards);
    expect(hash).toBe(joinHashes(shards.map((shard) => hashShard(vector, shard))));
    for (let bit = 0; bit < 101 * 32; bit += 37) {
      const other = vector.slice();
      new Uint32Array(other.buffer)[bit >> 5]! ^= 1 << (bit & 31);
      expect(hashVector(other, shards)).not.toBe(hash);
    }
  });

  it('takes a view where it lies', () => {
    const shards = [{ start: 1, end: 3 }];
    const whole = Float32Array.of(9, 0, 1, 2);
    expect(hashVector(whole.subarray(1), shards)).toBe(hashVector(Float32Array.of(7, 1, 2), shards));
  });

  it("is the checksum that Python's zlib gives", () => {
    // zlib.crc32(struct.pack('<f', 1))
    expect(hashShard(Float32Array.of(1), { start: 0, end: 1 })).toBe('aca16a6a');
  });
});
