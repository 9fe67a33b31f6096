import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkShape, type Pass, passesOf, type ScheduleShape } from './schedule.js';

const short = (passes: readonly Pass[]) =>
  passes.map(({ kind, microBatch, chunk }) => `${kind[0]}${microBatch}${'abcd'[chunk]}`).join(' ');

describe('passesOf', () => {
  it('orders GPipe: all forward, then all backward', () => {
    const shape: ScheduleShape = { stages: 2, chunks: 1, microBatches: 3, order: 'gpipe' };
    expect(short(passesOf(shape, 0))).toBe('f0a f1a f2a b0a b1a b2a');
  });

  it('orders 1F1B as figure 4 of arXiv 2104.04473 does, its upper half', () => {
    const shape: ScheduleShape = { stages: 4, chunks: 1, microBatches: 8, order: '1f1b' };
    expect(short(passesOf(shape, 0))).toBe('f0a f1a f2a f3a b0a f4a b1a f5a b2a f6a b3a f7a b4a b5a b6a b7a');
    expect(short(passesOf(shape, 3))).toBe('f0a b0a f1a b1a f2a b2a f3a b3a f4a b4a f5a b5a f6a b6a f7a b7a');
  });

  it('interleaves as its lower half does: four micro-batches of one chunk, then of the next', () => {
    const shape: ScheduleShape = { stages: 4, chunks: 2, microBatches: 8, order: '1f1b' };
    expect(short(passesOf(shape, 3))).toBe(
      'f0a f1a f2a f3a f0b b0b f1b b1b f2b b2b f3b b3b f4a b0a f5a b1a f6a b2a f7a b3a f4b b4b f5b b5b f6b b6b f7b b7b b4a b5a b6a b7a',
    );
    expect(short(passesOf(shape, 0)).slice(0, 43)).toBe('f0a f1a f2a f3a f0b f1b f2b f3b f4a f5a f6a');
  });

  it('does every pass once, forward before backward', () => {
    const shapes = fc
      .record({ stages: fc.integer({ min: 1, max: 6 }), chunks: fc.integer({ min: 1, max: 4 }) })
      .chain(({ stages, chunks }) =>
        fc.record({
          stages: fc.constant(stages),
          chunks: fc.constant(chunks),
          microBatches: fc.integer({ min: 1, max: 5 }).map((n) => (chunks > 1 ? n * stages : n)),
          order: fc.constant('1f1b' as const),
        }),
      );
    fc.assert(
      fc.property(shapes, (shape) => {
        for (let stage = 0; stage < shape.stages; stage++) {
          const passes = passesOf(shape, stage);
          const seen = new Set<string>();
          for (const { kind, microBatch, chunk } of passes) {
            if (kind === 'backward') expect(seen.has(`forward ${microBatch} ${chunk}`)).toBe(true);
            seen.add(`${kind} ${microBatch} ${chunk}`);
          }
          expect(seen.size).toBe(2 * shape.microBatches * shape.chunks);
          expect(passes).toHaveLength(seen.size);
        }
      }),
    );
  });
});

describe('checkShape', () => {
  it.each([
    [{ stages: 0 }, 'number of stages must be a whole number from 1; got 0'],
    [{ microBatches: 1.5 }, 'number of micro-batches must be a whole number from 1; got 1.5'],
    [{ chunks: Number.NaN }, 'number of chunks must be a whole number from 1; got NaN'],
    [{ chunks: 2, microBatches: 6 }, 'multiples of the 4 stages; got 6'],
    [{ chunks: 2, order: 'gpipe' }, 'GPipe has one part of the model a device; got 2'],
  ] as const)('refuses %j', (over, message) => {
    expect(() => checkShape({ stages: 4, chunks: 1, microBatches: 8, order: '1f1b', ...over })).toThrow(message);
  });
});
